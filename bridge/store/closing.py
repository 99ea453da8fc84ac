"""Ending many grants and sessions at once: a batch is one statement, whatever it is that they have in common."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select, update

from bridge.history import Cause
from bridge.store.database import Tx
from bridge.store.grants import KeptGrant, kept_grant
from bridge.store.tables import grants, sessions


@dataclass(frozen=True, slots=True)
class OfUser:
    """Whatever a user has, at one client alone if that is named, opened up to a moment if that is."""

    sub: str
    client_id: str | None = None
    up_to: int | None = None

    def grants(self) -> ColumnElement[bool]:
        """The condition on grants."""
        mine = grants.c.sub == self.sub
        if self.client_id is not None:
            mine &= grants.c.client_id == self.client_id
        return mine if self.up_to is None else mine & (grants.c.opened_at <= self.up_to)

    def sessions(self) -> ColumnElement[bool]:
        """The condition on browsers' sessions."""
        mine = sessions.c.sub == self.sub
        return mine if self.up_to is None else mine & (sessions.c.opened_at <= self.up_to)


@dataclass(frozen=True, slots=True)
class OfUpstream:
    """Whatever rests on a session at Dynamic."""

    environment_id: str
    session_key: str

    def grants(self) -> ColumnElement[bool]:
        """The condition on grants."""
        return and_(grants.c.environment_id == self.environment_id, grants.c.session_key == self.session_key)

    def sessions(self) -> ColumnElement[bool]:
        """The condition on browsers' sessions."""
        return and_(sessions.c.environment_id == self.environment_id, sessions.c.session_key == self.session_key)


@dataclass(frozen=True, slots=True)
class OfSessions:
    """Whatever came of some browsers' sessions."""

    session_ids: tuple[str, ...]

    def grants(self) -> ColumnElement[bool]:
        """The condition on grants."""
        return grants.c.session_id.in_(self.session_ids)


@dataclass(frozen=True, slots=True)
class OfSid:
    """Whatever one client knows as one session."""

    sid: str

    def grants(self) -> ColumnElement[bool]:
        """The condition on grants."""
        return grants.c.sid == self.sid


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


def count_grants(tx: Tx, of: OfUser, now: int) -> int:
    """How many grants of these are open."""
    return int(tx.execute(select(func.count()).select_from(grants).where(_open(of.grants(), now))).scalar_one())


def close_grants(
    tx: Tx, of: OfUser | OfUpstream | OfSessions | OfSid, cause: Cause, now: int, *, limit: int, sparing: bool = False
) -> list[KeptGrant]:
    """End at most `limit` of the open grants; `sparing` those that live on when their user signs out."""
    wanted = _open(of.grants(), now)
    if sparing:
        wanted = and_(wanted, func.coalesce(grants.c.survives_sign_out, False).is_(False))
    some = select(grants.c.grant_id).where(wanted).order_by(grants.c.grant_id).limit(limit)
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


def take_owed(tx: Tx, of: OfUser | OfUpstream | OfSessions | OfSid, *, limit: int) -> tuple[list[Owed], int]:
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


def _take(tx: Tx, these: ColumnElement[bool]) -> list[Owed]:
    taken = update(grants).where(these).values(logout_owed=False)
    returned = tx.execute(taken.returning(grants.c.client_id, grants.c.sub, grants.c.sid))
    return [Owed(row.client_id, row.sub, row.sid) for row in returned]


def _open(these: ColumnElement[bool], now: int) -> ColumnElement[bool]:
    return and_(these, grants.c.closed_at.is_(None), grants.c.expires_at > now)
