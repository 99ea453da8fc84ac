"""What a user has: browsers that are signed in, apps that may act for them, consents. For the user's own eyes."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, and_, func, select

from bridge.model import OFFLINE_ACCESS, Session, User
from bridge.store.database import Tx
from bridge.store.sessions import session_of
from bridge.store.tables import consents, grants, refresh_tokens, sessions, upstream_sessions


@dataclass(frozen=True, slots=True)
class Device:
    """A browser's session, when it was last used to get at an app, and when and why it was closed, if it was."""

    session: Session
    last_used_at: int
    closed_at: int | None
    closed_cause: str | None


@dataclass(frozen=True, slots=True)
class Consent:
    """What a user has allowed a client, and when last."""

    client_id: str
    scope: tuple[str, ...]
    given_at: int


@dataclass(frozen=True, slots=True)
class Connection:
    """What a client has of a user: grants that are open, a consent, or both.

    `claims` were asked for by name, beside those of the scope. `offline`: it may renew its access by itself.
    `last_used_at` is None where nothing was ever issued that is kept.
    """

    client_id: str
    scope: tuple[str, ...]
    claims: tuple[str, ...]
    since: int
    last_used_at: int | None
    offline: bool


_HEAD = and_(refresh_tokens.c.grant_id == grants.c.grant_id, refresh_tokens.c.state == "unspent")


def open_devices(tx: Tx, user: User, now: int, *, limit: int) -> list[Device]:
    """The user's newest sessions that live: every use of one would find it open."""
    same = and_(
        upstream_sessions.c.environment_id == sessions.c.environment_id,
        upstream_sessions.c.session_key == sessions.c.session_key,
    )
    live = (
        select(sessions)
        .select_from(sessions.join(upstream_sessions, same))
        .where(
            sessions.c.sub == user.sub,
            sessions.c.closed_at.is_(None),
            sessions.c.idle_at > now,
            sessions.c.expires_at > now,
            upstream_sessions.c.ended_at.is_(None),
            sessions.c.opened_at > (-1 if user.revoked_at is None else user.revoked_at),
        )
    )
    return _devices(tx, user.sub, live, limit)


def every_device(tx: Tx, sub: str, *, limit: int) -> list[Device]:
    """The user's newest sessions that are remembered, over or not."""
    return _devices(tx, sub, select(sessions).where(sessions.c.sub == sub), limit)


def device(tx: Tx, session_id: str) -> Device | None:
    """The session of that id, whosever it is."""
    row = tx.execute(select(sessions).where(sessions.c.session_id == session_id)).first()
    return None if row is None else _device(row, row.auth_time)


def consents_of(tx: Tx, sub: str) -> list[Consent]:
    """What the user has allowed, by client."""
    found = tx.execute(select(consents).where(consents.c.sub == sub).order_by(consents.c.client_id))
    return [Consent(row.client_id, tuple(row.scope.split()), row.given_at) for row in found]


def connections(tx: Tx, user: User, now: int) -> list[Connection]:
    """The clients that have something of the user, the one that was connected last first."""
    parts: dict[str, list[Connection]] = {}
    for part in (*_by_consent(tx, user.sub), *_by_grants(tx, user, now)):
        parts.setdefault(part.client_id, []).append(part)
    return sorted(map(_joined, parts.values()), key=lambda one: (-one.since, one.client_id))


def _by_consent(tx: Tx, sub: str) -> Iterator[Connection]:
    for consent in consents_of(tx, sub):
        yield Connection(consent.client_id, consent.scope, (), consent.given_at, None, offline=False)


def _by_grants(tx: Tx, user: User, now: int) -> Iterator[Connection]:
    """One part for all open grants of a client that hand over the same."""
    alike = (grants.c.client_id, grants.c.scope, grants.c.userinfo_claims)
    found = tx.execute(
        select(
            *alike,
            func.min(grants.c.opened_at).label("since"),
            func.max(grants.c.opened_at).label("opened_at"),
            func.max(refresh_tokens.c.issued_at).label("renewed_at"),
        )
        .select_from(grants.outerjoin(refresh_tokens, _HEAD))
        .where(
            grants.c.sub == user.sub,
            grants.c.closed_at.is_(None),
            grants.c.expires_at > now,
            grants.c.opened_at > (-1 if user.revoked_at is None else user.revoked_at),
        )
        .group_by(*alike)
    )
    for row in found:
        scope = tuple(row.scope.split())
        claims = tuple(json.loads(row.userinfo_claims or "[]"))
        last = max(row.opened_at, row.renewed_at or 0)
        yield Connection(row.client_id, scope, claims, row.since, last, offline=OFFLINE_ACCESS in scope)


def _joined(parts: Collection[Connection]) -> Connection:
    """Everything that one client has."""
    return Connection(
        client_id=next(part.client_id for part in parts),
        scope=tuple(dict.fromkeys(word for part in parts for word in part.scope)),
        claims=tuple(dict.fromkeys(name for part in parts for name in part.claims)),
        since=min(part.since for part in parts),
        last_used_at=max((part.last_used_at for part in parts if part.last_used_at is not None), default=None),
        offline=any(part.offline for part in parts),
    )


def _devices(tx: Tx, sub: str, wanted: Select[*tuple[Any, ...]], limit: int) -> list[Device]:
    newest = wanted.order_by(sessions.c.auth_time.desc(), sessions.c.session_id).limit(limit)
    rows = tx.execute(newest).all()
    used = _last_uses(tx, sub, [row.session_id for row in rows])
    return [_device(row, used.get(row.session_id, 0)) for row in rows]


def _device(row: Row[*tuple[Any, ...]], used_at: int) -> Device:
    last_used_at = max(row.opened_at, row.auth_time, used_at)
    return Device(session_of(row), last_used_at, row.closed_at, row.closed_cause)


def _last_uses(tx: Tx, sub: str, session_ids: Collection[str]) -> dict[str, int]:
    """When each session last let its user into an app, or an app renewed what it got of it."""
    found = tx.execute(
        select(
            grants.c.session_id,
            func.max(grants.c.opened_at).label("opened_at"),
            func.max(refresh_tokens.c.issued_at).label("renewed_at"),
        )
        .select_from(grants.outerjoin(refresh_tokens, _HEAD))
        .where(grants.c.sub == sub, grants.c.session_id.in_(session_ids))
        .group_by(grants.c.session_id)
    )
    return {row.session_id: max(row.opened_at, row.renewed_at or 0) for row in found}
