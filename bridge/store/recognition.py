"""Recognising people: the user behind a verified identity, made known if new, brought up to date if changed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, bindparam, null, select, update

from bridge.errors import Refused
from bridge.model import Assertion, Identity, Json, User
from bridge.reasons import Reason
from bridge.store.database import Tx, insert_if_absent
from bridge.store.session_times import outlives, session_end, sign_in_time
from bridge.store.tables import upstream_sessions, upstream_sids, users
from bridge.store.transaction import fixed
from bridge.store.upstream import is_its_own, newest_sid, remember, remember_sid
from bridge.store.upstream import user_of as user_of_session
from bridge.store.users import USER_COLUMNS, user_of
from bridge.store.users import by_id as user_by_id
from bridge.subjects import subject


@dataclass(frozen=True, slots=True)
class Known:
    """A user as recognised in one sign-in: who it is, when they provably signed in, and what we know of the session.

    `first_seen_at`: when its session at Dynamic first came to us; `signed_out`: the user ended one that rested on it;
    `ended`: Dynamic has ended that session since. `mistaken`: the key of another session of theirs that went on here
    only because we took this one for it, and when it had ended.
    """

    user: User
    auth_time: int
    first_seen_at: int | None
    signed_out: bool
    ended: bool = False
    mistaken: tuple[str, int] | None = None


_dumped = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_FIND = fixed(
    select(
        *USER_COLUMNS,
        users.c.credentials_digest,
        users.c.told_at,
        users.c.erased_at,
        upstream_sessions.c.auth_time,
        upstream_sessions.c.first_seen_at,
        upstream_sessions.c.signed_out_at,
        upstream_sessions.c.ended_at,
        upstream_sessions.c.expires_at,
        upstream_sessions.c.user_id.label("session_owner"),
        upstream_sids.c.session_key.label("sid_key"),
        upstream_sids.c.issued_at.label("sid_issued_at"),
        upstream_sids.c.ended_at.label("sid_ended_at"),
    )
    .select_from(
        users.outerjoin(
            upstream_sessions,
            and_(
                upstream_sessions.c.environment_id == users.c.environment_id,
                upstream_sessions.c.session_key == bindparam("session_key"),
            ),
        ).outerjoin(
            upstream_sids,
            and_(upstream_sids.c.environment_id == users.c.environment_id, upstream_sids.c.sid == bindparam("sid")),
        )
    )
    .where(users.c.environment_id == bindparam("environment"), users.c.user_id == bindparam("user"))
)
_ADD = fixed(
    insert_if_absent(
        users, "environment_id", "user_id", "sub", "claims", "credentials_digest", "told_at", "created_at", "updated_at"
    ),
    forgettable=True,  # the next assertion tells it again
)
_UPDATE = fixed(
    update(users)
    .where(
        users.c.environment_id == bindparam("environment"),
        users.c.user_id == bindparam("user"),
        users.c.claims == bindparam("seen_claims"),
        users.c.credentials_digest == bindparam("seen_digest"),
        users.c.told_at == bindparam("seen_told_at"),
    )
    .values(
        claims=bindparam("new_claims"),
        credentials_digest=bindparam("new_digest"),
        told_at=bindparam("new_told_at"),
        updated_at=bindparam("now"),
        erased_at=null(),
    ),
    forgettable=True,
)


_HOLD_USER = (
    select(users.c.sub)
    .where(users.c.environment_id == bindparam("environment"), users.c.user_id == bindparam("user"))
    .with_for_update(key_share=True)
)


def recognise(tx: Tx, identity: Identity, assertion: Assertion, *, primary_environment: str, now: int) -> Known:
    """The user behind a verified identity, made known if new, brought up to date if changed. Raises Refused.

    What was told later stays: an older token brings no unlinked wallet back. An incomplete identity (small token)
    leaves a stored profile of the same credentials alone and replaces another: what may have been unlinked since is
    not handed out. Of a user who is deleted, or by a session that has ended, nothing is learned.
    """
    row = _found(tx, identity, assertion)
    if row is None:
        _add(tx, identity, primary_environment=primary_environment, now=now)
        row = _found(tx, identity, assertion)
        if row is None:
            # The sub stands for somebody of another environment, which was primary once. It is never given twice.
            raise Refused(Reason.SUBJECT_INVALID, "sub belongs to another user")
    elif _has_new_sid(row, assertion) or _tells_of_session(row, assertion) or _was_mistaken(row, assertion):
        # Whoever ends a session holds its user first: so do we, and look again at what has ended meanwhile.
        tx.execute(_HOLD_USER, {"environment": row.environment_id, "user": row.user_id})
        row = tx.execute(_FIND, _key(identity, assertion)).one()
    if row.session_owner not in (None, "", identity.user_id):
        # Whoever names somebody else's session must not change what is known of it.
        raise Refused(Reason.SUBJECT_INVALID, "session of another user")
    ended = _has_ended(row, assertion)
    if ended or row.deleted_at is not None:
        auth_time = row.auth_time or sign_in_time(assertion)
        return Known(user_of(row), auth_time, row.first_seen_at, signed_out=False, ended=ended)
    while (claims := _current_claims(tx, row, identity, now)) is None:
        row = tx.execute(_FIND, _key(identity, assertion)).one()
    mistaken = _set_right(tx, row, assertion) if _was_mistaken(row, assertion) else None
    auth_time = _session_remembered(tx, row, assertion, now)
    first_seen_at = now if row.auth_time is None else row.first_seen_at
    user = user_of(row, claims=claims)
    # Signing out everywhere ends no session at Dynamic: one that began before opens nothing silently any more.
    everywhere = user.was_revoked_since(min(auth_time, now if first_seen_at is None else first_seen_at))
    signed_out = row.signed_out_at is not None or everywhere
    return Known(user, auth_time, first_seen_at, signed_out, mistaken=mistaken)


def bring_up_to_date(tx: Tx, identity: Identity, now: int) -> bool:
    """What Dynamic tells of a user without an assertion; False if they are not known here, or are deleted.

    Nor of who was erased: they come back by signing in alone.
    """
    key = {"environment": identity.environment_id, "user": identity.user_id, "session_key": "", "sid": ""}
    while True:
        row = tx.execute(_FIND, key).first()
        if row is None or row.deleted_at is not None or row.erased_at is not None:
            return False
        if _current_claims(tx, row, identity, now) is not None:
            return True


def take_away(
    tx: Tx, environment_id: str, user_id: str, without: Callable[[Json], Json], *, told_at: int, now: int
) -> bool:
    """Dynamic tells that a user has lost something; `without` says what of their claims is left.

    False if they are not known here, were erased, or are deleted. What was told later stays; what was told before
    brings nothing back.
    """
    key = {"environment": environment_id, "user": user_id, "session_key": "", "sid": ""}
    while True:
        row = tx.execute(_FIND, key).first()
        if row is None or row.deleted_at is not None or row.erased_at is not None:
            return False
        left = Identity(environment_id, user_id, without(json.loads(row.claims)), complete=True, told_at=told_at)
        if _current_claims(tx, row, left, now) is not None:
            return True


def by_id(tx: Tx, environment_id: str, user_id: str, *, primary_environment: str, now: int) -> User | None:
    """The user whom Dynamic knows by that id, made known without a claim if new: a tombstone needs a row.

    None if their sub stands for somebody of another environment.
    """
    found = user_by_id(tx, environment_id, user_id)
    if found is None:
        nobody = Identity(environment_id, user_id, claims={}, complete=False, told_at=0)
        _add(tx, nobody, primary_environment=primary_environment, now=now)
        found = user_by_id(tx, environment_id, user_id)
    return found


def _found(tx: Tx, identity: Identity, assertion: Assertion) -> Row[*tuple[Any, ...]] | None:
    return tx.execute(_FIND, _key(identity, assertion)).first()


def _key(identity: Identity, assertion: Assertion) -> dict[str, str]:
    return {
        "environment": identity.environment_id,
        "user": identity.user_id,
        "session_key": assertion.session_key,
        "sid": assertion.sid,
    }


def _has_ended(row: Row[*tuple[Any, ...]], assertion: Assertion) -> bool:
    """Whether Dynamic has ended the assertion's session since it was issued.

    What Dynamic issues after it revoked an older sid of the same session says that the session goes on.
    """
    return row.sid_ended_at is not None or (row.ended_at is not None and outlives(assertion) < row.ended_at)


def _session_remembered(tx: Tx, row: Row[*tuple[Any, ...]], assertion: Assertion, now: int) -> int:
    """Keep what the assertion tells of its session at Dynamic; when the user provably signed in."""
    if _has_new_sid(row, assertion):
        remember_sid(tx, assertion, session_end(assertion))
    if _tells_of_session(row, assertion):
        return remember(tx, assertion, sign_in_time(assertion), session_end(assertion), now)
    return int(row.auth_time)


def _was_mistaken(row: Row[*tuple[Any, ...]], assertion: Assertion) -> bool:
    """Whether we took the sid for one of another session's than the assertion says, which knows better."""
    return assertion.original_sid is not None and row.sid_key not in (None, assertion.session_key)


