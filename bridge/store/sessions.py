"""Sessions at Dynamic, as far as assertions tell of them: when somebody signed in."""

from sqlalchemy import and_, update

from bridge.model import Assertion
from bridge.store.database import Tx, insert_if_absent
from bridge.store.tables import upstream_sessions

_KEPT_AFTER_EXPIRY = 60  # seconds; clocks differ

_ADD_SESSION = insert_if_absent(
    upstream_sessions, "environment_id", "session_key", "user_id", "auth_time", "expires_at"
)


def sign_in_time(assertion: Assertion) -> int:
    """The earliest moment at which this token alone proves a sign-in: its iat, or the start of the refresh window."""
    if assertion.refresh_expires_at is None:
        return assertion.issued_at
    window_start = assertion.refresh_expires_at - assertion.environment.refresh_window
    return max(1, min(assertion.issued_at, window_start))


def session_end(assertion: Assertion) -> int:
    """Until when the session has to be remembered: nothing of it can be renewed later."""
    return max(assertion.expires_at, assertion.refresh_expires_at or 0) + _KEPT_AFTER_EXPIRY


def remember(tx: Tx, assertion: Assertion, auth_time: int, expires_at: int) -> None:
    """Keep when the session began and until when that matters. What another user has under its key stays theirs."""
    key = {"environment_id": assertion.environment.environment_id, "session_key": assertion.session_key}
    values = {"auth_time": auth_time, "expires_at": expires_at}
    mine = and_(
        upstream_sessions.c.environment_id == key["environment_id"],
        upstream_sessions.c.session_key == key["session_key"],
        upstream_sessions.c.user_id == assertion.user_id,
    )
    if tx.execute(update(upstream_sessions).where(mine).values(**values)).rowcount:
        return
    tx.execute(_ADD_SESSION, {**key, "user_id": assertion.user_id, **values})
