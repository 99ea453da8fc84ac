"""Ending many grants and sessions at once: a batch is one statement, whatever it is that they have in common."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, func, select, update

from bridge.history import Cause
from bridge.store.database import Tx
from bridge.store.extents import Extent, OfSession, OfUpstream, OfUser
from bridge.store.grants import KeptGrant, kept_grant
from bridge.store.tables import grants, sessions


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A browser's session that has just been closed."""

    session_id: str
    sub: str


@dataclass(frozen=True, slots=True)
class Owed:
    """A client that has to be told that its user's session has ended."""

    client_id: str
    sub: str
    sid: str


def count_grants(tx: Tx, of: Extent, now: int) -> int:
    """How many grants of these are open."""
    return int(tx.execute(select(func.count()).select_from(grants).where(_open(of.grants(), now))).scalar_one())


def close_grants(tx: Tx, of: Extent, cause: Cause, now: int, *, limit: int) -> list[KeptGrant]:
    """End at most `limit` of the open grants."""
    some = select(grants.c.grant_id).where(_open(of.grants(), now)).order_by(grants.c.grant_id).limit(limit)
    closed = (
        update(grants)
        .where(grants.c.grant_id.in_(some), grants.c.closed_at.is_(None))
        .values(closed_at=now, closed_cause=cause.word)
        .returning(*grants.c)
    )
    return [kept_grant(row) for row in tx.execute(closed)]


def close_sessions(tx: Tx, of: OfUser | OfUpstream, cause: Cause, now: int, *, limit: int) -> list[EndedSession]:
    """End at most `limit` of the open sessions of browsers."""
    wanted = and_(of.sessions(), sessions.c.closed_at.is_(None))
    some = select(sessions.c.session_id).where(wanted).order_by(sessions.c.session_id).limit(limit)
    closed = (
        update(sessions)
        .where(sessions.c.session_id.in_(some), sessions.c.closed_at.is_(None))
        .values(closed_at=now, closed_cause=cause.word)
        .returning(sessions.c.session_id, sessions.c.sub)
    )
    return [EndedSession(row.session_id, row.sub) for row in tx.execute(closed)]


def take_owed(tx: Tx, of: Extent, *, limit: int) -> tuple[list[Owed], int]:
    """Whom to tell of the end of these grants, for at most `limit` of them; with how many that were.

    Each client is told of a sid once. From now on they are owed nothing: who takes must tell. Closed grants count too:
    their client's own session goes on.
    """
    owed = and_(of.grants(), grants.c.logout_owed.is_(True))
    # By the primary key: for a join on client and sid PostgreSQL has a plan that takes a second for 10,000 grants.
    some = select(grants.c.grant_id).where(owed).order_by(grants.c.client_id, grants.c.sid).limit(limit)
    taken = _take(tx, and_(owed, grants.c.grant_id.in_(some)))
    found = sorted(set(taken), key=lambda one: (one.client_id, one.sid))
    if len(taken) == limit:  # the last one may have more grants than there was room for
        last = found[-1]
        _take(tx, and_(owed, grants.c.client_id == last.client_id, grants.c.sid == last.sid))
    return found, len(taken)


def owed_by_survivors(tx: Tx, session_id: str) -> list[Owed]:
    """Whom to tell that a browser's session is over though all that they had of it lives on.

    They stay owed: the end of what lives on is still to come.
    """
    mine = and_(grants.c.session_id == session_id, grants.c.logout_owed.is_(True))
    ends_now = case((OfSession(session_id, spares=True).grants(), 1), else_=0)
    found = select(grants.c.client_id, grants.c.sub, grants.c.sid).where(mine)
    alone = found.group_by(grants.c.client_id, grants.c.sub, grants.c.sid).having(func.max(ends_now) == 0)
    return [Owed(row.client_id, row.sub, row.sid) for row in tx.execute(alone)]


def _take(tx: Tx, these: ColumnElement[bool]) -> list[Owed]:
    taken = update(grants).where(these).values(logout_owed=False)
    returned = tx.execute(taken.returning(grants.c.client_id, grants.c.sub, grants.c.sid))
    return [Owed(row.client_id, row.sub, row.sid) for row in returned]


def _open(these: ColumnElement[bool], now: int) -> ColumnElement[bool]:
    return and_(these, grants.c.closed_at.is_(None), grants.c.expires_at > now)
