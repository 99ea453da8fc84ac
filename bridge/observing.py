"""What lets others see how this server is: the watch over requests, /readyz, /metrics. Built once, like the parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

from bridge.background import Background, Job, jobs
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.errors import SchemaNewer, SchemaOld, Unavailable
from bridge.gauges import EVERY, Gauges
from bridge.history import AuditEntry, Event
from bridge.jwks import OLD
from bridge.metrics.exposition import CONTENT_TYPE
from bridge.metrics.folder import merge_the_dead
from bridge.metrics.instruments import Metrics
from bridge.model import GRANT_TYPES
from bridge.parts import Parts
from bridge.signin_reasons import REASONS
from bridge.web.counts import counting
from bridge.web.endpoints import Route
from bridge.web.ops import Check, Readiness, Scrape, ops_routes
from bridge.web.watch import Watch


@dataclass(frozen=True, slots=True)
class Observing:
    """Who looks at this process. `metrics` and `gauges` are None where nobody asks for them."""

    watch: Watch
    readiness: Readiness
    routes: Sequence[Route]
    metrics: Metrics | None
    gauges: Gauges | None


def metrics_of(config: Config) -> Metrics | None:
    """The metrics of this process, if there is a token by which somebody may ask for them."""
    if config.metrics_token is None:
        return None
    return Metrics(grant_types=GRANT_TYPES, events=[event.word for event in Event], reasons=REASONS)


def hearing(metrics: Metrics | None) -> Callable[[Sequence[AuditEntry]], None] | None:
    """What counts the entries of the audit log."""
    if metrics is None:
        return None

    def heard(entries: Sequence[AuditEntry]) -> None:
        for entry in entries:
            metrics.heard(entry.event.word)

    return heard


def observing(config: Config, parts: Parts, metrics: Metrics | None, now: int) -> Observing:
    """Everybody who looks at this process, which begins to serve at that moment."""
    readiness = Readiness(
        Check("database", _OncePerSecond(lambda: _database_problem(parts))),
        Check("signing keys", lambda moment: _signing_problem(parts, moment)),
        # Dynamic is no part of us: without it sign-ins wait, and refreshes, codes and userinfo go on. To send requests
        # elsewhere mends nothing, and a new process would have no keys of Dynamic's at all.
        Check("upstream keys", lambda _: _upstream_problem(parts), needed=False),
    )
    watch = Watch(None if metrics is None else counting(metrics), behind_proxy=config.proxies > 0)
    if metrics is None:
        return Observing(watch, readiness, ops_routes(readiness, None), None, None)
    gauges = Gauges(metrics, parts, now)
    scrape = Scrape(sha256(str(config.metrics_token).encode()).digest(), gauges.exposition, CONTENT_TYPE)
    return Observing(watch, readiness, ops_routes(readiness, scrape), metrics, gauges)


def _database_problem(parts: Parts) -> str | None:
    """Whether the database answers, and has the schema that is wanted, in fixed words; None if all is well."""
    try:
        parts.database.check_schema()
    except Unavailable:
        return "does not answer"
    except SchemaOld:
        return "schema is old"
    except SchemaNewer:
        return None  # a rolling upgrade is under way, and what runs is to run on (docs/operating.md)
    return None


class _OncePerSecond:
    """A question that anybody may ask as often as they like: in each second it is put once, by one of them.

    The others are told the last answer, also while that one waits: a database that hangs holds up one thread.
    """

    def __init__(self, ask: Callable[[], str | None]) -> None:
        self._ask = ask
        self._told: str | None = None  # the parts were assembled: all was well then
        self._asked_at = -1
        self._asking = Lock()

    def __call__(self, now: int) -> str | None:
        if now != self._asked_at and self._asking.acquire(blocking=False):
            try:
                self._told, self._asked_at = self._ask(), now
            finally:
                self._asking.release()
        return self._told


def _signing_problem(parts: Parts, now: int) -> str | None:
    try:
        for alg in parts.keyring.algorithms:
            parts.keyring.active(alg, now)
    except Unavailable:
        return "not read lately"
    return None


def _upstream_problem(parts: Parts) -> str | None:
    ages = [known.keys.age() for known in parts.verifier.known.values()]
    if any(age is not None and age >= OLD for age in ages):
        return "old"
    return "not fetched yet" if None in ages else None


def background_of(config: Config, parts: Parts, observed: Observing) -> Background:
    """What a worker of our own server does beside answering, and who is told of it. It is not started yet."""
    listed = list(jobs(config, parts))
    metrics, gauges = observed.metrics, observed.gauges
    if metrics is None or gauges is None:
        background = Background(parts.database, listed)
    else:
        listed.append(Job("gauges", EVERY, gauges.keep))
        for job in listed:
            metrics.expect_job(job.name)
        background = Background(parts.database, listed, failed=metrics.job_failed)
        merge_the_dead()
        gauges.share(background.done_at)
        gauges.keep(system_clock())
    observed.readiness.add(Check("background", background.problem, needed=False))
    return background
