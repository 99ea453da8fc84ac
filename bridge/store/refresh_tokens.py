"""Refresh tokens: one family per grant, in it exactly one that is unspent as long as the grant lives.

    hand_out ──▶ unspent ──redeem──▶ spent, and its successor unspent
                    0                  0 ──pad──▶ 1 ──pad──▶ 2 …       (sequence)

What a token in each state is good for is decided in lifecycle/refresh.py.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from bridge.model import User
from bridge.store.database import Tx
from bridge.store.grants import AS_IT_STANDS, ITS_UPSTREAM, KeptGrant, kept_grant
from bridge.store.handles import digest_of, is_refresh_token, new_refresh_token, pad_between, successor_of
from bridge.store.tables import grants, refresh_tokens, upstream_sessions, users
from bridge.store.transaction import fixed
from bridge.store.users import USER_BESIDE, user_of


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A refresh token that somebody presented, as we know it: its place in its family, its grant and its user."""

    token: str = field(repr=False)
    sequence: int
    expires_at: int
    spent_at: int | None
    head: int | None  # the sequence of the family's unspent token
    grant: KeptGrant
    user: User


_family = refresh_tokens.alias("family")
_HEAD = (
    select(_family.c.sequence)
    .where(_family.c.grant_id == refresh_tokens.c.grant_id, _family.c.state == "unspent")
    .scalar_subquery()
)
_FIND = fixed(
    select(
        *AS_IT_STANDS,
        *USER_BESIDE,
        refresh_tokens.c.sequence,
        refresh_tokens.c.expires_at.label("idle_at"),
        refresh_tokens.c.spent_at,
        _HEAD.label("head"),
    )
    .select_from(
        refresh_tokens.join(grants, grants.c.grant_id == refresh_tokens.c.grant_id)
        .join(users, users.c.sub == grants.c.sub)
        .outerjoin(upstream_sessions, ITS_UPSTREAM)
    )
    .where(refresh_tokens.c.digest == bindparam("wanted"))
)
_HAND_OUT = fixed(insert(refresh_tokens), "digest", "grant_id", "sequence", "state", "issued_at", "expires_at")
_SPEND = fixed(
    update(refresh_tokens)
    .where(refresh_tokens.c.digest == bindparam("wanted"), refresh_tokens.c.state == "unspent")
    .values(state="spent", spent_at=bindparam("now"), pad=bindparam("new_pad"))
)
_EXTEND = fixed(
    update(refresh_tokens)
    .where(refresh_tokens.c.digest == bindparam("wanted"), refresh_tokens.c.state == "unspent")
    .values(expires_at=bindparam("idle_at"))
)
_PADS = fixed(
    select(refresh_tokens.c.pad)
    .where(
        refresh_tokens.c.grant_id == bindparam("family"),
        refresh_tokens.c.sequence >= bindparam("since"),
        refresh_tokens.c.sequence < bindparam("head"),
    )
    .order_by(refresh_tokens.c.sequence)
)


def find(tx: Tx, token: str) -> PresentedToken | None:
    """The refresh token with its grant and user, whatever state they are in; None if it is none of ours."""
    if not is_refresh_token(token):
        return None
    row = tx.execute(_FIND, {"wanted": digest_of(token)}).first()
    if row is None:
        return None
    return PresentedToken(
        token=token,
        sequence=row.sequence,
        expires_at=row.idle_at,
        spent_at=row.spent_at,
        head=row.head,
        grant=kept_grant(row),
        user=user_of(row, prefix="user_"),
    )


def hand_out(tx: Tx, grant_id: str, *, expires_at: int, now: int) -> str:
    """The first refresh token of a grant."""
    token = new_refresh_token()
    tx.execute(_HAND_OUT, _row(token, grant_id, 0, expires_at=expires_at, now=now))
    return token


def redeem(tx: Tx, presented: PresentedToken, *, expires_at: int, now: int) -> str | None:
    """Spend the token; its successor, good until `expires_at`. None if another redemption came first."""
    successor = new_refresh_token()
    spent = {
        "wanted": digest_of(presented.token),
        "now": now,
        "new_pad": pad_between(presented.token, successor),
    }
    if tx.execute(_SPEND, spent).rowcount != 1:
        return None
    row = _row(successor, presented.grant.grant_id, presented.sequence + 1, expires_at=expires_at, now=now)
    tx.execute(_HAND_OUT, row)
    return successor


def extend(tx: Tx, presented: PresentedToken, *, expires_at: int) -> bool:
    """Let an unspent token live on unspent; False if it was spent meanwhile."""
    return tx.execute(_EXTEND, {"wanted": digest_of(presented.token), "idle_at": expires_at}).rowcount == 1


def head_after(tx: Tx, presented: PresentedToken) -> str:
    """The unspent token of the family that a spent one leads to, pad by pad.

    The one that was unspent when the presented token was found: should another transaction move the head meanwhile,
    it comes after us. What was found to have an unused successor would otherwise lead beyond that.
    """
    family = {"family": presented.grant.grant_id, "since": presented.sequence, "head": presented.head}
    token = presented.token
    for pad in tx.execute(_PADS, family).scalars():
        token = successor_of(token, pad)
    return token


def _row(token: str, grant_id: str, sequence: int, *, expires_at: int, now: int) -> dict[str, Any]:
    return {
        "digest": digest_of(token),
        "grant_id": grant_id,
        "sequence": sequence,
        "state": "unspent",
        "issued_at": now,
        "expires_at": expires_at,
    }
