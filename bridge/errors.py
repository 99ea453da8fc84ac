"""What the lower rooms refuse with. The words of OAuth are added above, in oauth/refusals.py, by one table."""

from bridge.reasons import Reason


class Refused(Exception):
    """Somebody asked for what they may not have, or asked badly.

    `reason` is stable and public; `detail` is for the log alone and never holds a secret, a token or a claim's value.
    `retry_after` (seconds) is set where waiting helps. A refusal is an answer: what was written before it in the same
    transaction is committed.
    """

    def __init__(self, reason: Reason, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(f"{reason.code}: {detail}" if detail else reason.code)
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after


class Unavailable(Exception):
    """Something we depend on does not answer: nobody is refused, everybody may try again in `retry_after` seconds."""

    def __init__(self, reason: Reason, detail: str = "", retry_after: int = 5) -> None:
        super().__init__(f"{reason.code}: {detail}" if detail else reason.code)
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after


class FetchFailed(Exception):
    """A call to another server brought no usable answer. The text names the kind of failure; no URL, no body."""
