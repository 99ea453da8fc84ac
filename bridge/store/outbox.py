"""What has still to be done for others, or told to them: written in the transaction that owes it, done afterwards."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import insert

from bridge.model import Json
from bridge.store.database import Tx
from bridge.store.tables import outbox


class Kind(Enum):
    """What a message asks of whoever carries it out."""

    BACKCHANNEL_LOGOUT = "backchannel_logout"  # tell a client that a session has ended; receiver: its client_id
    CLOSE_REST = "close_rest"  # close what is left of a user who has ended; receiver: BRIDGE
    REREAD_USER = "reread_user"  # ask Dynamic how a user is now; receiver: the environment's id


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that is owed. `facts` holds identifiers only: what is sent is made of them at each attempt."""

    kind: Kind
    receiver: str
    facts: Json = field(default_factory=dict)


_PUT = insert(outbox)


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
