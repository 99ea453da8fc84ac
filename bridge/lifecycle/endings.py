"""What each cause ends: the cascades of docs/sessions.md, each in a transaction that is short whatever the number.

A user, or a session at Dynamic, is over with one row: every use of what rests on it asks for that row. Their grants and
sessions are closed, and their clients told, in batches: the first here, the rest by delivery (`CLOSE_REST`).

Locks are taken in one order everywhere, so that two endings cannot wait for each other: users, sessions at Dynamic,
sessions, grants.
"""

from dataclasses import replace

from bridge.history import BRIDGE, Cause, Event
from bridge.lifecycle.closing import (
    BATCH,
    Ending,
    close_grants,
    close_sessions,
    end_session,
    tell_clients,
    tell_survivors,
)
from bridge.model import Session, User
from bridge.store import Tx, audit, closing, consents, devices, grants, outbox, sessions, upstream, users
from bridge.store.extents import Extent, OfEndedSessions, OfSession, OfSid, OfUpstream, OfUser, Queued
from bridge.store.outbox import Kind, Message

KEPT = 31 * 86400  # seconds for which it is remembered that a session ended: no assertion of it lives longer


def sign_out(tx: Tx, session: Session, *, actor: str, now: int, cause: Cause = Cause.SIGNED_OUT) -> None:
    """End a browser's session with every grant that came of it, and tell its clients (RP-Initiated Logout 1.0).

    The sessions at Dynamic that it rested on may go on; they open no other here unless the user signs in anew. A grant
    whose client has `offline_survives_logout` goes on too (Back-Channel Logout 1.0 section 2.7); that client is told
    now, and again when the grant ends.
    """
    spares = cause is Cause.SIGNED_OUT
    upstream.sign_out(tx, session, now)
    # The session first: whoever is opening a grant of it holds its row until they commit, or will find it closed.
    if end_session(tx, session, cause, actor=actor, now=now) and spares:
        tell_survivors(tx, session, now)
    _begin(tx, OfSession(session.session_id, spares), Ending(cause, actor, now))


def end_session_known_as(tx: Tx, wanted: str, *, actor: str, now: int, cause: Cause) -> bool:
    """End the session with that session_id, or the one that a client knows by that sid, offline grants included.

    False if there is none that lives. Clients are told of what they had of it.
    """
    subs = {*(grant.sub for grant in grants.matching(tx, wanted)), *(one.sub for one in sessions.matching(tx, wanted))}
    users.hold(tx, subs)
    known = {wanted, *(str(grant.session_id) for grant in grants.matching(tx, wanted) if grant.sid == wanted)}
    found = [device for session_id in sorted(known) if (device := devices.device(tx, session_id)) is not None]
    alive = [device.session for device in found if device.closed_at is None and now < device.session.expires_at]
    for session in alive:
        sign_out(tx, session, actor=actor, now=now, cause=cause)
    others = OfSid(wanted)  # those that came of no browser's session
    ended = closing.count_grants(tx, others, now)
    _begin(tx, others, Ending(cause, actor, now))
    return bool(alive) or ended > 0


def end_dynamic_session(
    tx: Tx, environment_id: str, session_key: str, *, user_id: str | None, ended_at: int, ending: Ending
) -> None:
    """Dynamic has ended a session: so does all that rests on it, here and at the clients, offline grants included.

    `ended_at`: by Dynamic's clock. A session that never came here is remembered as ended all the same: its JWT may come
    yet (threats A22). Doing it twice does nothing.
    """
    user_id = user_id or upstream.user_of(tx, environment_id, session_key)
    is_known = user_id is not None and users.session_ended(tx, environment_id, user_id, ending.now)
    kept_until = ending.now + KEPT
    for sid in upstream.sids_of(tx, environment_id, [session_key]):
        upstream.end_sid(tx, environment_id, sid, session_key, ended_at, kept_until=kept_until)
    upstream.end(tx, environment_id, session_key, user_id or "", ended_at, kept_until=kept_until)
    if user_id is not None and not is_known:
        users.session_ended(tx, environment_id, user_id, ending.now)  # they may have come while we waited for the row
    user = None if user_id is None else users.by_id(tx, environment_id, user_id)
    ended = replace(ending, detail={**ending.detail, "dynamic_session": session_key})
    audit.record(tx, ended.entry(Event.DYNAMIC_SESSION_ENDED, sub=None if user is None else user.sub))
    _begin(tx, OfUpstream(environment_id, session_key), ending)


