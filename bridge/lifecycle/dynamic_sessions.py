"""Which session here a revocation at Dynamic ends. Nobody is thrown out by a session that goes on under another sid.

A refresh at Dynamic may give a session another sid, which comes to us only if the page hands its new token over. So:

    what is revoked                             whoever did it                       an admin
    an older sid, a newer one came to us        nothing: that one goes on            the session
    the newest sid that we know                 the session, unless Dynamic says     the session
                                                that it goes on under another sid
    a sid that never came to us                 those of the user's sessions that    the same; without an answer
                                                Dynamic says have ended              of Dynamic's all that the user
                                                                                     had then

Dynamic says so if there is an API token. What began after the revocation is none of its affair. A session goes on under
another sid if that one was opened when the older one was revoked, as a refresh does, and lives. No token that carries a
revoked sid counts any more, in any case.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bridge.dynamic.effects import SessionRevoked
from bridge.dynamic.management import DynamicSession
from bridge.lifecycle.closing import Ending
from bridge.lifecycle.endings import KEPT, end_dynamic_session
from bridge.store import Tx, upstream
from bridge.store.session_times import REFRESH_TAKES, certain_end
from bridge.store.upstream import OpenSession

MOST_JUDGED = 100  # sessions whose successors one revocation looks for, the newest first; what is over that has ended


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revocation of an environment's session `at` a moment of Dynamic's clock, and what Dynamic says now of the
    user's sessions; None if it was not asked or did not answer."""

    environment_id: str
    effect: SessionRevoked
    at: int
    sessions: Sequence[DynamicSession] | None = None


def whom_to_ask_about(tx: Tx, revocation: Revocation) -> str | None:
    """The user whose sessions at Dynamic decide about a revocation; None if we know by ourselves what it ends."""
    effect, environment_id = revocation.effect, revocation.environment_id
    if effect.sid is None:
        return None
    key = upstream.key_of(tx, environment_id, effect.sid)
    if upstream.user_of(tx, environment_id, effect.sid) is not None:
        key = effect.sid  # it came as a session of its own, whatever we took it for
    owner = upstream.user_of(tx, environment_id, key)
    if owner is not None:
        is_newest = upstream.newest_sid(tx, environment_id, key) == effect.sid
        return owner if is_newest and not effect.by_admin else None
    user_id = effect.user_id
    return user_id if user_id is not None and upstream.open_of_user(tx, environment_id, user_id) else None


def end_revoked(tx: Tx, revocation: Revocation, ending: Ending) -> None:
    """End what a revocation ends. Doing it twice does nothing."""
    effect, environment_id = revocation.effect, revocation.environment_id
    if effect.sid is None:
        _end_all(tx, revocation, ending)
        return
    key = upstream.key_of(tx, environment_id, effect.sid)
    if key != effect.sid and upstream.user_of(tx, environment_id, effect.sid) is not None:
        # It came as a session of its own: that we took it for the next sid of another saves neither.
        _end(tx, revocation, effect.sid, ending)
    if upstream.user_of(tx, environment_id, key) is None:
        _end(tx, revocation, key, ending)  # remembered, should its JWT come yet
        if revocation.sessions is not None:
            _judge_all(tx, revocation, ending)
        elif effect.by_admin:
            _end_all(tx, revocation, ending)
    elif effect.by_admin:
        _end(tx, revocation, key, ending)
    elif upstream.newest_sid(tx, environment_id, key) != effect.sid:
        _end_sid(tx, revocation, effect.sid, key, ending)
    else:
        newest = upstream.newest_sid(tx, environment_id, key)
        others = {sid for one in _open(tx, revocation) if one.session_key != key for sid in one.sids}
        _judge(tx, revocation, OpenSession(key, newest, 0), others, ending)


def goes_on_as(
    sid: str, sessions: Sequence[DynamicSession], others: Collection[str], *, began: range = range(0)
) -> str | None:
    """The sid under which a session goes on that had `sid`, by what Dynamic says of the user's; None if it has ended.

    `others` are sids that belong to other sessions. If Dynamic does not list the session, one that is left and `began`
    (seconds) in that time has taken its place; any other would keep alive for ever what has ended.
    """
    by_sid = {session.sid: session for session in sessions if session.sid not in others}
    if sid not in by_sid:
        left = (session for session in by_sid.values() if session.is_alive and session.created_at in began)
        return next((session.sid for session in left), None)
    seen, following = {sid}, [by_sid[sid]]
    while following:
        session = following.pop()
        if session.revoked_at is None:
            return session.sid
        for next_one in by_sid.values():
            if next_one.sid not in seen and _succeeds(next_one, session.revoked_at):
                seen.add(next_one.sid)
                following.append(next_one)
    return None


