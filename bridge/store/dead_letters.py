"""The outbox as an operator sees it: what waits, what was given up, and trying it again or dropping it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Row, case, delete, func, select, true, update

from bridge.model import Json
from bridge.store import receivers
from bridge.store.database import Tx
from bridge.store.tables import outbox


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in the outbox. `dead_at` is set once it was given up. Kinds of a newer version are shown as well."""

    message_id: int
    kind: str
    receiver: str
    facts: Json
    created_at: int
    due_at: int
    attempts: int
    last_error: str | None
    dead_at: int | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many messages wait, and how many were given up; since when the oldest waits, and when the first is due."""

    waiting: int
    dead: int
    oldest_at: int | None
    due_at: int | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which messages are meant: of all, those with these ids, of this receiver, and, if `dead`, given up."""

    ids: tuple[int, ...] = ()
    receiver: str | None = None
    dead: bool = False

    def condition(self) -> ColumnElement[bool]:
        """The condition on the outbox."""
        chosen: ColumnElement[bool] = outbox.c.dead_at.is_not(None) if self.dead else true()
        if self.ids:
            chosen &= outbox.c.id.in_(self.ids)
        if self.receiver is not None:
            chosen &= outbox.c.receiver == self.receiver
        return chosen


def letters(tx: Tx, chosen: Chosen, *, limit: int) -> list[Letter]:
    """The oldest of these."""
    oldest = select(outbox).where(chosen.condition()).order_by(outbox.c.id).limit(limit)
    return [_letter(row) for row in tx.execute(oldest)]


def backlog(tx: Tx) -> Backlog:
    """What there is in the outbox, by one statement."""
    waits = outbox.c.dead_at.is_(None)
    oldest, due = (func.min(case((waits, column))) for column in (outbox.c.created_at, outbox.c.due_at))
    every, dead, *times = tx.execute(select(func.count(), func.count(outbox.c.dead_at), oldest, due)).one()
    return Backlog(int(every) - int(dead), int(dead), *times)


def retry(tx: Tx, chosen: Chosen, now: int) -> int:
    """Begin anew with these: they are due now, and their receivers are tried at once. How many.

    One that is being sent at this moment is left to whoever sends it.
    """
    idle = outbox.c.dead_at.is_not(None) | outbox.c.last_error.is_not(None)
    again = (
        update(outbox)
        .where(chosen.condition(), idle)
        .values(dead_at=None, due_at=now, attempts=0, last_error=None)
        .returning(outbox.c.kind, outbox.c.receiver)
    )
    found = tx.execute(again).all()
    for name in sorted({f"{row.kind}:{row.receiver}" for row in found}):
        receivers.begin_anew(tx, name, now)
    return len(found)


def drop(tx: Tx, chosen: Chosen) -> Sequence[Letter]:
    """Owe these no more; those."""
    return [_letter(row) for row in tx.execute(delete(outbox).where(chosen.condition()).returning(*outbox.c))]


def _letter(row: Row[*tuple[object, ...]]) -> Letter:
    return Letter(
        message_id=row.id,
        kind=row.kind,
        receiver=row.receiver,
        facts=json.loads(row.facts),
        created_at=row.created_at,
        due_at=row.due_at,
        attempts=row.attempts,
        last_error=row.last_error,
        dead_at=row.dead_at,
    )
