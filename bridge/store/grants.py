"""Grants that are kept: those that a refresh token stands for. Opened once, closed once, for a cause."""

import json
import secrets
from dataclasses import dataclass, replace

from sqlalchemy import Row, Select, bindparam, insert, select, update

from bridge.history import Cause
from bridge.model import Assertion, Grant
from bridge.store.database import Tx
from bridge.store.tables import grants


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

    def is_open(self, now: int) -> bool:
        """Whether it may still be used: neither closed nor past its absolute end."""
        return self.closed_at is None and now < self.expires_at


_OPEN = insert(grants)
_CLOSE = (
    update(grants)
    .where(grants.c.grant_id == bindparam("wanted_id"), grants.c.closed_at.is_(None))
    .values(closed_at=bindparam("now"), closed_cause=bindparam("cause"))
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


def open_grant(tx: Tx, grant: Grant, assertion: Assertion, *, expires_at: int, now: int) -> Grant:
    """Keep a grant that an assertion gave, until `expires_at`; the grant with its id and that horizon."""
    if grant.user is None:
        raise ValueError("a grant without a user is not kept")
    kept = replace(grant, grant_id=secrets.token_urlsafe(16), horizon=expires_at)
    row = {
        "grant_id": kept.grant_id,
        "client_id": grant.client.client_id,
        "sub": grant.user.sub,
        "environment_id": assertion.environment.environment_id,
        "session_key": assertion.session_key,
        "sid": grant.sid,
        "scope": " ".join(grant.scope),
        "audience": json.dumps(grant.audience),
        "auth_time": grant.auth_time,
        "amr": json.dumps(grant.amr),
        "opened_at": now,
        "expires_at": expires_at,
    }
    tx.execute(_OPEN, row)
    return kept


def close(tx: Tx, grant_id: str, cause: Cause, now: int) -> bool:
    """End a grant, and with it its refresh tokens and access tokens; False if it had ended already."""
    return tx.execute(_CLOSE, {"wanted_id": grant_id, "cause": cause.word, "now": now}).rowcount == 1


def open_of_user(tx: Tx, sub: str, now: int) -> list[KeptGrant]:
    """The grants that a user has given and that still live, oldest first."""
    return [kept_grant(row) for row in tx.execute(_OPEN_OF_USER, {"wanted_sub": sub, "now": now})]


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
    )
