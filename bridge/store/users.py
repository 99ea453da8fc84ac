"""Who was here: one row per person and environment, written only when something changed."""

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, and_, bindparam, case, select, update

from bridge.errors import Refused
from bridge.model import Assertion, Identity, Json, User
from bridge.reasons import Reason
from bridge.store.database import Tx, insert_if_absent
from bridge.store.tables import upstream_sessions, users
from bridge.store.upstream import remember, session_end, sign_in_time
from bridge.subjects import subject


@dataclass(frozen=True, slots=True)
class Known:
    """A user as recognised in one sign-in: who it is, when they provably signed in, and what we know of the session.

    `first_seen_at`: when its session at Dynamic first came to us; `signed_out`: the user ended one that rested on it.
    """

    user: User
    auth_time: int
    first_seen_at: int | None
    signed_out: bool


USER_COLUMNS = (
    users.c.sub,
    users.c.environment_id,
    users.c.user_id,
    users.c.claims,
    users.c.disabled_at,
    users.c.revoked_at,
)
"""What `user_of` makes a User of."""

USER_BESIDE = tuple(column.label(f"user_{column.name}") for column in USER_COLUMNS)
"""The same beside another table's columns, for `user_of(row, prefix="user_")`."""

_FIND = (
    select(
        users.c.sub,
        users.c.claims,
        users.c.credentials_digest,
        users.c.told_at,
        users.c.disabled_at,
        users.c.revoked_at,
        upstream_sessions.c.auth_time,
        upstream_sessions.c.first_seen_at,
        upstream_sessions.c.signed_out_at,
        upstream_sessions.c.expires_at,
    )
    .select_from(
        users.outerjoin(
            upstream_sessions,
            and_(
                upstream_sessions.c.environment_id == users.c.environment_id,
                upstream_sessions.c.session_key == bindparam("session_key"),
                upstream_sessions.c.user_id == users.c.user_id,
            ),
        )
    )
    .where(users.c.environment_id == bindparam("environment"), users.c.user_id == bindparam("user"))
)
_PROFILE = select(users.c.claims).where(
    users.c.environment_id == bindparam("environment"),
    users.c.user_id == bindparam("user"),
    users.c.credentials_digest == bindparam("digest"),
)
_ADD = insert_if_absent(
    users, "environment_id", "user_id", "sub", "claims", "credentials_digest", "told_at", "created_at", "updated_at"
)
_BY_SUB = select(*USER_COLUMNS).where(users.c.sub == bindparam("wanted_sub"))
_UPDATE = (
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
    )
)
_DISABLE = update(users).where(users.c.sub == bindparam("wanted_sub")).values(disabled_at=bindparam("moment"))
_REVOKE = (
    update(users)
    .where(users.c.sub == bindparam("wanted_sub"))
    # Never earlier than it was: a clock that is behind gives nothing back (threats R4).
    .values(revoked_at=case((users.c.revoked_at > bindparam("moment"), users.c.revoked_at), else_=bindparam("moment")))
)


def recognise(tx: Tx, identity: Identity, assertion: Assertion, *, primary_environment: str, now: int) -> Known:
    """The user behind a verified identity, made known if new, brought up to date if changed. Raises Refused.

    What was told later stays: an older token brings no unlinked wallet back. An incomplete identity (small token)
    leaves a stored profile of the same credentials alone and replaces another: what may have been unlinked since is
    not handed out.
    """
    key = {
        "environment": identity.environment_id,
        "user": identity.user_id,
        "session_key": assertion.session_key,
    }
    row = tx.execute(_FIND, key).first()
    if row is None:
        _add(tx, identity, primary_environment=primary_environment, now=now)
        row = tx.execute(_FIND, key).first()
        if row is None:
            # The sub stands for somebody of another environment, which was primary once. It is never given twice.
            raise Refused(Reason.SUBJECT_INVALID, "sub belongs to another user")
    while (claims := _current_claims(tx, row, identity, now)) is None:
        row = tx.execute(_FIND, key).one()
    auth_time, expires_at = sign_in_time(assertion), session_end(assertion)
    if row.auth_time is None or auth_time < row.auth_time or expires_at > row.expires_at:
        auth_time = remember(tx, assertion, auth_time, expires_at, now)
    else:
        auth_time = row.auth_time
    user = User(
        row.sub,
        identity.environment_id,
        identity.user_id,
        json.loads(claims),
        disabled=row.disabled_at is not None,
        revoked_at=row.revoked_at,
    )
    first_seen_at = now if row.auth_time is None else row.first_seen_at
    return Known(user, auth_time, first_seen_at, signed_out=row.signed_out_at is not None)


def _current_claims(tx: Tx, row: Row[*tuple[Any, ...]], identity: Identity, now: int) -> str | None:
    """The claims that hold now, as stored; None if another transaction told something since the row was read.

    A later saying of the same is later all the same, and is kept as such.
    """
    if identity.told_at < row.told_at:
        return str(row.claims)
    if not identity.complete and not identity.credentials_digest:
        # It knows nothing of credentials: what others told stays as it is, and does not come into these tokens.
        return _dumped(identity.claims)
    if not identity.complete and row.credentials_digest == identity.credentials_digest:
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
    return str(claims)


def stored_profile(tx: Tx, identity: Identity) -> Identity | None:
    """The identity with the stored claims, if those tell of the very credentials that the token's hashes name."""
    if not identity.credentials_digest:
        return None
    row = tx.execute(
        _PROFILE,
        {
            "environment": identity.environment_id,
            "user": identity.user_id,
            "digest": identity.credentials_digest,
        },
    ).first()
    return None if row is None else replace(identity, claims=json.loads(row.claims), complete=True)


def by_sub(tx: Tx, sub: str) -> User | None:
    """The user with that sub, disabled or not."""
    row = tx.execute(_BY_SUB, {"wanted_sub": sub}).first()
    return None if row is None else user_of(row)


def user_of(row: Row[*tuple[Any, ...]], prefix: str = "") -> User:
    """The user in a row that holds USER_COLUMNS, each name behind `prefix`."""
    sub, environment_id, user_id, claims, disabled_at, revoked_at = (
        getattr(row, f"{prefix}{column.name}") for column in USER_COLUMNS
    )
    return User(
        sub, environment_id, user_id, json.loads(claims), disabled=disabled_at is not None, revoked_at=revoked_at
    )


def set_disabled(tx: Tx, sub: str, *, disabled: bool, now: int) -> bool:
    """Switch a user off or on; False if there is none with that sub."""
    return tx.execute(_DISABLE, {"wanted_sub": sub, "moment": now if disabled else None}).rowcount == 1


def revoke(tx: Tx, sub: str, now: int) -> bool:
    """Take back whatever the user was given up to now; False if there is none with that sub."""
    return tx.execute(_REVOKE, {"wanted_sub": sub, "moment": now}).rowcount == 1


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


def _dumped(claims: Json) -> str:
    return json.dumps(claims, sort_keys=True, separators=(",", ":"))
