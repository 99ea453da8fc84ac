"""Sessions at Dynamic, as far as assertions and webhooks tell of them: when somebody signed in, and when it ended.

A session's key is the sid of its sign-in; a refresh may give it another sid. Dynamic may revoke a sid that a refresh
has replaced although the session goes on: only the newest one that we know ends it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, or_, select, text, tuple_, update

from bridge.model import Assertion, Session
from bridge.store.database import Tx
from bridge.store.session_times import outlives
from bridge.store.tables import grants, upstream_sessions, upstream_sids
from bridge.store.transaction import fixed


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A user's session that has not ended, as far as we know. `newest_sid`: what Dynamic knows it by."""

    session_key: str
    newest_sid: str
    auth_time: int

    @property
    def sids(self) -> set[str]:
        """That of the sign-in, and the newest."""
        return {self.session_key, self.newest_sid}


# One statement, so that of any number at once the earliest beginning and the latest end remain. What Dynamic issued
# after it had ended an earlier sid of the session opens it again. '' is the user of what ended before anybody came.
_REMEMBER = fixed(
    text(
        """
    INSERT INTO upstream_sessions AS kept
        (environment_id, session_key, user_id, auth_time, expires_at, first_seen_at)
    VALUES (:environment_id, :session_key, :user_id, :auth_time, :expires_at, :now)
    ON CONFLICT (environment_id, session_key) DO UPDATE SET
        auth_time = CASE WHEN excluded.auth_time < kept.auth_time THEN excluded.auth_time ELSE kept.auth_time END,
        expires_at = CASE WHEN excluded.expires_at > kept.expires_at THEN excluded.expires_at ELSE kept.expires_at END,
        ended_at = CASE WHEN kept.ended_at <= :reopens THEN NULL ELSE kept.ended_at END,
        user_id = excluded.user_id
    WHERE kept.user_id IN (excluded.user_id, '')
    RETURNING auth_time
    """
    ),
    forgettable=True,
)
_REMEMBER_SID = fixed(
    text(
        """
    INSERT INTO upstream_sids AS kept (environment_id, sid, session_key, issued_at, expires_at)
    VALUES (:environment_id, :sid, :session_key, :issued_at, :expires_at)
    ON CONFLICT (environment_id, sid) DO UPDATE SET
        session_key = excluded.session_key,
        issued_at = CASE WHEN excluded.issued_at > kept.issued_at THEN excluded.issued_at ELSE kept.issued_at END,
        expires_at = CASE WHEN excluded.expires_at > kept.expires_at THEN excluded.expires_at ELSE kept.expires_at END
    """
    ),
    forgettable=True,
)
_END = text(
    """
    INSERT INTO upstream_sessions AS kept
        (environment_id, session_key, user_id, auth_time, expires_at, ended_at)
    VALUES (:environment_id, :session_key, :user_id, :ended_at, :expires_at, :ended_at)
    ON CONFLICT (environment_id, session_key) DO UPDATE SET
        ended_at = CASE WHEN kept.ended_at > excluded.ended_at THEN kept.ended_at ELSE excluded.ended_at END,
        user_id = CASE WHEN kept.user_id = '' THEN excluded.user_id ELSE kept.user_id END
    """
)
_END_SID = text(
    """
    INSERT INTO upstream_sids AS kept (environment_id, sid, session_key, issued_at, ended_at, expires_at)
    VALUES (:environment_id, :sid, :session_key, 0, :ended_at, :expires_at)
    ON CONFLICT (environment_id, sid) DO UPDATE SET ended_at = COALESCE(kept.ended_at, excluded.ended_at)
    """
)
_SIDS_OF = (
    select(upstream_sids.c.sid, upstream_sids.c.issued_at, upstream_sids.c.ended_at)
    .where(upstream_sids.c.environment_id == bindparam("environment"), upstream_sids.c.session_key == bindparam("key"))
    .order_by(upstream_sids.c.ended_at.is_not(None), upstream_sids.c.issued_at.desc(), upstream_sids.c.sid)
)
_KEY_OF = select(upstream_sids.c.session_key).where(
    upstream_sids.c.environment_id == bindparam("environment"), upstream_sids.c.sid == bindparam("sid")
)
_USER_OF = select(upstream_sessions.c.user_id).where(
    upstream_sessions.c.environment_id == bindparam("environment"),
    upstream_sessions.c.session_key == bindparam("key"),
)
_ENDED_OF_USER = select(upstream_sessions.c.session_key).where(
    upstream_sessions.c.environment_id == bindparam("environment"),
    upstream_sessions.c.user_id == bindparam("user"),
    upstream_sessions.c.ended_at.is_not(None),
)
_OPEN_OF_USER = (
    select(
        upstream_sessions.c.session_key, upstream_sessions.c.auth_time, upstream_sids.c.sid, upstream_sids.c.issued_at
    )
    .select_from(
        upstream_sessions.outerjoin(
            upstream_sids,
            and_(
                upstream_sids.c.environment_id == upstream_sessions.c.environment_id,
                upstream_sids.c.session_key == upstream_sessions.c.session_key,
            ),
        )
    )
    .where(
        upstream_sessions.c.environment_id == bindparam("environment"),
        upstream_sessions.c.user_id == bindparam("user"),
        upstream_sessions.c.ended_at.is_(None),
    )
    .order_by(
        upstream_sessions.c.auth_time.desc(),
        upstream_sessions.c.session_key,
        upstream_sids.c.ended_at.is_not(None),
        upstream_sids.c.issued_at.desc(),
        upstream_sids.c.sid,
    )
)
_ITS_OWN = (
    update(upstream_sids)
    .where(upstream_sids.c.environment_id == bindparam("environment"), upstream_sids.c.sid == bindparam("wanted"))
    .values(session_key=bindparam("wanted"), issued_at=0)
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
_OVER = select(upstream_sessions.c.signed_out_at, upstream_sessions.c.ended_at).where(
    upstream_sessions.c.environment_id == bindparam("environment"),
    upstream_sessions.c.session_key == bindparam("key"),
)


def remember(tx: Tx, assertion: Assertion, auth_time: int, expires_at: int, now: int) -> int:
    """Keep when the session began and until when that matters; the earliest beginning that anybody told.

    What another user has under its key stays theirs, and proves nothing here.
    """
    row = {
        "environment_id": assertion.environment.environment_id,
        "session_key": assertion.session_key,
        "user_id": assertion.user_id,
        "auth_time": auth_time,
        "reopens": outlives(assertion),
        "expires_at": expires_at,
        "now": now,
    }
    kept = tx.execute(_REMEMBER, row).scalar()
    return auth_time if kept is None else int(kept)


def remember_sid(tx: Tx, assertion: Assertion, expires_at: int) -> None:
    """Keep that a refresh gave the session this sid."""
    succeed(
        tx,
        assertion.environment.environment_id,
        assertion.sid,
        assertion.session_key,
        assertion.issued_at,
        kept_until=expires_at,
    )


def succeed(tx: Tx, environment_id: str, sid: str, session_key: str, issued_at: int, *, kept_until: int) -> None:
    """Dynamic has given a session this sid, at that moment."""
    row = {
        "environment_id": environment_id,
        "sid": sid,
        "session_key": session_key,
        "issued_at": issued_at,
        "expires_at": kept_until,
    }
    tx.execute(_REMEMBER_SID, row)


def is_its_own(tx: Tx, environment_id: str, sid: str) -> None:
    """A token says that this sid is of a sign-in. The session that we took it for one of is not ended by this."""
    tx.execute(_ITS_OWN, {"environment": environment_id, "wanted": sid})


def key_of(tx: Tx, environment_id: str, sid: str) -> str:
    """The key of the session that a sid belongs to, as far as we know: its own, if no refresh told otherwise."""
    return str(tx.execute(_KEY_OF, {"environment": environment_id, "sid": sid}).scalar() or sid)


def user_of(tx: Tx, environment_id: str, session_key: str) -> str | None:
    """Dynamic's id of the user whose session it is, if it is known here."""
    return tx.execute(_USER_OF, {"environment": environment_id, "key": session_key}).scalar() or None


def newest_sid(tx: Tx, environment_id: str, session_key: str) -> str:
    """The sid that Dynamic knows the session by now, as far as assertions have told us."""
    sids = tx.execute(_SIDS_OF, {"environment": environment_id, "key": session_key})
    return next((str(row.sid) for row in sids if row.issued_at), session_key)


def sids_of(tx: Tx, environment_id: str, session_keys: Iterable[str]) -> set[str]:
    """The sids that these sessions go by: that of the sign-in, and the newest one that we know."""
    return {sid for key in session_keys for sid in (key, newest_sid(tx, environment_id, key))}


def end_sid(tx: Tx, environment_id: str, sid: str, session_key: str, ended_at: int, *, kept_until: int) -> None:
    """Dynamic has revoked a sid: no token that carries it counts any more. The session itself may go on."""
    row = {
        "environment_id": environment_id,
        "sid": sid,
        "session_key": session_key,
        "ended_at": ended_at,
        "expires_at": kept_until,
    }
    tx.execute(_END_SID, row)


def end(tx: Tx, environment_id: str, session_key: str, user_id: str, ended_at: int, *, kept_until: int) -> None:
    """Dynamic has ended a session, known here or not: what it had issued until then counts no more."""
    row = {
        "environment_id": environment_id,
        "session_key": session_key,
        "user_id": user_id,
        "ended_at": ended_at,
        "expires_at": kept_until,
    }
    tx.execute(_END, row)


def ended_of_user(tx: Tx, environment_id: str, user_id: str) -> list[str]:
    """The keys of the user's sessions that Dynamic has ended."""
    return [row.session_key for row in tx.execute(_ENDED_OF_USER, {"environment": environment_id, "user": user_id})]


def open_of_user(tx: Tx, environment_id: str, user_id: str) -> Sequence[OpenSession]:
    """The user's sessions that have not ended, as far as we know; the newest first. One query, whatever the number."""
    found: dict[str, OpenSession] = {}
    for row in tx.execute(_OPEN_OF_USER, {"environment": environment_id, "user": user_id}):
        if row.session_key not in found:
            found[row.session_key] = OpenSession(row.session_key, row.session_key, row.auth_time)
        if row.issued_at and found[row.session_key].newest_sid == row.session_key:
            found[row.session_key] = OpenSession(row.session_key, row.sid, row.auth_time)
    return list(found.values())


def sign_out(tx: Tx, session: Session, now: int) -> None:
    """The user has ended a browser's session: what it rests on, or did for a grant of it, opens no other silently."""
    ended = {"environment": session.environment_id, "key": session.session_key, "browser_session": session.session_id}
    tx.execute(_SIGN_OUT, {**ended, "now": now})


def is_over(tx: Tx, environment_id: str, session_key: str) -> bool:
    """Whether Dynamic has ended this session, or the user has ended one here that rested on it."""
    found = tx.execute(_OVER, {"environment": environment_id, "key": session_key}).first()
    return found is not None and (found.signed_out_at is not None or found.ended_at is not None)
