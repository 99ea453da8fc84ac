"""Who is known here: one row per person and environment, and what has been decided about them as a whole."""

import json
from collections.abc import Iterable
from dataclasses import replace
from operator import attrgetter
from typing import Any

from sqlalchemy import Row, bindparam, case, select, update

from bridge.model import Identity, Json, User
from bridge.store.database import Tx
from bridge.store.tables import users
from bridge.store.transaction import fixed

USER_COLUMNS = (
    users.c.sub,
    users.c.environment_id,
    users.c.user_id,
    users.c.claims,
    users.c.disabled_at,
    users.c.revoked_at,
    users.c.session_ended_at,
    users.c.deleted_at,
)
"""What `user_of` makes a User of."""

USER_BESIDE = tuple(column.label(f"user_{column.name}") for column in USER_COLUMNS)
"""The same beside another table's columns, for `user_of(row, prefix="user_")`."""

_VALUES = {prefix: attrgetter(*(f"{prefix}{column.name}" for column in USER_COLUMNS)) for prefix in ("", "user_")}
_PROFILE = fixed(
    select(users.c.claims).where(
        users.c.environment_id == bindparam("environment"),
        users.c.user_id == bindparam("user"),
        users.c.credentials_digest == bindparam("digest"),
    )
)
_BY_SUB = fixed(select(*USER_COLUMNS).where(users.c.sub == bindparam("wanted_sub")))
_BY_ID = select(*USER_COLUMNS).where(
    users.c.environment_id == bindparam("environment"), users.c.user_id == bindparam("user")
)
_HOLD = select(users.c.sub).where(users.c.sub == bindparam("wanted_sub")).with_for_update(key_share=True)
_DISABLE = update(users).where(users.c.sub == bindparam("wanted_sub")).values(disabled_at=bindparam("moment"))
_REVOKE = (
    update(users)
    .where(users.c.sub == bindparam("wanted_sub"))
    # Never earlier than it was: a clock that is behind gives nothing back (threats R4).
    .values(revoked_at=case((users.c.revoked_at > bindparam("moment"), users.c.revoked_at), else_=bindparam("moment")))
)
_SESSION_ENDED = (
    update(users)
    .where(users.c.environment_id == bindparam("environment"), users.c.user_id == bindparam("user"))
    .values(
        session_ended_at=case(
            (users.c.session_ended_at > bindparam("moment"), users.c.session_ended_at), else_=bindparam("moment")
        )
    )
)
_ERASE = (
    update(users)
    .where(users.c.sub == bindparam("wanted_sub"))
    .values(
        claims="{}",
        credentials_digest="",
        told_at=bindparam("moment"),
        updated_at=bindparam("moment"),
        erased_at=bindparam("moment"),
    )
)
_DELETE = (
    update(users)
    .where(users.c.sub == bindparam("wanted_sub"), users.c.deleted_at.is_(None))
    .values(deleted_at=bindparam("moment"), merged_into=bindparam("survivor"))
)


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
    """The user with that sub, whatever has become of them."""
    row = tx.execute(_BY_SUB, {"wanted_sub": sub}).first()
    return None if row is None else user_of(row)


def by_id(tx: Tx, environment_id: str, user_id: str) -> User | None:
    """The user whom Dynamic knows by that id, whatever has become of them."""
    row = tx.execute(_BY_ID, {"environment": environment_id, "user": user_id}).first()
    return None if row is None else user_of(row)


def user_of(row: Row[*tuple[Any, ...]], prefix: str = "", *, claims: Json | None = None) -> User:
    """The user in a row that holds USER_COLUMNS, each name behind `prefix`. `claims`: those that hold instead."""
    sub, environment_id, user_id, stored, disabled_at, revoked_at, session_ended_at, deleted_at = _VALUES[prefix](row)
    return User(
        sub,
        environment_id,
        user_id,
        json.loads(stored) if claims is None else claims,
        disabled=disabled_at is not None,
        revoked_at=revoked_at,
        session_ended_at=session_ended_at,
        deleted=deleted_at is not None,
    )


def set_disabled(tx: Tx, sub: str, *, disabled: bool, now: int) -> bool:
    """Switch a user off or on; False if there is none with that sub."""
    return tx.execute(_DISABLE, {"wanted_sub": sub, "moment": now if disabled else None}).rowcount == 1


def revoke(tx: Tx, sub: str, now: int) -> bool:
    """Take back whatever the user was given up to now; False if there is none with that sub."""
    return tx.execute(_REVOKE, {"wanted_sub": sub, "moment": now}).rowcount == 1


def hold(tx: Tx, subs: Iterable[str]) -> None:
    """From now on nobody opens a grant of theirs until we commit; who is opening one is waited for."""
    for sub in sorted(subs):  # in one order, so that two who hold the same do not wait for each other
        tx.execute(_HOLD, {"wanted_sub": sub})


def session_ended(tx: Tx, environment_id: str, user_id: str, now: int) -> bool:
    """A session of theirs at Dynamic has ended. Whoever opens a grant of theirs waits for this, or we for them.

    False if they are not known.
    """
    ended = {"environment": environment_id, "user": user_id, "moment": now}
    return tx.execute(_SESSION_ENDED, ended).rowcount == 1


def erase(tx: Tx, sub: str, now: int) -> bool:
    """Forget what is known of the user until they sign in again; the sub stays theirs, and is given to nobody else."""
    return tx.execute(_ERASE, {"wanted_sub": sub, "moment": now}).rowcount == 1


def delete(tx: Tx, sub: str, now: int, *, merged_into: str | None = None) -> bool:
    """The user is no more, at Dynamic and so here, and never comes back; False if that was known."""
    return tx.execute(_DELETE, {"wanted_sub": sub, "moment": now, "survivor": merged_into}).rowcount == 1
