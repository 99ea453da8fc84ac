"""What the lower rooms refuse with. The words of OAuth are added above, in oauth/refusals.py, by one table."""

from bridge.reasons import Explained


class NotServed(Exception):
    """The answer is no, or not now.

    `reason` is stable and public; `detail` is for the log alone and never holds a secret, a token or a claim's value.
    `retry_after` (seconds) is set where waiting helps.
    """

    def __init__(self, reason: Explained, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(f"{reason.code}: {detail}" if detail else reason.code)
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after


class Refused(NotServed):
    """Somebody asked for what they may not have, or asked badly.

    A refusal is an answer: what was written before it in the same transaction is committed.
    """


class Unavailable(NotServed):
    """Something we depend on does not answer: nobody is refused, everybody may try again."""

    def __init__(self, reason: Explained, detail: str = "", retry_after: int = 5) -> None:
        super().__init__(reason, detail, retry_after)


class FetchFailed(Exception):
    """A call to another server brought no usable answer. The text names the kind of failure; no URL, no body."""


class NotCalled(FetchFailed):
    """Nothing went out: too many calls are under way, or we are shutting down."""


class NoAnswer(FetchFailed):
    """The other server did not answer at all, or not in time: whoever asks next would wait as long."""


class AnsweredOtherwise(FetchFailed):
    """The other server answered, but with a status that is none of those that were asked for.

    `retry_after`: the seconds that it wants to be left alone, if it says so.
    """

    def __init__(self, status: int, retry_after: int | None = None) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.retry_after = retry_after


class SchemaMismatch(Exception):
    """The database's schema is not the one this program was written for."""


class SchemaOld(SchemaMismatch):
    """It is missing, or from an older version: `oidc-bridge db upgrade` mends it."""


class SchemaNewer(SchemaMismatch):
    """It is from a newer version, which has to be run instead."""


class SealBroken(Exception):
    """A sealed value does not open with any of the configured secret keys."""