def revoke_user(tx: Tx, sub: str, *, actor: str, now: int, cause: Cause = Cause.USER_REVOKED) -> int | None:
    """Sign a user out everywhere: whatever was issued up to now is over, and so are the assertions behind it.

    How many grants that ends; None if there is no user with that sub.
    """
    return _end_user(tx, sub, Event.USER_REVOKED, Ending(cause, actor, now))


def disable_user(tx: Tx, sub: str, *, actor: str, now: int) -> int | None:
    """Switch a user off, and end what they had: being enabled again brings none of it back.

    How many grants that ends; None if there is no user with that sub.
    """
    if not users.set_disabled(tx, sub, disabled=True, now=now):
        return None
    return _end_user(tx, sub, Event.USER_DISABLED, Ending(Cause.USER_DISABLED, actor, now))


def enable_user(tx: Tx, sub: str, *, actor: str, now: int) -> bool:
    """Let a user in again; False if there is none with that sub."""
    if not users.set_disabled(tx, sub, disabled=False, now=now):
        return False
    audit.record(tx, Ending(Cause.USER_DISABLED, actor, now).entry(Event.USER_ENABLED, sub=sub))
    return True


def erase_user(tx: Tx, sub: str, *, actor: str, now: int) -> int | None:
    """Forget what is known of a user, and end what they had; the sub stays theirs, should they sign in again.

    How many grants that ends; None if there is no user with that sub.
    """
    if not _forget(tx, sub, now):
        return None
    return _end_user(tx, sub, Event.USER_ERASED, Ending(Cause.USER_ERASED, actor, now))


def delete_user(tx: Tx, user: User, ending: Ending, *, merged_into: str | None = None) -> bool:
    """Dynamic has deleted a user, or merged them into another: they never come back, and their data goes.

    `merged_into`: the Dynamic user id of the survivor. False if it was known.
    """
    if not users.delete(tx, user.sub, ending.now, merged_into=merged_into):
        return False
    _forget(tx, user.sub, ending.now)
    _end_user(tx, user.sub, Event.USER_DELETED if merged_into is None else Event.USER_MERGED, ending)
    return True


def disconnect(tx: Tx, sub: str, client_id: str, *, actor: str, now: int) -> int:
    """A user takes back what they allowed one client: its grants end, and it is told. How many grants that were.

    No row says that they are over: those beyond the first batch count until delivery has closed them.
    """
    ending, of = Ending(Cause.DISCONNECTED, actor, now), OfUser(sub, client_id)
    users.hold(tx, [sub])
    if consents.withdraw(tx, sub, client_id):
        audit.record(tx, ending.entry(Event.CONSENT_WITHDRAWN, sub=sub, client_id=client_id))
    ended = closing.count_grants(tx, of, now)
    _begin(tx, of, ending)
    return ended


def close_rest(tx: Tx, of: Queued, ending: Ending) -> bool:
    """Close one more batch of what was there when its end was decided; whether that was the last."""
    counts = [] if isinstance(of, OfSession | OfSid) else [close_sessions(tx, of, ending)]
    parts: list[Extent] = (
        [of, OfEndedSessions(of.environment_id, of.session_key)] if isinstance(of, OfUpstream) else [of]
    )
    for part in parts:
        counts += [close_grants(tx, part, ending), tell_clients(tx, part, ending.now)]
    return max(counts) < BATCH


def _forget(tx: Tx, sub: str, now: int) -> bool:
    """Take away what is known of a user, and what they have allowed; False if there is none with that sub."""
    if not users.erase(tx, sub, now):
        return False
    sessions.forget_browsers(tx, sub)
    audit.forget_identifiers(tx, sub)
    consents.withdraw(tx, sub)
    return True


def _begin(tx: Tx, of: Queued, ending: Ending) -> None:
    """Close the first batch; delivery does the rest, and spares who has signed in anew since then."""
    if close_rest(tx, of, ending):
        return
    facts = {
        **of.facts(),
        "cause": ending.cause.word,
        "actor": ending.actor,
        "up_to": ending.now,
        "detail": ending.detail,
    }
    outbox.put(tx, [Message(Kind.CLOSE_REST, BRIDGE, facts)], ending.now)


def _end_user(tx: Tx, sub: str, event: Event, ending: Ending) -> int | None:
    if not users.revoke(tx, sub, ending.now):
        return None
    audit.record(tx, ending.entry(event, sub=sub))
    ended = closing.count_grants(tx, OfUser(sub), ending.now)
    _begin(tx, OfUser(sub), ending)
    return ended
