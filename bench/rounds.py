"""Rounds of blocks: bare cryptography, then each server, case after case. What drifts, drifts for all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench.cases import Case, Scenario, scenario
from bench.load import Connection, Crowd
from bench.stage import Stage
from bench.usage import cpu_seconds, memory_kib, tree_cpu_seconds, worker_of

_BARE_SECONDS = 0.15  # of cryptography beside each block
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure: so many rounds, of blocks of this part of their full size."""

    rounds: int
    block_part: float
    memory_exchanges: int


FULL = Plan(rounds=7, block_part=1.0, memory_exchanges=10_000)
QUICK = Plan(rounds=2, block_part=0.1, memory_exchanges=300)


@dataclass(frozen=True, slots=True)
class Target:
    """A server to measure. `only`: the cases that are measured there; all, if none is named."""

    name: str
    stage: Stage
    only: Sequence[str] = ()


@dataclass(slots=True)
class Figures:
    """One case of one target, block by block. CPU and limit in seconds per request, latencies in seconds."""

    case: Case
    cpu: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        """CPU of the server per request, its database's apart: the median of the blocks."""
        return median(self.cpu) * 1000

    @property
    def database_ms(self) -> float | None:
        """CPU of a database server per request; None where the database is a file, whose CPU is the server's."""
        return median(self.database) * 1000 if self.database else None

    @property
    def limit_ms(self) -> float | None:
        """CPU of the bare cryptography: the median of the blocks; None where none was measured."""
        return median(self.limit) * 1000 if self.limit else None

    @property
    def share_percent(self) -> float | None:
        """How much of the CPU is cryptography: the median of what each pair of neighbouring blocks says."""
        pairs = zip(self.limit, self.cpu, strict=True) if self.limit else ()
        shares = [limit / cpu * 100 for limit, cpu in pairs]
        return median(shares) if shares else None

    @property
    def requests_per_second(self) -> float:
        """How many were answered in a second: the median of the blocks."""
        return median(self.per_second) if self.per_second else len(self.latencies) / sum(self.latencies)

    def latency_ms(self, percent: int) -> float:
        """The latency that so many percent of the requests stay below."""
        return quantiles(self.latencies, n=100, method="inclusive")[percent - 1] * 1000


@dataclass(frozen=True, slots=True)
class Memory:
    """The worker's memory before and after so many exchanges."""

    exchanges: int
    before_kib: int
    after_kib: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that one run found out. The first target is the one that memory is measured of."""

    plan: Plan
    targets: tuple[tuple[Target, tuple[Figures, ...]], ...]
    memory: Memory
    assertion_characters: tuple[int, int]

    @property
    def figures(self) -> tuple[Figures, ...]:
        """Those of the first target."""
        return self.targets[0][1]


@dataclass(frozen=True, slots=True)
class _Prepared:
    target: Target
    connection: Connection
    found: Scenario
    figures: tuple[Figures, ...]


def measure(targets: Sequence[Target], plan: Plan, say: Callable[[str], None]) -> Measured:
    """Run the plan. Raises BenchFailed if a server answers anything but what was asked for."""
    say("warming up")
    prepared = [_prepare(target, plan) for target in targets]
    try:
        for number in range(1, plan.rounds + 1):
            say(f"round {number} of {plan.rounds}")
            for one in prepared:
                for row in one.figures:
                    _measure_block(row, one, plan)
        say(f"memory over {plan.memory_exchanges:,} exchanges")
        first = prepared[0]
        memory = _measure_memory(first.found.cases[0], first, plan.memory_exchanges)
    finally:
        for one in prepared:
            one.connection.close()
    found = tuple((one.target, one.figures) for one in prepared)
    return Measured(plan, found, memory, prepared[0].found.assertion_characters)


def _prepare(target: Target, plan: Plan) -> _Prepared:
    connection = Connection(target.stage.port)
    found = scenario(target.stage, connection)
    figures = tuple(Figures(case) for case in found.cases if not target.only or case.name in target.only)
    for row in figures:
        count = _block_size(row.case, plan)
        requests = row.case.requests(count)
        with Crowd(target.stage.port, CONNECTIONS) as crowd:
            crowd.send_in_turn(requests, count)
    return _Prepared(target, connection, found, figures)


def _measure_block(row: Figures, one: _Prepared, plan: Plan) -> None:
    case, count, stage = row.case, _block_size(row.case, plan), one.target.stage
    if case.alg is not None:
        repeats = max(10, int(_BARE_SECONDS * plan.block_part / one.found.cryptography.seconds(case.alg, 10)))
        row.limit.append(one.found.cryptography.seconds(case.alg, repeats))
    requests = case.requests(count)
    before, before_there = cpu_seconds(stage.group), _database_seconds(stage)
    with Crowd(stage.port, CONNECTIONS) as crowd:
        latencies, took = crowd.send_in_turn(requests, count)
    row.latencies += latencies
    row.per_second.append(count / took)
    row.cpu.append((cpu_seconds(stage.group) - before) / count)
    if stage.database_group is not None:
        row.database.append((_database_seconds(stage) - before_there) / count)


def _database_seconds(stage: Stage) -> float:
    return 0.0 if stage.database_group is None else tree_cpu_seconds(stage.database_group)


def _measure_memory(case: Case, one: _Prepared, exchanges: int) -> Memory:
    worker = worker_of(one.target.stage.group)
    requests = case.requests(exchanges)
    before = memory_kib(worker)
    with Crowd(one.target.stage.port, CONNECTIONS) as crowd:
        crowd.send_in_turn(requests, exchanges)
    return Memory(exchanges, before, memory_kib(worker))


def _block_size(case: Case, plan: Plan) -> int:
    return max(1, int(case.per_block * plan.block_part))
