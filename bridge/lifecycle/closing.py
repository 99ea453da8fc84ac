"""Every way in which something ends: who ended it, why, and the entry that remembers it.

A closed grant takes its refresh tokens and its access tokens along: both are asked for their grant whenever they are
used. What was issued without a kept grant ends by its own jti, or with everything of its user.
"""

from bridge.history import AuditEntry, Cause, Event
from bridge.model import Session
from bridge.store import Tx, audit, grants, revoked, sessions, upstream, users
from bridge.store.grants import KeptGrant
from bridge.tokens.read import AccessToken


def close_grant(tx: Tx, grant: KeptGrant, cause: Cause, *, actor: str, now: int) -> bool:
    """End one grant; False, and no second entry, if it had ended already."""
    if not grants.close(tx, grant.grant_id, cause, now):
        return False
    entry = AuditEntry(
        at=now,
        event=Event.GRANT_CLOSED,
        actor=actor,
        client_id=grant.client_id,
        sub=grant.sub,
        sid=grant.sid,
        grant_id=grant.grant_id,
        cause=cause,
    )
    audit.record(tx, entry)
    return True


def end_session(tx: Tx, session: Session, cause: Cause, *, actor: str, now: int) -> bool:
    """End a browser's session alone; False if it had ended already."""
    if not sessions.close(tx, session.session_id, cause, now):
        return False
    entry = AuditEntry(at=now, event=Event.SESSION_CLOSED, actor=actor, sub=session.sub, cause=cause)
    audit.record(tx, entry)
    return True


def sign_out(tx: Tx, session: Session, *, actor: str, now: int) -> None:
    """End a browser's session with every grant that came of it.

    The sessions at Dynamic that it rested on may go on; they open no other here unless the user signs in anew.
    """
    # The session first: whoever is opening a grant of it holds its row until they commit, or will find it closed.
    end_session(tx, session, Cause.SIGNED_OUT, actor=actor, now=now)
    upstream.sign_out(tx, session, now)
    for grant in grants.open_of_session(tx, session.session_id, now):
        close_grant(tx, grant, Cause.SIGNED_OUT, actor=actor, now=now)


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


def revoke_user(tx: Tx, sub: str, *, actor: str, now: int) -> int | None:
    """Sign a user out everywhere: whatever was issued up to now is over, and so are the assertions behind it.

    How many grants that ended; None if there is no user with that sub.
    """
    if not users.revoke(tx, sub, now):
        return None
    audit.record(tx, AuditEntry(at=now, event=Event.USER_REVOKED, actor=actor, sub=sub))
    return _close_all(tx, sub, Cause.USER_REVOKED, actor=actor, now=now)


def disable_user(tx: Tx, sub: str, *, actor: str, now: int) -> int | None:
    """Switch a user off, and end what they had: being enabled again brings none of it back.

    How many grants that ended; None if there is no user with that sub.
    """
    if not users.revoke(tx, sub, now) or not users.set_disabled(tx, sub, disabled=True, now=now):
        return None
    audit.record(tx, AuditEntry(at=now, event=Event.USER_DISABLED, actor=actor, sub=sub))
    return _close_all(tx, sub, Cause.USER_DISABLED, actor=actor, now=now)


def enable_user(tx: Tx, sub: str, *, actor: str, now: int) -> bool:
    """Let a user in again; False if there is none with that sub."""
    if not users.set_disabled(tx, sub, disabled=False, now=now):
        return False
    audit.record(tx, AuditEntry(at=now, event=Event.USER_ENABLED, actor=actor, sub=sub))
    return True


def _close_all(tx: Tx, sub: str, cause: Cause, *, actor: str, now: int) -> int:
    return sum(close_grant(tx, grant, cause, actor=actor, now=now) for grant in grants.open_of_user(tx, sub, now))
