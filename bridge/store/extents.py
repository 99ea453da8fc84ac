"""What an ending takes along: the condition on grants and on browsers' sessions, and how a message names it."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, false, func, select

from bridge.history import Cause
from bridge.model import Json
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
        """The condition on browsers' sessions: none is a single client's."""
        if self.client_id is not None:
            return false()
        mine = sessions.c.sub == self.sub
        return mine if self.up_to is None else mine & (sessions.c.opened_at <= self.up_to)

    def facts(self) -> Json:
        """What names it in a message."""
        return {"sub": self.sub, **({} if self.client_id is None else {"client_id": self.client_id})}


@dataclass(frozen=True, slots=True)
class OfUpstream:
    """Whatever rests on a session at Dynamic, opened up to a moment if that is named."""

    environment_id: str
    session_key: str
    up_to: int | None = None

    def grants(self) -> ColumnElement[bool]:
        """The condition on grants."""
        mine = and_(grants.c.environment_id == self.environment_id, grants.c.session_key == self.session_key)
        return mine if self.up_to is None else mine & (grants.c.opened_at <= self.up_to)

    def sessions(self) -> ColumnElement[bool]:
        """The condition on browsers' sessions."""
        mine = and_(sessions.c.environment_id == self.environment_id, sessions.c.session_key == self.session_key)
        return mine if self.up_to is None else mine & (sessions.c.opened_at <= self.up_to)

    def facts(self) -> Json:
        """What names it in a message."""
        return {"environment_id": self.environment_id, "session_key": self.session_key}


@dataclass(frozen=True, slots=True)
class OfEndedSessions:
    """Whatever came of the browsers' sessions that ended with a session at Dynamic, whatever it began on."""

    environment_id: str
    session_key: str

    def grants(self) -> ColumnElement[bool]:
        """The condition on grants."""
        ended = select(sessions.c.session_id).where(
            sessions.c.environment_id == self.environment_id,
            sessions.c.session_key == self.session_key,
            sessions.c.closed_cause == Cause.DYNAMIC_SESSION_ENDED.word,
        )
        return grants.c.session_id.in_(ended)


@dataclass(frozen=True, slots=True)
class OfSession:
    """Whatever came of one browser's session; `spares`: not what lives on when its user signs out."""

    session_id: str
    spares: bool = False

    def grants(self) -> ColumnElement[bool]:
        """The condition on grants."""
        mine = grants.c.session_id == self.session_id
        return mine & func.coalesce(grants.c.survives_sign_out, False).is_(False) if self.spares else mine

    def facts(self) -> Json:
        """What names it in a message."""
        return {"session_id": self.session_id, "spares": self.spares}


@dataclass(frozen=True, slots=True)
class OfSid:
    """Whatever one client knows as one session, opened up to a moment if that is named."""

    sid: str
    up_to: int | None = None

    def grants(self) -> ColumnElement[bool]:
        """The condition on grants."""
        mine = grants.c.sid == self.sid
        return mine if self.up_to is None else mine & (grants.c.opened_at <= self.up_to)

    def facts(self) -> Json:
        """What names it in a message."""
        return {"sid": self.sid}


Queued = OfUser | OfUpstream | OfSession | OfSid
"""What may be too much for one transaction."""

Extent = Queued | OfEndedSessions


def named_by(facts: Json, up_to: int) -> Queued:
    """What the facts of a message name, as far as it was opened up to that moment."""
    if "session_key" in facts:
        return OfUpstream(facts["environment_id"], facts["session_key"], up_to)
    if "session_id" in facts:
        return OfSession(facts["session_id"], facts["spares"])
    if "sid" in facts:
        return OfSid(facts["sid"], up_to)
    return OfUser(facts["sub"], facts.get("client_id"), up_to)
