"""What a request counts for in the metrics."""

from bridge.errors import Unavailable
from bridge.metrics.instruments import Metrics
from bridge.oauth.notes import Notes
from bridge.web.watch import Count


def counting(metrics: Metrics) -> Count:
    """What counts each request in these metrics."""

    def count(notes: Notes, status: int, seconds: float) -> None:
        metrics.answered(notes.endpoint, status, seconds)
        if notes.why is not None:
            metrics.refused(notes.why.reason.code)
        if notes.endpoint == "token" and notes.method == "POST":
            metrics.redeemed(notes.grant_type, _outcome(notes, status))

    return count


def _outcome(notes: Notes, status: int) -> str:
    if notes.why is None:
        if status >= 500:
            return "unavailable" if status == 503 else "failed"
        return "issued" if status == 200 else "refused"  # no stranger can raise the alert on what fails
    return "unavailable" if isinstance(notes.why, Unavailable) else "refused"
