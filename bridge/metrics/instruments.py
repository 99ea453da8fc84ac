"""What requests and jobs move, counters above all. Each takes one to two microseconds: labels are looked up once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 3.0)
"""Where the buckets of durations end: those that docs/performance.md promises are among them."""

OUTCOMES = ("issued", "refused", "unavailable", "failed")
"""Of token requests."""

OTHER = "other"  # a grant type that is none of ours
PREFIX = "oidc_bridge_"


Values = dict[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge as it is read at a moment: its name, and its values by those of its labels.

    `of_all`: what it is where several processes read their own: the least or the sum of what those say that live.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    values: Values = field(default_factory=dict)
    of_all: Literal["livemin", "livesum"] = "livemin"


class Metrics:
    """The metrics of this process. If several processes serve, a folder that all know has each one's part."""

    def __init__(self, *, grant_types: Iterable[str], events: Iterable[str], reasons: Iterable[str]) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry(auto_describe=False)
        self._requests = self._counter("requests_total", "Requests answered.", "endpoint", "status")
        self._seconds = Histogram(
            f"{PREFIX}request_seconds",
            "Seconds from when a request was there to its answer.",
            ["endpoint"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._errors = self._counter("internal_errors_total", "Answers with status 500.")
        self._job_failures = self._counter("job_failures_total", "Background jobs that failed.", "task")
        tokens = self._counter("token_requests_total", "Answers of the token endpoint.", "grant_type", "outcome")
        refusals = self._counter("refusals_total", "Answers that said no, or not now.", "reason")
        heard = self._counter("events_total", "Entries of the audit log, once they are committed.", "event")
        # What may be counted once a year is a series from the start: else the first time would be no increase.
        self._redeemed = {(g, o): tokens.labels(g, o) for g in (*grant_types, OTHER) for o in OUTCOMES}
        self._heard = {event: heard.labels(event) for event in events}
        self._answered: dict[tuple[str, int], Counter] = {}
        self._took: dict[str, Histogram] = {}
        self._refused = {reason: refusals.labels(reason) for reason in reasons}
        self._gauges: dict[str, Gauge] = {}

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """A request was answered. `endpoint`: the name of a route of ours."""
        counter = self._answered.get((endpoint, status))
        if counter is None:
            counter = self._answered[endpoint, status] = self._requests.labels(endpoint, status)
        counter.inc()
        took = self._took.get(endpoint)
        if took is None:
            took = self._took[endpoint] = self._seconds.labels(endpoint)
        took.observe(seconds)
        if status == 500:
            self._errors.inc()

    def refused(self, reason: str) -> None:
        """An answer said no, or not now. `reason`: its code."""
        self._refused[reason].inc()

    def redeemed(self, grant_type: str | None, outcome: str) -> None:
        """The token endpoint answered. `grant_type`: a short name, None for one that is none of ours."""
        self._redeemed[grant_type or OTHER, outcome].inc()

    def heard(self, event: str) -> None:
        """An entry of the audit log was committed."""
        self._heard[event].inc()

    def expect_job(self, job: str) -> None:
        """A job of that name will be done."""
        self._job_failures.labels(job)

    def job_failed(self, job: str) -> None:
        """It failed."""
        self._job_failures.labels(job).inc()

    def keep(self, readings: Iterable[Reading]) -> None:
        """Let every process tell what this one reads of itself."""
        for reading in readings:
            gauge = self._gauges.get(reading.name)
            for labels, value in reading.values.items():
                if gauge is None:  # not before there is a value: until then it would tell 0
                    gauge = self._gauges[reading.name] = self._gauge(reading)
                (gauge.labels(*labels) if labels else gauge).set(value)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}{name}", text, labels, registry=self.registry)

    def _gauge(self, reading: Reading) -> Gauge:
        return Gauge(
            f"{PREFIX}{reading.name}",
            reading.help,
            reading.labels,
            registry=self.registry,
            multiprocess_mode=reading.of_all,
        )
