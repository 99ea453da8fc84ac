"""What a serving process does beside answering: a list of jobs, each at its interval, on one thread.

    every process   what each needs for itself: our keys and Dynamic's, fresh before a request has to wait for them
    one of all      what is done for the database: whoever gets the lease does it, however many instances there are

`oidc-bridge serve` runs this in each worker. Under another server nothing here is missed by a request, only waited for;
`oidc-bridge sweep` and `oidc-bridge deliver` then do the rest. A new job is a line in `jobs`.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.clock import Clock, system_clock
from bridge.config.settings import Config
from bridge.errors import Unavailable
from bridge.parts import Parts
from bridge.store import Database, leases
from bridge.store.sweep import sweep

log = logging.getLogger(__name__)

_TICK = 1.0  # seconds between looks at what is due
_LONG = 600  # seconds after which one has taken too long; a sweep takes its time


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work. `every`: seconds from one time to the next; `shared`: one process of all does it."""

    name: str
    every: int
    run: Callable[[int], object] = field(repr=False)
    shared: bool = False


def jobs(config: Config, parts: Parts) -> Sequence[Job]:
    """What a serving process has to do."""
    return (
        Job("signing keys", 15, parts.keyring.keep_fresh),
        *(Job("upstream keys", 15, known.keys.keep_fresh) for known in parts.verifier.known.values()),
        Job(
            "sweep",
            3600,
            lambda now: sweep(parts.database, now, audit_retention=config.audit_retention),
            shared=True,
        ),
    )


class Background:
    """Does the jobs that are due until it is stopped. What fails is logged, and tried again at its next time.

    `failed` hears the name of each job that did.
    """

    def __init__(
        self,
        database: Database,
        listed: Sequence[Job],
        clock: Clock = system_clock,
        *,
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._jobs = listed
        self._clock = clock
        self._failed = failed
        self._due_at = [clock() + job.every for job in listed]  # the start has just done what is done at the start
        self._done_at = [clock() for _ in listed]
        self._looked_at = clock()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Work on a thread of its own, which ends with the process."""
        threading.Thread(target=self._run, name="background", daemon=True).start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped.set()

    def done_at(self) -> Mapping[str, int]:
        """When each job was last done, maybe by another process that has the lease; of several alike the oldest."""
        found: dict[str, int] = {}
        for job, at in zip(self._jobs, self._done_at, strict=True):
            found[job.name] = min(at, found.get(job.name, at))
        return found

    def problem(self, now: int) -> str | None:
        """That the thread has not looked at its jobs for long, if so: it hangs, or is gone."""
        return "hangs" if now - self._looked_at > _LONG else None

    def run_due(self) -> None:
        """Do what is due now."""
        self._looked_at = self._clock()
        for number, job in enumerate(self._jobs):
            now = self._clock()
            if now < self._due_at[number] and self._due_at[number] - now <= job.every:  # else the clock was set back
                continue
            self._due_at[number] = now + job.every
            try:
                if not job.shared or self._is_ours(job, now):
                    job.run(now)
                self._done_at[number] = now
            except Unavailable as unavailable:
                self._failed(job.name)
                log.warning("job not done", extra={"job": job.name, "cause": str(unavailable)})
            except Exception:
                self._failed(job.name)
                log.exception("bug", extra={"job": job.name})

    def _is_ours(self, job: Job, now: int) -> bool:
        # A little less than the interval: who comes a second early next time is not put off for a whole one.
        with self._database.writing() as tx:
            return leases.take(tx, job.name, now, seconds=job.every - job.every // 10)

    def _run(self) -> None:
        while not self._stopped.wait(_TICK):
            self.run_due()
