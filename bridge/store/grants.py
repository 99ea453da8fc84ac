"""Grants that are kept: those that a code or a refresh token stands for. Opened once, closed once, for a cause."""

import json
import secrets
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, case, func, insert, or_, select, update

from bridge.errors import Refused
from bridge.history import Cause
from bridge.model import OFFLINE_ACCESS, Client, Grant, User
from bridge.reasons import Reason
from bridge.store.database import Tx
from bridge.store.tables import grants, upstream_sessions, users
from bridge.store.transaction import fixed


@dataclass(frozen=True, slots=True)
class KeptGrant:
    """A grant as it is remembered; its client and its user are looked up when it is used."""

    grant_id: str
    client_id: str
    sub: str
    sid: str
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    auth_time: int
    amr: tuple[str, ...]
    opened_at: int
    expires_at: int
    closed_at: int | None
    closed_cause: str | None
    session_id: str | None
    userinfo_claims: tuple[str, ...]

    def is_open(self, now: int) -> bool:
        """Whether it may still be used: neither closed nor past its absolute end."""
        return self.closed_at is None and now < self.expires_at

    def given_to(self, client: Client, user: User) -> Grant:
        """The grant as it was given, to be minted from; never past its absolute end."""
        return Grant(
            client=client,
            user=user,
            scope=self.scope,
            audience=self.audience,
            sid=self.sid,
            auth_time=self.auth_time,
            amr=self.amr,
            horizon=self.expires_at,
            session_ends_at=self.expires_at,
            grant_id=self.grant_id,
        )


_OPENED = (
    grants.c.grant_id,
    grants.c.client_id,
    grants.c.sub,
    grants.c.environment_id,
    grants.c.session_key,
    grants.c.sid,
    grants.c.scope,
    grants.c.audience,
    grants.c.auth_time,
    grants.c.amr,
    grants.c.opened_at,
    grants.c.expires_at,
    grants.c.session_id,
    grants.c.userinfo_claims,
    grants.c.survives_sign_out,
    grants.c.logout_owed,
)


_AS_ENDED = {
    "closed_at": func.coalesce(grants.c.closed_at, upstream_sessions.c.ended_at),
    "closed_cause": case(
        (
            and_(grants.c.closed_at.is_(None), upstream_sessions.c.ended_at.is_not(None)),
            Cause.DYNAMIC_SESSION_ENDED.word,
        ),
        else_=grants.c.closed_cause,
    ),
}
AS_IT_STANDS = tuple(_AS_ENDED[c.name].label(c.name) if c.name in _AS_ENDED else c for c in grants.c)
"""What `kept_grant` makes a grant of: closed once its session at Dynamic has ended, before its own row says so."""

ITS_UPSTREAM = and_(
    upstream_sessions.c.environment_id == grants.c.environment_id,
    upstream_sessions.c.session_key == grants.c.session_key,
)
"""What upstream_sessions is joined to grants by, for AS_IT_STANDS (an outer join)."""


