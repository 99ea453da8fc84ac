"""Authorization codes: each stands for a kept grant, for a minute, and is redeemed once."""

import json
import secrets
from dataclasses import dataclass, field

from sqlalchemy import bindparam, insert, select, update

from bridge.model import AuthorizationRequest, User
from bridge.store.database import Tx
from bridge.store.grants import AS_IT_STANDS, ITS_UPSTREAM, KeptGrant, kept_grant
from bridge.store.handles import digest_of
from bridge.store.tables import codes, grants, upstream_sessions, users
from bridge.store.transaction import fixed
from bridge.store.users import USER_BESIDE, user_of

CODE_PREFIX = "dob_code_"
TTL = 60  # seconds (FAPI 2.0)
REMEMBERED = 86400  # seconds in which a second use is noticed, unless its grant ends earlier


@dataclass(frozen=True, slots=True)
class PresentedCode:
    """A code that somebody presented, as we know it, with its grant and its user."""

    code: str = field(repr=False)
    redirect_uri: str
    code_challenge: str | None
    nonce: str | None
    acr: str | None
    id_token_claims: tuple[str, ...]
    expires_at: int
    spent_at: int | None
    grant: KeptGrant
    user: User


_HAND_OUT = insert(codes)
_FIND = fixed(
    select(
        *AS_IT_STANDS,
        *USER_BESIDE,
        codes.c.redirect_uri,
        codes.c.code_challenge,
        codes.c.nonce,
        codes.c.acr,
        codes.c.id_token_claims,
        codes.c.expires_at.label("code_expires_at"),
        codes.c.spent_at,
    )
    .select_from(
        codes.join(grants, grants.c.grant_id == codes.c.grant_id)
        .join(users, users.c.sub == grants.c.sub)
        .outerjoin(upstream_sessions, ITS_UPSTREAM)
    )
    .where(codes.c.digest == bindparam("wanted"))
)
_SPEND = fixed(
    update(codes)
    .where(codes.c.digest == bindparam("wanted"), codes.c.spent_at.is_(None))
    .values(spent_at=bindparam("now"))
)


def hand_out(tx: Tx, grant_id: str, request: AuthorizationRequest, *, ends_at: int, now: int) -> str:
    """A new code for a grant that ends at `ends_at`, good for the client that made this request."""
    code = CODE_PREFIX + secrets.token_urlsafe(32)
    row = {
        "digest": digest_of(code),
        "grant_id": grant_id,
        "redirect_uri": request.redirect_uri,
        "code_challenge": request.code_challenge,
        "nonce": request.nonce,
        "acr": request.acr,
        "id_token_claims": json.dumps(request.id_token_claims),
        "expires_at": now + TTL,
        "forget_at": min(ends_at, now + REMEMBERED),
    }
    tx.execute(_HAND_OUT, row)
    return code


def find(tx: Tx, code: str) -> PresentedCode | None:
    """The code with its grant and user, whatever state they are in; None if it is none of ours."""
    if not code.startswith(CODE_PREFIX) or not code.isascii():
        return None
    row = tx.execute(_FIND, {"wanted": digest_of(code)}).first()
    if row is None:
        return None
    return PresentedCode(
        code=code,
        redirect_uri=row.redirect_uri,
        code_challenge=row.code_challenge,
        nonce=row.nonce,
        acr=row.acr,
        id_token_claims=tuple(json.loads(row.id_token_claims)),
        expires_at=row.code_expires_at,
        spent_at=row.spent_at,
        grant=kept_grant(row),
        user=user_of(row, prefix="user_"),
    )


def redeem(tx: Tx, presented: PresentedCode, now: int) -> bool:
    """Spend the code; False if another redemption came first."""
    return tx.execute(_SPEND, {"wanted": digest_of(presented.code), "now": now}).rowcount == 1
