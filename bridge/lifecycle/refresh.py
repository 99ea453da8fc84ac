"""Refresh: what state a presented refresh token is in, and what follows from each. Race-proof, and forgiving.

    state        meaning                                                        what follows
    unspent      the newest of its family                                       spend it, hand out its successor
    just_spent   spent at most refresh_grace ago                                the family's unspent token, again
    unfollowed   spent longer ago, but its successor was never used             that successor, again
                 (refresh_retry_ttl; confidential clients alone)
    superseded   spent, and its successor was used                              the grant is closed

Parallel refreshes, a lost answer and a client that could not store its answer all land in the middle two. So does a
thief who comes in time: they then hold the same token as the owner, and the first of the two to be behind the other by
more than the window ends it for both. Rotation may be off for a confidential client: then its token stays unspent.
"""

from dataclasses import dataclass, field
from enum import Enum

from bridge.errors import Refused
from bridge.history import Cause, acting
from bridge.lifecycle.closing import close_grant
from bridge.lifecycle.gate import must_be_open
from bridge.model import Assertion, Client, Grant
from bridge.reasons import Reason
from bridge.store import Tx, grants, refresh_tokens
from bridge.store.grants import Ground
from bridge.store.refresh_tokens import PresentedToken


class HandleState(Enum):
    """The states of a presented refresh token whose grant is open; the words stand in the audit log."""

    UNSPENT = "unspent"
    JUST_SPENT = "just_spent"
    UNFOLLOWED = "unfollowed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept grant with a refresh token of it that is unspent."""

    grant: Grant
    refresh_token: str = field(repr=False)


def horizon(assertion: Assertion) -> int:
    """The last second that something may live which rests on a session at Dynamic.

    That session's own end if somebody tells us should it end earlier; else the assertion's, since nobody would.
    """
    if assertion.environment.revocations_heard and assertion.refresh_expires_at is not None:
        return assertion.refresh_expires_at
    return assertion.expires_at


def keep(tx: Tx, grant: Grant, assertion: Assertion, now: int) -> Kept:
    """Keep what an assertion gave, as long as its client may and the trust in the assertion reaches."""
    client = grant.client
    ends_at = min(now + client.refresh_absolute_ttl, horizon(assertion))
    ground = Ground(assertion.environment.environment_id, assertion.session_key, assertion.issued_at)
    kept = grants.open_grant(tx, grant, ground, expires_at=ends_at, now=now)
    return Kept(kept, first_token(tx, kept, ends_at, now))


def first_token(tx: Tx, kept: Grant, ends_at: int, now: int) -> str:
    """The first refresh token of a kept grant that ends at `ends_at`."""
    if kept.grant_id is None:
        raise ValueError("a kept grant has an id")
    return refresh_tokens.hand_out(tx, kept.grant_id, expires_at=_idle_at(kept.client, ends_at, now), now=now)


def state_of(presented: PresentedToken, client: Client, now: int) -> HandleState:
    """The state of a refresh token at a moment, by its client's settings."""
    if presented.spent_at is None:
        return HandleState.UNSPENT
    age = now - presented.spent_at
    if client.refresh_grace and age <= client.refresh_grace:
        return HandleState.JUST_SPENT
    was_followed = presented.head != presented.sequence + 1
    if not client.public and client.refresh_retry_ttl and age <= client.refresh_retry_ttl and not was_followed:
        return HandleState.UNFOLLOWED
    return HandleState.SUPERSEDED


def presented_by(tx: Tx, client: Client, token: str, now: int) -> PresentedToken:
    """The refresh token that a client presents, fit to be renewed.

    Raises Refused. Another client's token is refused and stays as it is; a superseded one closes its grant.
    """
    presented = refresh_tokens.find(tx, token)
    if presented is None or presented.grant.client_id != client.client_id:
        raise Refused(Reason.REFRESH_TOKEN_INVALID, "unknown" if presented is None else "of another client")
    grant = presented.grant
    must_be_open(grant, presented.user, now)
    if presented.head is None:
        raise Refused(Reason.REFRESH_TOKEN_EXPIRED, "swept")
    if state_of(presented, client, now) is HandleState.SUPERSEDED:
        where = {"sequence": presented.sequence, "spent_at": presented.spent_at, "head": presented.head}
        close_grant(tx, grant, Cause.REUSE_DETECTED, actor=acting(client), now=now, detail=where)
        raise Refused(Reason.REFRESH_TOKEN_REUSED)
    return presented


def renew(tx: Tx, presented: PresentedToken, client: Client, now: int) -> tuple[str, HandleState]:
    """The family's unspent refresh token after this presentation, and the state that the presented one was in.

    Raises Refused.
    """
    state = state_of(presented, client, now)
    if state is not HandleState.UNSPENT:
        return _head(tx, presented, now), state
    if presented.expires_at <= now:
        raise Refused(Reason.REFRESH_TOKEN_EXPIRED)
    idle_at = _idle_at(client, presented.grant.expires_at, now)
    if not client.refresh_rotation and not client.public:
        token = presented.token if refresh_tokens.extend(tx, presented, expires_at=idle_at) else None
    else:
        token = refresh_tokens.redeem(tx, presented, expires_at=idle_at, now=now)
    if token is not None:
        return token, state
    # Another redemption of the same token came between our look and our move: this one is a retry of it.
    return renew(tx, presented_by(tx, client, presented.token, now), client, now)


def _head(tx: Tx, presented: PresentedToken, now: int) -> str:
    head = refresh_tokens.find(tx, refresh_tokens.head_after(tx, presented))
    if head is None or head.expires_at <= now:
        raise Refused(Reason.REFRESH_TOKEN_EXPIRED, "its successor")
    return head.token


def _idle_at(client: Client, ends_at: int, now: int) -> int:
    return min(now + client.refresh_idle_ttl, ends_at)
