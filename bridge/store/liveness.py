"""When Dynamic last said that a session goes on, which every instance reads and writes."""

from dataclasses import dataclass

from sqlalchemy import bindparam, or_, select, update

from bridge.model import Session
from bridge.store.database import Tx
from bridge.store.handles import digest_of, is_refresh_token
from bridge.store.tables import grants, refresh_tokens, upstream_sessions
from bridge.store.upstream import newest_sid


@dataclass(frozen=True, slots=True)
class Upstream:
    """A session at Dynamic that something here rests on. `sid`: what Dynamic knows it by, as far as we know."""

    environment_id: str
    session_key: str
    user_id: str
    sid: str
    alive_at: int | None


_KNOWN = select(upstream_sessions.c.user_id, upstream_sessions.c.alive_at).where(
    upstream_sessions.c.environment_id == bindparam("environment"),
    upstream_sessions.c.session_key == bindparam("key"),
    upstream_sessions.c.ended_at.is_(None),
)
_BEHIND_TOKEN = (
    select(grants.c.environment_id, grants.c.session_key)
    .select_from(refresh_tokens.join(grants, grants.c.grant_id == refresh_tokens.c.grant_id))
    .where(
        refresh_tokens.c.digest == bindparam("wanted"),
        grants.c.client_id == bindparam("client"),
        grants.c.closed_at.is_(None),
    )
)
_ALIVE = (
    update(upstream_sessions)
    .where(
        upstream_sessions.c.environment_id == bindparam("environment"),
        upstream_sessions.c.session_key == bindparam("key"),
        or_(upstream_sessions.c.alive_at.is_(None), upstream_sessions.c.alive_at < bindparam("now")),
    )
    .values(alive_at=bindparam("now"))
)


def behind_refresh_token(tx: Tx, token: str, client_id: str) -> Upstream | None:
    """What an open grant of the client's refresh token rests on; None if there is no such grant, or it has ended."""
    if not is_refresh_token(token):
        return None
    row = tx.execute(_BEHIND_TOKEN, {"wanted": digest_of(token), "client": client_id}).first()
    return None if row is None else _known(tx, row.environment_id, row.session_key)


def behind_session(tx: Tx, session: Session) -> Upstream | None:
    """What a browser's session rests on; None if that has ended."""
    return _known(tx, session.environment_id, session.session_key)


def is_alive(tx: Tx, session: Upstream, now: int) -> None:
    """Dynamic says that the session goes on."""
    tx.execute(_ALIVE, {"environment": session.environment_id, "key": session.session_key, "now": now})


def _known(tx: Tx, environment_id: str, session_key: str) -> Upstream | None:
    row = tx.execute(_KNOWN, {"environment": environment_id, "key": session_key}).first()
    if row is None or not row.user_id:
        return None
    sid = newest_sid(tx, environment_id, session_key)
    return Upstream(environment_id, session_key, row.user_id, sid, row.alive_at)
