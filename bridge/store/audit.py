"""The audit log: one row for each decision that mattered, written in the transaction that made it."""

import json
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Row, Select, and_, insert, or_, select, update

from bridge.history import AuditEntry, Cause, Event
from bridge.store.database import Tx
from bridge.store.tables import audit
from bridge.store.transaction import fixed

_dumped = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_RECORD = fixed(insert(audit), *(column.name for column in audit.c if column.name != "id"), forgettable=True)
_RECORD_MANY = insert(audit)
_NEWEST = select(audit).order_by(audit.c.id.desc())
HEARD = "audit_entries"  # where a transaction keeps what is to be told of it (store/telling.py)
_EVENTS = {event.word: event for event in Event}  # a newer version may know others, which are passed over
_CAUSES = {cause.word: cause for cause in Cause}


def record(tx: Tx, entry: AuditEntry) -> None:
    """Keep an entry."""
    tx.execute(_RECORD, _row(entry))
    _hear(tx, entry)


def record_all(tx: Tx, entries: Iterable[AuditEntry]) -> None:
    """Keep entries."""
    kept = list(entries)
    if kept:
        tx.execute(_RECORD_MANY, [_row(entry) for entry in kept])
        _hear(tx, *kept)


def forget_identifiers(tx: Tx, sub: str) -> None:
    """Take out of a user's sign-ins what the entries say of who it was, beside the sub."""
    signed_in = select(audit.c.id, audit.c.detail).where(audit.c.sub == sub, audit.c.event == Event.SIGNED_IN.word)
    for row in tx.execute(signed_in).all():
        detail = json.loads(row.detail)
        left = {name: value for name, value in detail.items() if name not in ("email", "wallet")}
        if left != detail:
            tx.execute(update(audit).where(audit.c.id == row.id).values(detail=_dumped(left)))


def concerning(tx: Tx, wanted: str, *, limit: int) -> list[AuditEntry]:
    """The newest entries about a sub, sid, grant_id or client_id, oldest of them first."""
    same = or_(audit.c.sub == wanted, audit.c.sid == wanted, audit.c.grant_id == wanted, audit.c.client_id == wanted)
    return _entries(tx, _NEWEST.where(same).limit(limit))[::-1]


def newest(tx: Tx, *, limit: int) -> list[AuditEntry]:
    """The newest entries, oldest of them first."""
    return _entries(tx, _NEWEST.limit(limit))[::-1]


def news_of_user(
    tx: Tx, sub: str, events: Collection[Event], closings: Collection[Cause], *, limit: int
) -> list[AuditEntry]:
    """The newest entries of these events about a user, and of grants closed for these causes; the newest first."""
    closed = and_(audit.c.event == Event.GRANT_CLOSED.word, audit.c.cause.in_([cause.word for cause in closings]))
    wanted = or_(audit.c.event.in_([event.word for event in events]), closed)
    return _entries(tx, _NEWEST.where(audit.c.sub == sub, wanted).limit(limit))


def of_user(tx: Tx, sub: str, *, limit: int) -> list[AuditEntry]:
    """The newest entries about a user, the newest first."""
    return _entries(tx, _NEWEST.where(audit.c.sub == sub).limit(limit))


def every_of_user(tx: Tx, sub: str) -> list[AuditEntry]:
    """Every entry about a user, oldest first."""
    return _entries(tx, select(audit).where(audit.c.sub == sub).order_by(audit.c.id))


def _entries(tx: Tx, wanted: Select[*tuple[Any, ...]]) -> list[AuditEntry]:
    return [_entry(row) for row in tx.execute(wanted) if row.event in _EVENTS]


def _entry(row: Row[*tuple[object, ...]]) -> AuditEntry:
    return AuditEntry(
        at=row.at,
        event=_EVENTS[row.event],
        actor=row.actor,
        client_id=row.client_id,
        sub=row.sub,
        sid=row.sid,
        grant_id=row.grant_id,
        cause=_CAUSES.get(row.cause) if row.cause is not None else None,
        detail=json.loads(row.detail),
    )


def _hear(tx: Tx, *entries: AuditEntry) -> None:
    heard = tx.info.get(HEARD)
    if heard is not None:
        heard.extend(entries)


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "event": entry.event.word,
        "actor": entry.actor,
        "client_id": entry.client_id,
        "sub": entry.sub,
        "sid": entry.sid,
        "grant_id": entry.grant_id,
        "cause": None if entry.cause is None else entry.cause.word,
        "detail": _dumped(entry.detail),
    }