def _set_right(tx: Tx, row: Row[*tuple[Any, ...]], assertion: Assertion) -> tuple[str, int] | None:
    """We took the sid for the next one of another session of the user's: which has ended then, and when."""
    environment_id, key = row.environment_id, str(row.sid_key)
    if user_of_session(tx, environment_id, key) != assertion.user_id:
        return None
    nothing_else = newest_sid(tx, environment_id, key) == assertion.sid
    if assertion.sid == assertion.session_key:
        is_its_own(tx, environment_id, assertion.sid)
    return (key, int(row.sid_issued_at)) if nothing_else else None


def _has_new_sid(row: Row[*tuple[Any, ...]], assertion: Assertion) -> bool:
    return assertion.sid != assertion.session_key and (row.sid_issued_at or 0) < assertion.issued_at


def _tells_of_session(row: Row[*tuple[Any, ...]], assertion: Assertion) -> bool:
    if row.auth_time is None or row.ended_at is not None:
        return True
    return sign_in_time(assertion) < int(row.auth_time) or session_end(assertion) > int(row.expires_at)


def _current_claims(tx: Tx, row: Row[*tuple[Any, ...]], identity: Identity, now: int) -> Json | None:
    """The claims that hold now; None if another transaction told something since the row was read.

    A later saying of the same is later all the same, and is kept as such.
    """
    if identity.told_at < row.told_at:
        return _loaded(row.claims)
    if not identity.complete and not identity.credentials_digest:
        # It knows nothing of credentials: what others told stays as it is, and does not come into these tokens.
        return identity.claims
    same = not identity.complete and row.credentials_digest == identity.credentials_digest
    if same:
        claims, digest = row.claims, row.credentials_digest
    else:
        claims, digest = _dumped(identity.claims), identity.credentials_digest if identity.complete else ""
    if (claims, digest, identity.told_at) != (row.claims, row.credentials_digest, row.told_at):
        values = {
            "environment": identity.environment_id,
            "user": identity.user_id,
            "seen_claims": row.claims,
            "seen_digest": row.credentials_digest,
            "seen_told_at": row.told_at,
            "new_claims": claims,
            "new_digest": digest,
            "new_told_at": identity.told_at,
            "now": now,
        }
        if not tx.execute(_UPDATE, values).rowcount:
            return None
    return _loaded(claims) if same else identity.claims


def _add(tx: Tx, identity: Identity, *, primary_environment: str, now: int) -> None:
    """Make a user known, unless another instance met the same person a moment earlier."""
    row = {
        "environment_id": identity.environment_id,
        "user_id": identity.user_id,
        "sub": subject(identity.environment_id, identity.user_id, primary_environment=primary_environment),
        "claims": _dumped(identity.claims),
        "credentials_digest": identity.credentials_digest if identity.complete else "",
        "told_at": identity.told_at,
        "created_at": now,
        "updated_at": now,
    }
    tx.execute(_ADD, row)


def _loaded(stored: str) -> Json:
    claims: Json = json.loads(stored)
    return claims
