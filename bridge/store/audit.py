"""The audit log: one row for each decision that mattered, written in the transaction that made it."""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, insert, or_, select

from bridge.history import AuditEntry, Cause, Event
from bridge.store.database import Tx
from bridge.store.tables import audit

_RECORD = insert(audit)
_EVENTS = {event.word: event for event in Event}  # a newer version may know others, which are passed over
_CAUSES = {cause.word: cause for cause in Cause}


def record(tx: Tx, entry: AuditEntry) -> None:
    """Keep an entry."""
    tx.execute(_RECORD, _row(entry))


def record_all(tx: Tx, entries: Iterable[AuditEntry]) -> None:
    """Keep entries."""
    rows = [_row(entry) for entry in entries]
    if rows:
        tx.execute(_RECORD, rows)


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
        "detail": json.dumps(entry.detail, sort_keys=True, separators=(",", ":")),
    }


def concerning(tx: Tx, wanted: str, *, limit: int) -> list[AuditEntry]:
    """The newest entries about a sub, sid, grant_id or client_id, oldest of them first."""
    same = or_(audit.c.sub == wanted, audit.c.sid == wanted, audit.c.grant_id == wanted, audit.c.client_id == wanted)
    found = select(audit).where(same).order_by(audit.c.id.desc()).limit(limit)
    return [_entry(row) for row in tx.execute(found) if row.event in _EVENTS][::-1]


def newest(tx: Tx, *, limit: int) -> list[AuditEntry]:
    """The newest entries, oldest of them first."""
    return [
        _entry(row)
        for row in tx.execute(select(audit).order_by(audit.c.id.desc()).limit(limit))
        if row.event in _EVENTS
    ][::-1]


def about_user(tx: Tx, sub: str) -> list[AuditEntry]:
    """What befell a user as a whole, whatever the client: disabled, enabled, signed out. Oldest first."""
    whole = select(audit).where(audit.c.sub == sub, audit.c.client_id.is_(None)).order_by(audit.c.id)
    return [_entry(row) for row in tx.execute(whole) if row.event in _EVENTS]


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
