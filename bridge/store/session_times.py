"""What an assertion, and the end of a session at Dynamic, say of times."""

from bridge.clock import CLOCKS_DIFFER
from bridge.model import Assertion

REFRESH_TAKES = 2  # seconds at most from the tokens of a new sid to the end of the old one, or the other way round


def sign_in_time(assertion: Assertion) -> int:
    """The earliest moment at which this token alone proves a sign-in: its iat, or the start of the refresh window."""
    if assertion.refresh_expires_at is None:
        return assertion.issued_at
    window_start = assertion.refresh_expires_at - assertion.environment.refresh_window
    return max(1, min(assertion.issued_at, window_start))


def session_end(assertion: Assertion) -> int:
    """Until when the session has to be remembered: nothing of it can be renewed later."""
    renewable_until = assertion.refresh_expires_at or assertion.issued_at + assertion.environment.refresh_window
    return max(assertion.expires_at, renewable_until) + CLOCKS_DIFFER


def outlives(assertion: Assertion) -> int:
    """The latest end of its session that does not concern an assertion: its own refresh may have been the reason.

    0 for the token of the sign-in itself: no refresh gave it its sid, and any end of the session ends it.
    """
    return 0 if assertion.sid == assertion.session_key else assertion.issued_at + REFRESH_TAKES


def certain_end(at: int) -> int:
    """What `end` has to keep of an end at that moment which was no refresh: no token of before opens it again."""
    return at + REFRESH_TAKES + 1
