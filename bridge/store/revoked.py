"""Access tokens that were taken back, until they would have expired, and what a token's use has to ask."""

import json
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from bridge.model import User
from bridge.store.database import Tx, insert_if_absent
from bridge.store.grants import ITS_UPSTREAM
from bridge.store.tables import grants, revoked_tokens, upstream_sessions, users
from bridge.store.transaction import fixed
from bridge.store.users import USER_COLUMNS, user_of


@dataclass(frozen=True, slots=True)
class Standing:
    """What has become of a token's user and grant since it was signed."""

    user: User
    is_revoked: bool
    grant_ended: bool
    userinfo_claims: tuple[str, ...]  # that its grant's request asked for by name


_REVOKE = fixed(insert_if_absent(revoked_tokens, "jti", "expires_at"))
_IS_REVOKED = select(revoked_tokens.c.jti).where(revoked_tokens.c.jti == bindparam("wanted_jti"))
_STANDING = fixed(
    select(
        *USER_COLUMNS,
        _IS_REVOKED.scalar_subquery().label("revoked"),
        grants.c.grant_id,
        func.coalesce(grants.c.closed_at, upstream_sessions.c.ended_at).label("closed_at"),
        grants.c.userinfo_claims,
    )
    .select_from(
        users.outerjoin(grants, grants.c.grant_id == bindparam("wanted_grant")).outerjoin(
            upstream_sessions, ITS_UPSTREAM
        )
    )
    .where(users.c.sub == bindparam("wanted_sub"))
)


def revoke(tx: Tx, jti: str, expires_at: int) -> bool:
    """Take an access token back; False if it was already."""
    return tx.execute(_REVOKE, {"jti": jti, "expires_at": expires_at}).rowcount == 1


def is_revoked(tx: Tx, jti: str) -> bool:
    """Whether a token that stands for its client alone was taken back."""
    return tx.execute(_IS_REVOKED, {"wanted_jti": jti}).first() is not None


def standing(tx: Tx, *, sub: str, jti: str, grant_id: str | None) -> Standing | None:
    """How a user's token stands now; None if its user is gone. A grant that is not remembered has ended."""
    row = tx.execute(_STANDING, {"wanted_sub": sub, "wanted_jti": jti, "wanted_grant": grant_id}).first()
    if row is None:
        return None
    ended = grant_id is not None and (row.grant_id is None or row.closed_at is not None)
    return Standing(
        user_of(row),
        is_revoked=row.revoked is not None,
        grant_ended=ended,
        userinfo_claims=tuple(json.loads(row.userinfo_claims or "[]")),
    )
