"""What has still to be done for others, or told to them: written in the transaction that owes it, done afterwards.

Whoever carries messages out claims a few on a lease, does them, and says what came of each. A message whose carrier
died comes back when its lease is over. So each is done at least once, and in the normal case once.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import ColumnElement, bindparam, delete, exists, insert, or_, select, update

from bridge.model import Json
from bridge.store import receivers
from bridge.store.database import Tx
from bridge.store.receivers import Health
from bridge.store.tables import outbox


class Kind(Enum):
    """What a message asks of whoever carries it out."""

    BACKCHANNEL_LOGOUT = "backchannel_logout"  # tell a client that a session has ended; receiver: its client_id
    CLOSE_REST = "close_rest"  # close what is left of what has ended; receiver: BRIDGE
    REREAD_USER = "reread_user"  # ask Dynamic how a user is now; receiver: the environment's id


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that is owed. `facts` holds identifiers only: what is sent is made of them at each attempt."""

    kind: Kind
    receiver: str
    facts: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lane:
    """The messages of one kind to one receiver: they wait for each other, and for nobody else."""

    kind: Kind
    receiver: str

    @property
    def name(self) -> str:
        """What its health is remembered by: a client's id may be spelt like another kind's receiver."""
        return f"{self.kind.value}:{self.receiver}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours until its lease ends. `attempts` counts this one; `health` is its receiver's."""

    message_id: int
    message: Message
    created_at: int
    attempts: int
    lease_ends: int
    health: Health


_PUT = insert(outbox)
_OPEN = outbox.c.dead_at.is_(None)
_MINE = (outbox.c.id == bindparam("message_id"), outbox.c.attempts == bindparam("as_claimed"), _OPEN)
"""Ours still: whoever claims it after us counts one attempt more."""
_CLAIM_COLUMNS = (outbox.c.id, outbox.c.facts, outbox.c.created_at, outbox.c.attempts)
_FAIL = update(outbox).where(*_MINE).values(due_at=bindparam("next_at"), last_error=bindparam("error"))
_BURY = update(outbox).where(*_MINE).values(dead_at=bindparam("moment"), last_error=bindparam("error"))
_HAND_BACK = update(outbox).where(*_MINE).values(due_at=bindparam("moment"), attempts=outbox.c.attempts - 1)


def put(tx: Tx, messages: Iterable[Message], now: int) -> None:
    """Owe these from now on."""
    rows = [
        {
            "kind": message.kind.value,
            "receiver": message.receiver,
            "facts": json.dumps(message.facts, sort_keys=True, separators=(",", ":")),
            "created_at": now,
            "due_at": now,
            "attempts": 0,
        }
        for message in messages
    ]
    if rows:
        tx.execute(_PUT, rows)


def due(tx: Tx, kinds: Iterable[Kind], now: int) -> list[Lane]:
    """The lanes of these kinds that have something to do now; not those whose receiver fails and has to be left."""
    held = exists().where(receivers.is_held(outbox.c.kind + ":" + outbox.c.receiver, now))
    wanted = (
        select(outbox.c.kind, outbox.c.receiver)
        .where(_OPEN, outbox.c.due_at <= now, outbox.c.kind.in_([kind.value for kind in kinds]), ~held)
        .distinct()
    )
    return [Lane(Kind(row.kind), row.receiver) for row in tx.execute(wanted)]


def claim(tx: Tx, lane: Lane, now: int, *, limit: int, lease: int) -> Sequence[Claimed]:
    """At most `limit` messages of a lane, ours for `lease` seconds; of a failing receiver one, as a probe."""
    until = now + lease
    health = receivers.may_send(tx, lane.name, now, until=until)
    if health is None:
        return ()
    picked = (
        select(outbox.c.id)
        .where(*_of(lane), outbox.c.due_at <= now)
        .order_by(outbox.c.due_at)
        .limit(1 if health.failures else limit)
        .with_for_update(skip_locked=True)
        .cte("picked")
    )
    claimed = (
        update(outbox)
        .where(outbox.c.id.in_(select(picked.c.id)))
        .values(due_at=until, attempts=outbox.c.attempts + 1, last_error=None)
        .returning(*_CLAIM_COLUMNS)
    )
    return [
        Claimed(
            row.id,
            Message(lane.kind, lane.receiver, json.loads(row.facts)),
            row.created_at,
            row.attempts,
            until,
            health,
        )
        for row in sorted(tx.execute(claimed), key=lambda row: int(row.id))
    ]


def done(tx: Tx, claimed: Claimed) -> bool:
    """It is done, whoever has it now; False if somebody said so before."""
    return tx.execute(delete(outbox).where(outbox.c.id == claimed.message_id)).rowcount == 1


def failed(tx: Tx, claimed: Claimed, error: str, *, next_at: int) -> bool:
    """It failed, and is due again at `next_at`; False if it is ours no more."""
    return tx.execute(_FAIL, {**_as_claimed(claimed), "error": error[:64], "next_at": next_at}).rowcount == 1


def bury(tx: Tx, claimed: Claimed, error: str, now: int) -> bool:
    """It is given up, and kept for an operator to see; False if it is ours no more."""
    return tx.execute(_BURY, {**_as_claimed(claimed), "error": error[:64], "moment": now}).rowcount == 1


def hand_back(tx: Tx, claimed: Iterable[Claimed], now: int) -> None:
    """These were not tried, and are due again."""
    rows = [{**_as_claimed(one), "moment": now} for one in claimed]
    if rows:
        tx.execute(_HAND_BACK, rows)


def make_due(tx: Tx, now: int) -> int:
    """Everything that is still owed is due, and no receiver is left alone; how many messages were not due yet.

    For a clock that was set back: what is under way is then done twice, which is better than an hour late.
    """
    receivers.free(tx, now)
    return tx.execute(update(outbox).where(_OPEN, outbox.c.due_at > now).values(due_at=now)).rowcount


def bury_old(tx: Tx, lane: Lane, error: str, now: int, *, before: int, limit: int) -> list[Message]:
    """Give up at most `limit` messages of a lane that wait since before a moment; those."""
    old = select(outbox.c.id).where(*_of(lane), outbox.c.created_at < before, _idle(now)).limit(limit)
    buried = (
        update(outbox)
        .where(outbox.c.id.in_(old), _OPEN)
        .values(dead_at=now, last_error=error[:64])
        .returning(outbox.c.facts)
    )
    return [Message(lane.kind, lane.receiver, json.loads(row.facts)) for row in tx.execute(buried)]


def _of(lane: Lane) -> tuple[ColumnElement[bool], ...]:
    return outbox.c.kind == lane.kind.value, outbox.c.receiver == lane.receiver, _OPEN


def _idle(now: int) -> ColumnElement[bool]:
    """Nobody has it now: it is due, or its last attempt failed."""
    return or_(outbox.c.due_at <= now, outbox.c.last_error.is_not(None))


def _as_claimed(claimed: Claimed) -> dict[str, int]:
    return {"message_id": claimed.message_id, "as_claimed": claimed.attempts}
