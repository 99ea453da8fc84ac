"""Rounds of blocks: bare cryptography, then the server, case after case. What drifts, drifts for both."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench import BenchFailed
from bench.cases import Case, Scenario, scenario
from bench.load import Connection
from bench.stage import Stage
from bench.usage import cpu_seconds, memory_kib, worker_of

_BARE_SECONDS = 0.15  # of cryptography beside each block


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure: so many rounds, of blocks of this part of their full size."""

    rounds: int
    block_part: float
    memory_exchanges: int


FULL = Plan(rounds=9, block_part=1.0, memory_exchanges=10_000)
QUICK = Plan(rounds=2, block_part=0.1, memory_exchanges=300)


@dataclass(slots=True)
class Figures:
    """One case, block by block. CPU and limit in seconds per request, latencies in seconds."""

    case: Case
    cpu: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        """CPU per request: the median of the blocks."""
        return median(self.cpu) * 1000

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
        """Over one connection, one after the other."""
        return len(self.latencies) / sum(self.latencies)

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
    """Everything that one run found out."""

    plan: Plan
    figures: tuple[Figures, ...]
    memory: Memory
    assertion_characters: tuple[int, int]


def measure(stage: Stage, plan: Plan, say: Callable[[str], None]) -> Measured:
    """Run the plan. Raises BenchFailed if the server answers anything but what was asked for."""
    with Connection(stage.port) as connection:
        say("warming up")
        found = scenario(stage, connection)
        figures = tuple(Figures(case) for case in found.cases)
        for row in figures:
            count = _block_size(row.case, plan)
            connection.send_in_turn(row.case.requests(count), count)
        for number in range(1, plan.rounds + 1):
            say(f"round {number} of {plan.rounds}")
            for row in figures:
                _measure_block(row, found, stage, connection, plan)
        say(f"memory over {plan.memory_exchanges:,} exchanges")
        memory = _measure_memory(found.cases[0], stage, connection, plan.memory_exchanges)
    if stage.dynamic.emulator.count("/users"):
        raise BenchFailed("a profile was fetched: the small token's case measured something else")
    return Measured(plan, figures, memory, found.assertion_characters)


def _measure_block(row: Figures, found: Scenario, stage: Stage, connection: Connection, plan: Plan) -> None:
    case, count = row.case, _block_size(row.case, plan)
    if case.alg is not None:
        repeats = max(10, int(_BARE_SECONDS * plan.block_part / found.cryptography.seconds(case.alg, 10)))
        row.limit.append(found.cryptography.seconds(case.alg, repeats))
    requests = case.requests(count)
    before = cpu_seconds(stage.group)
    row.latencies += connection.send_in_turn(requests, count)
    row.cpu.append((cpu_seconds(stage.group) - before) / count)


def _measure_memory(case: Case, stage: Stage, connection: Connection, exchanges: int) -> Memory:
    worker = worker_of(stage.group)
    requests = case.requests(exchanges)
    before = memory_kib(worker)
    connection.send_in_turn(requests, exchanges)
    return Memory(exchanges, before, memory_kib(worker))


def _block_size(case: Case, plan: Plan) -> int:
    return max(1, int(case.per_block * plan.block_part))
