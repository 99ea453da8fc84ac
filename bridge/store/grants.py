"""Grants that are kept: those that a code or a refresh token stands for. Opened once, closed once, for a cause."""

import json
import secrets
from dataclasses import dataclass, replace

from sqlalchemy import Row, Select, bindparam, insert, or_, select, update

from bridge.errors import Refused
from bridge.history import Cause
from bridge.model import Client, Grant, User
from bridge.reasons import Reason
from bridge.store.database import Tx
from bridge.store.tables import grants, users


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
)
# Where its user is being signed out by another transaction, this waits for the end of that; the other way round, that
# waits for us and closes this grant too.
_OPEN = (
    insert(grants)
    .from_select(
        _OPENED,
        select(*(bindparam(column.name, type_=column.type) for column in _OPENED))
        .select_from(users)
        .where(
            users.c.sub == bindparam("owner"),
            users.c.disabled_at.is_(None),
            or_(users.c.revoked_at.is_(None), users.c.revoked_at < bindparam("as_of")),
        )
        .with_for_update(read=True),
    )
    .execution_options(preserve_rowcount=True)
)
_CLOSE = (
    update(grants)
    .where(grants.c.grant_id == bindparam("wanted_id"), grants.c.closed_at.is_(None))
    .values(closed_at=bindparam("now"), closed_cause=bindparam("cause"))
)
_OPEN_OF_SESSION = (
    select(grants)
    .where(
        grants.c.session_id == bindparam("wanted_session"),
        grants.c.closed_at.is_(None),
        grants.c.expires_at > bindparam("now"),
    )
    .order_by(grants.c.opened_at)
)
_OPEN_OF_USER = (
    select(grants)
    .where(
        grants.c.sub == bindparam("wanted_sub"),
        grants.c.closed_at.is_(None),
        grants.c.expires_at > bindparam("now"),
    )
    .order_by(grants.c.opened_at)
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


def open_grant(tx: Tx, grant: Grant, ground: Ground, *, expires_at: int, now: int) -> Grant:
    """Keep a grant until `expires_at`; the grant with its id and that horizon.

    Raises Refused if its user was disabled or signed out since they were recognised.
    """
    if grant.user is None:
        raise ValueError("a grant without a user is not kept")
    kept = replace(grant, grant_id=secrets.token_urlsafe(16), horizon=expires_at)
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
        "owner": grant.user.sub,
        "as_of": ground.as_of,
    }
    if tx.execute(_OPEN, row).rowcount != 1:
        raise Refused(Reason.ASSERTION_REVOKED)
    return kept


def close(tx: Tx, grant_id: str, cause: Cause, now: int) -> bool:
    """End a grant, and with it its refresh tokens and access tokens; False if it had ended already."""
    return tx.execute(_CLOSE, {"wanted_id": grant_id, "cause": cause.word, "now": now}).rowcount == 1


def open_of_user(tx: Tx, sub: str, now: int) -> list[KeptGrant]:
    """The grants that a user has given and that still live, oldest first."""
    return [kept_grant(row) for row in tx.execute(_OPEN_OF_USER, {"wanted_sub": sub, "now": now})]


def open_of_session(tx: Tx, session_id: str, now: int) -> list[KeptGrant]:
    """The grants that came of a browser's session and still live, oldest first."""
    return [kept_grant(row) for row in tx.execute(_OPEN_OF_SESSION, {"wanted_session": session_id, "now": now})]


def matching(tx: Tx, wanted: str) -> list[KeptGrant]:
    """The grants with that grant_id, sub or sid, oldest first, ended ones included."""
    same = (grants.c.grant_id == wanted) | (grants.c.sub == wanted) | (grants.c.sid == wanted)
    found: Select[*tuple[object, ...]] = select(grants).where(same).order_by(grants.c.opened_at, grants.c.grant_id)
    return [kept_grant(row) for row in tx.execute(found)]


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
