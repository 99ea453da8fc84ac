"""Single endings: one grant, one browser's session, one access token; and the batches that the cascades are made of.

A closed grant takes its refresh tokens and its access tokens along: both are asked for their grant whenever they are
used. What was issued without a kept grant ends by its own jti, with its session at Dynamic, or with all of its user.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bridge.history import AuditEntry, Cause, Event
from bridge.model import Json, Session
from bridge.store import Tx, audit, closing, grants, outbox, revoked, sessions
from bridge.store.closing import Owed
from bridge.store.extents import Extent, OfUpstream, OfUser
from bridge.store.grants import KeptGrant
from bridge.store.outbox import Kind, Message
from bridge.tokens.read import AccessToken

BATCH = 200  # of a kind that one transaction ends: the next one who waits for the database is not held up


@dataclass(frozen=True, slots=True)
class Ending:
    """Why something ends, who ends it, and when. `detail`: what the audit log says beside that."""

    cause: Cause
    actor: str
    now: int
    detail: Json = field(default_factory=dict)

    def entry(self, event: Event, *, sub: str | None = None, client_id: str | None = None) -> AuditEntry:
        """The audit entry of what begins a cascade."""
        return AuditEntry(
            at=self.now,
            event=event,
            actor=self.actor,
            client_id=client_id,
            sub=sub,
            cause=self.cause,
            detail=self.detail,
        )


def close_grant(tx: Tx, grant: KeptGrant, cause: Cause, *, actor: str, now: int, detail: Json | None = None) -> bool:
    """End one grant; False, and no second entry, if it had ended already."""
    if not grants.close(tx, grant.grant_id, cause, now):
        return False
    audit.record(tx, _closed(grant, Ending(cause, actor, now, detail or {})))
    return True


def end_session(tx: Tx, session: Session, cause: Cause, *, actor: str, now: int) -> bool:
    """End a browser's session alone; False if it had ended already."""
    if not sessions.close(tx, session.session_id, cause, now):
        return False
    audit.record(tx, _session_closed(session.session_id, session.sub, Ending(cause, actor, now)))
    return True


def revoke_access_token(tx: Tx, token: AccessToken, *, sub: str | None, actor: str, now: int) -> bool:
    """Take one access token back, until it would have expired; False if it was already. `sub`: its user's own."""
    if not revoked.revoke(tx, token.jti, token.expires_at):
        return False
    entry = AuditEntry(
        at=now,
        event=Event.TOKEN_REVOKED,
        actor=actor,
        client_id=token.client_id,
        sub=sub,
        sid=token.sid,
        grant_id=token.grant_id,
        cause=Cause.CLIENT_REVOKED,
        detail={"jti": token.jti},
    )
    audit.record(tx, entry)
    return True


def close_grants(tx: Tx, of: Extent, ending: Ending) -> int:
    """End a batch of grants; how many."""
    closed = closing.close_grants(tx, of, ending.cause, ending.now, limit=BATCH)
    audit.record_all(tx, (_closed(grant, ending) for grant in closed))
    return len(closed)


def close_sessions(tx: Tx, of: OfUser | OfUpstream, ending: Ending) -> int:
    """End a batch of browsers' sessions; how many."""
    closed = closing.close_sessions(tx, of, ending.cause, ending.now, limit=BATCH)
    audit.record_all(tx, (_session_closed(session.session_id, session.sub, ending) for session in closed))
    return len(closed)


def tell_clients(tx: Tx, of: Extent, now: int) -> int:
    """Let the clients of a batch of these grants be told that the session has ended; how many grants that were."""
    owed, count = closing.take_owed(tx, of, limit=BATCH)
    _tell(tx, owed, now)
    return count


def tell_survivors(tx: Tx, session: Session, now: int) -> None:
    """Let those clients be told of the end of a browser's session who keep all that they had of it."""
    _tell(tx, closing.owed_by_survivors(tx, session.session_id), now)


def _tell(tx: Tx, owed: Iterable[Owed], now: int) -> None:
    messages = (Message(Kind.BACKCHANNEL_LOGOUT, one.client_id, {"sub": one.sub, "sid": one.sid}) for one in owed)
    outbox.put(tx, messages, now)


def _session_closed(session_id: str, sub: str, ending: Ending) -> AuditEntry:
    of_it = replace(ending, detail={**ending.detail, "session_id": session_id})
    return of_it.entry(Event.SESSION_CLOSED, sub=sub)


def _closed(grant: KeptGrant, ending: Ending) -> AuditEntry:
    return AuditEntry(
        at=ending.now,
        event=Event.GRANT_CLOSED,
        actor=ending.actor,
        client_id=grant.client_id,
        sub=grant.sub,
        sid=grant.sid,
        grant_id=grant.grant_id,
        cause=ending.cause,
        detail=ending.detail,
    )
