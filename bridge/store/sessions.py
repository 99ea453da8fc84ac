"""Sessions of browsers: a random cookie, kept as its digest, and what it stands for."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from bridge.history import Cause
from bridge.model import Session, User
from bridge.store.database import Tx
from bridge.store.handles import digest_of
from bridge.store.tables import sessions, users
from bridge.store.users import USER_BESIDE, user_of


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a verified sign-in opens a session with.

    `trusted_until`: the horizon of its assertion; `kept_at`: when it was verified, which is when the session begins, so
    that whatever ended the user's sessions since ends this one too.
    """

    sub: str
    environment_id: str
    session_key: str
    origin: str
    auth_time: int
    amr: tuple[str, ...]
    trusted_until: int
    kept_at: int


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A browser's session as it is remembered, for an operator to look at. `ends_at`: if nobody uses it any more."""

    session_id: str
    sub: str
    opened_at: int
    ends_at: int
    closed_at: int | None
    closed_cause: str | None


_OPEN = insert(sessions)
_FIND = (
    select(sessions, *USER_BESIDE)
    .select_from(sessions.join(users, users.c.sub == sessions.c.sub))
    .where(
        sessions.c.digest == bindparam("wanted"),
        sessions.c.closed_at.is_(None),
        sessions.c.idle_at > bindparam("now"),
        sessions.c.expires_at > bindparam("now"),
    )
)
_RENEW = update(sessions).where(sessions.c.session_id == bindparam("wanted_id"), sessions.c.closed_at.is_(None))
_CLOSE = _RENEW.values(closed_at=bindparam("now"), closed_cause=bindparam("cause"))
_TOUCH = _RENEW.values(idle_at=bindparam("later"))


def find(tx: Tx, cookie: str | None, now: int) -> tuple[Session, User] | None:
    """The open session that a browser's cookie stands for, if it sent one, and its user, disabled or not."""
    if cookie is None or not cookie.isascii():
        return None
    row = tx.execute(_FIND, {"wanted": digest_of(cookie), "now": now}).first()
    if row is None:
        return None
    user = user_of(row, prefix="user_")
    return None if user.was_revoked_since(row.opened_at) else (session_of(row), user)


def open_session(tx: Tx, sign_in: SignIn, *, user_agent: str | None, idle_at: int, expires_at: int) -> str:
    """A new session; the value of the cookie that stands for it."""
    cookie, session_id = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    row = {"session_id": session_id, "opened_at": sign_in.kept_at, "user_agent": user_agent}
    tx.execute(_OPEN, {**row, **_signed_in(sign_in, cookie, idle_at, expires_at)})
    return cookie


def sign_in_again(
    tx: Tx, session: Session, sign_in: SignIn, *, user_agent: str | None, idle_at: int, expires_at: int
) -> str | None:
    """The same user has signed in anew: the session goes on under a new cookie. None if it has been closed."""
    cookie = secrets.token_urlsafe(32)
    renewed = _RENEW.values(user_agent=user_agent, **_signed_in(sign_in, cookie, idle_at, expires_at))
    return cookie if tx.execute(renewed, {"wanted_id": session.session_id}).rowcount == 1 else None


def touch(tx: Tx, session_id: str, *, idle_at: int) -> bool:
    """It is used: let its idle time begin again; False if it has been closed, and until we commit it is not."""
    return tx.execute(_TOUCH, {"wanted_id": session_id, "later": idle_at}).rowcount == 1


def close(tx: Tx, session_id: str, cause: Cause, now: int) -> bool:
    """End a session; False if it had ended already."""
    return tx.execute(_CLOSE, {"wanted_id": session_id, "now": now, "cause": cause.word}).rowcount == 1


def forget_browsers(tx: Tx, sub: str) -> None:
    """Forget what the user's browsers called themselves, those of sessions that are over included."""
    tx.execute(update(sessions).where(sessions.c.sub == sub).values(user_agent=None))


def matching(tx: Tx, wanted: str) -> list[KeptSession]:
    """The sessions with that session_id or sub, oldest first, ended ones included."""
    same = (sessions.c.session_id == wanted) | (sessions.c.sub == wanted)
    found = select(sessions).where(same).order_by(sessions.c.opened_at, sessions.c.session_id)
    return [
        KeptSession(
            row.session_id,
            row.sub,
            row.opened_at,
            min(row.idle_at, row.expires_at),
            row.closed_at,
            row.closed_cause,
        )
        for row in tx.execute(found)
    ]


def _signed_in(sign_in: SignIn, cookie: str, idle_at: int, expires_at: int) -> dict[str, Any]:
    return {
        "digest": digest_of(cookie),
        "sub": sign_in.sub,
        "environment_id": sign_in.environment_id,
        "session_key": sign_in.session_key,
        "origin": sign_in.origin,
        "auth_time": sign_in.auth_time,
        "amr": json.dumps(sign_in.amr),
        "idle_at": idle_at,
        "expires_at": expires_at,
    }


def session_of(row: Row[*tuple[Any, ...]]) -> Session:
    """A row of the table as a value."""
    return Session(
        session_id=row.session_id,
        sub=row.sub,
        environment_id=row.environment_id,
        session_key=row.session_key,
        origin=row.origin,
        auth_time=row.auth_time,
        amr=tuple(json.loads(row.amr)),
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        user_agent=row.user_agent,
    )
