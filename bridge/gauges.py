"""What is measured by looking, not by counting: keys, the outbox, connections, jobs.

of a process   what each has for itself. A worker of `oidc-bridge serve` writes its own down every few seconds, for
               whichever of them is asked
of all         what the database says, and so every process: read when somebody asks, and kept for ten seconds
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from bridge import __version__
from bridge.errors import Unavailable
from bridge.metrics.exposition import exposition
from bridge.metrics.instruments import Metrics, Reading, Values
from bridge.model import SIGNING_ALGORITHMS
from bridge.parts import Parts
from bridge.store import dead_letters

EVERY = 5  # seconds between two looks of a worker at itself
GOOD_FOR = 10  # seconds that an answer of the database is told

DoneAt = Callable[[], Mapping[str, int]]
"""When each background job was last done."""


class Gauges:
    """Reads the gauges of one process and of its database. Safe for any number of threads."""

    def __init__(self, metrics: Metrics, parts: Parts, started_at: int) -> None:
        self._metrics = metrics
        self._parts = parts
        self._started_at = started_at
        self._jobs: DoneAt | None = None
        self._read: tuple[int, Sequence[Reading]] | None = None
        self._reading = threading.Lock()

    def share(self, jobs: DoneAt) -> None:
        """From now on this process is one of several, whose gauges are told together. `jobs`: of its background."""
        self._jobs = jobs

    def keep(self, now: int) -> None:
        """Write down how this process is."""
        self._metrics.keep(self._of_process(now))

    def exposition(self, now: int) -> bytes:
        """All metrics, as they are told."""
        readings = self._of_all(now)
        if self._jobs is None:
            return exposition(self._metrics, [*readings, *self._of_process(now)])
        self.keep(now)
        return exposition(self._metrics, readings)

    def _of_process(self, now: int) -> Iterator[Reading]:
        fetched: Values = {
            (environment_id,): float(now - age)
            for environment_id, known in self._parts.verifier.known.items()
            if (age := known.keys.age()) is not None
        }
        yield _moment("upstream_keys_fetched", "When Dynamic's keys were last fetched.", ("environment",), fetched)
        read_at: Values = {(): float(self._parts.keyring.read_at)}
        yield _moment("signing_keys_read", "When our own keys were last read.", (), read_at)
        started: Values = {(): float(self._started_at)}
        yield _moment("start", "When the oldest process that lives was started.", (), started)
        yield Reading("workers", "Processes that answer.", values={(): 1.0}, of_all="livesum")
        in_use, most = self._parts.database.connections()
        text = "Connections to the database, and how many there may be."
        used: Values = {("in_use",): float(in_use), ("max",): float(most)}
        yield Reading("database_connections", text, ("kind",), used, of_all="livesum")
        if self._jobs is not None:
            done: Values = {(job,): float(at) for job, at in self._jobs().items()}
            yield _moment("job_done", "When a background job was last done, maybe by another process.", ("task",), done)

    def _of_all(self, now: int) -> Sequence[Reading]:
        with self._reading:
            if self._read is None or not 0 <= now - self._read[0] < GOOD_FOR:
                self._read = now, [*self._signing_keys(now), *self._outbox(now), _BUILD]
            return self._read[1]

    def _signing_keys(self, now: int) -> Iterator[Reading]:
        self._parts.keyring.jwks(now)  # reads them again, if it is time to
        count: Values = defaultdict(float, {(alg, "active"): 0.0 for alg in SIGNING_ALGORITHMS})
        since: Values = {}
        for life in self._parts.keyring.lives:
            kind = (life.alg, life.state)
            count[kind] += 1
            since[kind] = min(since.get(kind, life.since), life.since)
        labels = ("alg", "state")
        yield Reading("signing_keys", "Signing keys.", labels, count)
        yield _moment("signing_key_since", "Since when the oldest signing key of a state is in it.", labels, since)

    def _outbox(self, now: int) -> Iterator[Reading]:
        try:
            with self._parts.database.reading() as tx:
                backlog = dead_letters.backlog(tx)
        except Unavailable:
            yield _answers(0)
            return
        yield _answers(1)
        counts: Values = {("waiting",): float(backlog.waiting), ("dead",): float(backlog.dead)}
        yield Reading("outbox_messages", "Messages that wait, and that were given up.", ("state",), counts)
        ages = {
            "outbox_oldest_seconds": ("Age of the oldest message that waits.", backlog.oldest_at),
            "outbox_overdue_seconds": ("For how long a message has been due that nobody has taken.", backlog.due_at),
        }
        for name, (text, at) in ages.items():
            yield Reading(name, text, values={(): 0.0 if at is None else float(max(0, now - at))})


def _moment(name: str, text: str, labels: tuple[str, ...], values: Values) -> Reading:
    return Reading(f"{name}_timestamp_seconds", text, labels, values)


def _answers(value: int) -> Reading:
    return Reading("database_up", "Whether the database answers.", values={(): float(value)})


_BUILD = Reading("build_info", "The version of this program.", ("version",), {(__version__,): 1.0})