def _succeeds(session: DynamicSession, revoked_at: int) -> bool:
    return session.created_at is not None and abs(session.created_at - revoked_at) <= REFRESH_TAKES


def _judge_all(tx: Tx, revocation: Revocation, ending: Ending) -> None:
    """End those of the user's sessions that Dynamic says have ended; of very many in doubt, the oldest end as well."""
    opened = _open(tx, revocation)
    taken = {sid for one in opened for sid in one.sids}
    alive = {session.sid for session in _told(revocation) if session.is_alive}
    doubtful = [one for one in opened if one.newest_sid not in alive and one.auth_time <= revocation.at]
    for one in doubtful[:MOST_JUDGED]:
        successor = _judge(tx, revocation, one, taken - one.sids, ending)
        taken |= {successor} if successor else set()
    for one in doubtful[MOST_JUDGED:]:
        _end(tx, revocation, one.session_key, ending, is_certain=True)


def _judge(tx: Tx, revocation: Revocation, session: OpenSession, others: Collection[str], ending: Ending) -> str | None:
    """End a session unless Dynamic says that it goes on; if under another sid, that is its newest from now on.

    The sid under which it goes on. `others`: the sids of the user's other sessions.
    """
    environment_id, effect, key = revocation.environment_id, revocation.effect, session.session_key
    newest = session.newest_sid
    current = None if revocation.sessions is None else goes_on_as(newest, _told(revocation), others)
    if current is None or current == effect.sid:
        _end(tx, revocation, key, ending, is_certain=revocation.sessions is not None)
        return None
    if current != newest:
        upstream.succeed(tx, environment_id, current, key, revocation.at, kept_until=ending.now + KEPT)
    if newest == effect.sid:
        _end_sid(tx, revocation, newest, key, ending)
    return current


def _told(revocation: Revocation) -> Sequence[DynamicSession]:
    """What Dynamic says of the user's sessions. What the event says is true, whatever the API tells."""
    sid, listed = revocation.effect.sid or "", revocation.sessions or ()
    ended = next((session for session in listed if session.sid == sid), DynamicSession(sid, None, None))
    rest = [session for session in listed if session.sid != sid]
    return [*rest, replace(ended, revoked_at=ended.revoked_at or revocation.at)]


def _open(tx: Tx, revocation: Revocation) -> Sequence[OpenSession]:
    """The open sessions of the user whom a revocation concerns, the newest first."""
    key = upstream.key_of(tx, revocation.environment_id, revocation.effect.sid or "")
    user_id = upstream.user_of(tx, revocation.environment_id, key) or revocation.effect.user_id
    return () if user_id is None else upstream.open_of_user(tx, revocation.environment_id, user_id)


def _end_all(tx: Tx, revocation: Revocation, ending: Ending) -> None:
    """End what the user had then. The message may come days late: what began since stays."""
    for one in _open(tx, revocation):
        if one.auth_time <= revocation.at:
            _end(tx, revocation, one.session_key, ending)


def _end(tx: Tx, revocation: Revocation, key: str, ending: Ending, *, is_certain: bool = False) -> None:
    """`is_certain`: by Dynamic's own word it goes on nowhere. No refresh is the reason then, nor if an admin did it."""
    for_good = is_certain or revocation.effect.by_admin
    end_dynamic_session(
        tx,
        revocation.environment_id,
        key,
        user_id=upstream.user_of(tx, revocation.environment_id, key) or revocation.effect.user_id,
        ended_at=certain_end(revocation.at) if for_good else revocation.at,
        ending=ending,
    )


def _end_sid(tx: Tx, revocation: Revocation, sid: str, key: str, ending: Ending) -> None:
    kept_until = ending.now + KEPT
    upstream.end_sid(tx, revocation.environment_id, sid, key, revocation.at, kept_until=kept_until)