def _from_ground(*columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """What a grant rests on, as long as nothing has ended it; nobody ends it until we commit.

    Where another transaction is ending it, this waits for that; the other way round, that waits for us, and closes
    this grant too. Locks are taken in one order everywhere: users, sessions at Dynamic, sessions, grants.
    """
    same_session = and_(
        upstream_sessions.c.environment_id == bindparam("ground_environment"),
        upstream_sessions.c.session_key == bindparam("ground_key"),
    )
    return (
        select(*columns)
        .select_from(users.join(upstream_sessions, same_session))
        .where(
            users.c.sub == bindparam("owner"),
            users.c.disabled_at.is_(None),
            users.c.deleted_at.is_(None),
            or_(users.c.revoked_at.is_(None), users.c.revoked_at < bindparam("as_of")),
            upstream_sessions.c.ended_at.is_(None),
        )
        .with_for_update(read=True)
    )


_HOLD = fixed(_from_ground(users.c.sub))
_OPEN = fixed(
    insert(grants)
    .from_select(_OPENED, _from_ground(*(bindparam(column.name, type_=column.type) for column in _OPENED)))
    .execution_options(preserve_rowcount=True)
)
_CLOSE = fixed(
    update(grants)
    .where(grants.c.grant_id == bindparam("wanted_id"), grants.c.closed_at.is_(None))
    .values(closed_at=bindparam("now"), closed_cause=bindparam("cause"))
)
_SHARED = select(grants.c.grant_id).where(
    grants.c.environment_id == bindparam("environment"),
    grants.c.session_key == bindparam("key"),
    grants.c.client_id == bindparam("client"),
    grants.c.sub == bindparam("owner"),
    grants.c.scope == bindparam("words"),
    grants.c.session_id.is_(None),
    grants.c.closed_at.is_(None),
    grants.c.expires_at >= bindparam("until"),
    grants.c.opened_at > bindparam("revoked"),
    grants.c.logout_owed.is_(True),
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a kept grant rests on: a session at Dynamic, and the browser's session if it came of one.

    `as_of`: the moment at which the user provably wanted it; a sign-out everywhere that came later ends it.
    """

    environment_id: str
    session_key: str
    as_of: int
    session_id: str | None = None
    userinfo_claims: tuple[str, ...] = ()  # asked for by name, for as long as the grant lives


def hold(tx: Tx, sub: str, ground: Ground) -> bool:
    """Whether a grant may still rest on this; if so, nobody ends it until we commit."""
    return tx.execute(_HOLD, {"owner": sub, **_held(ground)}).first() is not None


def open_grant(tx: Tx, grant: Grant, ground: Ground, *, expires_at: int, now: int) -> Grant:
    """Keep a grant until `expires_at`; the grant with its id and that horizon.

    Raises Refused if its user was disabled or signed out, or their session ended, since they were recognised.
    """
    if grant.user is None:
        raise ValueError("a grant without a user is not kept")
    kept = replace(grant, grant_id=secrets.token_urlsafe(16), horizon=expires_at, session_ends_at=expires_at)
    row = {
        "grant_id": kept.grant_id,
        "client_id": grant.client.client_id,
        "sub": grant.user.sub,
        "environment_id": ground.environment_id,
        "session_key": ground.session_key,
        "session_id": ground.session_id,
        "userinfo_claims": json.dumps(ground.userinfo_claims),
        "sid": grant.sid,
        "scope": " ".join(grant.scope),
        "audience": json.dumps(grant.audience),
        "auth_time": grant.auth_time,
        "amr": json.dumps(grant.amr),
        "opened_at": now,
        "expires_at": expires_at,
        "survives_sign_out": grant.client.offline_survives_logout and OFFLINE_ACCESS in grant.scope,
        "logout_owed": grant.client.backchannel_logout_uri is not None,
        "owner": grant.user.sub,
        **_held(ground),
    }
    if tx.execute(_OPEN, row).rowcount != 1:
        raise Refused(Reason.ASSERTION_REVOKED)
    return kept


def share_grant(tx: Tx, grant: Grant, ground: Ground, *, expires_at: int, now: int) -> Grant:
    """A grant that cannot be renewed, kept so that its client can be told of its end: one for all of its exchanges.

    Raises Refused as `open_grant` does.
    """
    if grant.user is None:
        raise ValueError("a grant without a user is not kept")
    row = {
        "environment": ground.environment_id,
        "key": ground.session_key,
        "client": grant.client.client_id,
        "owner": grant.user.sub,
        "words": " ".join(grant.scope),
        "until": expires_at,
        "revoked": -1 if grant.user.revoked_at is None else grant.user.revoked_at,  # such a one is being closed
    }
    shared = tx.execute(_SHARED, row).scalar()
    if shared is None:
        return open_grant(tx, grant, ground, expires_at=expires_at, now=now)
    return replace(grant, grant_id=str(shared), horizon=expires_at, session_ends_at=expires_at)


def close(tx: Tx, grant_id: str, cause: Cause, now: int) -> bool:
    """End a grant, and with it its refresh tokens and access tokens; False if it had ended already."""
    return tx.execute(_CLOSE, {"wanted_id": grant_id, "cause": cause.word, "now": now}).rowcount == 1


def matching(tx: Tx, wanted: str) -> list[KeptGrant]:
    """The grants with that grant_id, sub or sid, oldest first, ended ones included."""
    same = (grants.c.grant_id == wanted) | (grants.c.sub == wanted) | (grants.c.sid == wanted)
    found: Select[*tuple[object, ...]] = select(grants).where(same).order_by(grants.c.opened_at, grants.c.grant_id)
    return [kept_grant(row) for row in tx.execute(found)]


def of_user(tx: Tx, sub: str, *, limit: int) -> list[KeptGrant]:
    """The newest grants of a user, ended ones included, the newest first."""
    mine: Select[*tuple[object, ...]] = select(grants).where(grants.c.sub == sub)
    newest = mine.order_by(grants.c.opened_at.desc(), grants.c.grant_id).limit(limit)
    return [kept_grant(row) for row in tx.execute(newest)]


def _held(ground: Ground) -> dict[str, Any]:
    return {
        "ground_environment": ground.environment_id,
        "ground_key": ground.session_key,
        "as_of": ground.as_of,
    }


def kept_grant(row: Row[*tuple[object, ...]]) -> KeptGrant:
    """A row of the table as a value."""
    return KeptGrant(
        grant_id=row.grant_id,
        client_id=row.client_id,
        sub=row.sub,
        sid=row.sid,
        scope=tuple(row.scope.split()),
        audience=tuple(json.loads(row.audience)),
        auth_time=row.auth_time,
        amr=tuple(json.loads(row.amr)),
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
        closed_cause=row.closed_cause,
        session_id=row.session_id,
        userinfo_claims=tuple(json.loads(row.userinfo_claims or "[]")),
    )
