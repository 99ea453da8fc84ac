"""Sessions at Dynamic, as far as assertions tell of them: when somebody signed in."""

from sqlalchemy import and_, bindparam, or_, select, text, tuple_, update

from bridge.model import Assertion, Session
from bridge.store.database import Tx
from bridge.store.tables import grants, upstream_sessions

_KEPT_AFTER_EXPIRY = 60  # seconds; clocks differ

# One statement, so that of any number at once the earliest beginning and the latest end remain.
_REMEMBER = text(
    """
    INSERT INTO upstream_sessions AS kept
        (environment_id, session_key, user_id, auth_time, expires_at, first_seen_at)
    VALUES (:environment_id, :session_key, :user_id, :auth_time, :expires_at, :now)
    ON CONFLICT (environment_id, session_key) DO UPDATE SET
        auth_time = CASE WHEN excluded.auth_time < kept.auth_time THEN excluded.auth_time ELSE kept.auth_time END,
        expires_at = CASE WHEN excluded.expires_at > kept.expires_at THEN excluded.expires_at ELSE kept.expires_at END
    WHERE kept.user_id = excluded.user_id
    RETURNING auth_time
    """
)
_SIGN_OUT = (
    update(upstream_sessions)
    .where(
        or_(
            and_(
                upstream_sessions.c.environment_id == bindparam("environment"),
                upstream_sessions.c.session_key == bindparam("key"),
            ),
            tuple_(upstream_sessions.c.environment_id, upstream_sessions.c.session_key).in_(
                select(grants.c.environment_id, grants.c.session_key).where(
                    grants.c.session_id == bindparam("browser_session")
                )
            ),
        )
    )
    .values(signed_out_at=bindparam("now"))
)
_SIGNED_OUT = select(upstream_sessions.c.signed_out_at).where(
    upstream_sessions.c.environment_id == bindparam("environment"),
    upstream_sessions.c.session_key == bindparam("key"),
)


def sign_in_time(assertion: Assertion) -> int:
    """The earliest moment at which this token alone proves a sign-in: its iat, or the start of the refresh window."""
    if assertion.refresh_expires_at is None:
        return assertion.issued_at
    window_start = assertion.refresh_expires_at - assertion.environment.refresh_window
    return max(1, min(assertion.issued_at, window_start))


def session_end(assertion: Assertion) -> int:
    """Until when the session has to be remembered: nothing of it can be renewed later."""
    renewable_until = assertion.refresh_expires_at or assertion.issued_at + assertion.environment.refresh_window
    return max(assertion.expires_at, renewable_until) + _KEPT_AFTER_EXPIRY


def remember(tx: Tx, assertion: Assertion, auth_time: int, expires_at: int, now: int) -> int:
    """Keep when the session began and until when that matters; the earliest beginning that anybody told.

    What another user has under its key stays theirs, and proves nothing here.
    """
    row = {
        "environment_id": assertion.environment.environment_id,
        "session_key": assertion.session_key,
        "user_id": assertion.user_id,
        "auth_time": auth_time,
        "expires_at": expires_at,
        "now": now,
    }
    kept = tx.execute(_REMEMBER, row).scalar()
    return auth_time if kept is None else int(kept)


def sign_out(tx: Tx, session: Session, now: int) -> None:
    """The user has ended a browser's session: what it rests on, or did for a grant of it, opens no other silently."""
    ended = {"environment": session.environment_id, "key": session.session_key, "browser_session": session.session_id}
    tx.execute(_SIGN_OUT, {**ended, "now": now})


def is_signed_out(tx: Tx, environment_id: str, session_key: str) -> bool:
    """Whether the user has ended a session here that rested on this one."""
    found = tx.execute(_SIGNED_OUT, {"environment": environment_id, "key": session_key}).first()
    return found is not None and found.signed_out_at is not None
