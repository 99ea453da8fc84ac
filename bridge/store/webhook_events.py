"""Events of Dynamic's that have had their effect: each is taken once, however often it is delivered (threats A23)."""

from bridge.store.database import Tx, insert_if_absent
from bridge.store.tables import webhook_events

KEPT = 30 * 86400
"""Seconds. A redelivery that comes later is taken again, which does no harm."""

_TAKE = insert_if_absent(webhook_events, "environment_id", "event_id", "expires_at")


def take_once(tx: Tx, environment_id: str, event_id: str, now: int) -> bool:
    """Whether this is the first time; of any number of concurrent takers one is told so, once the others commit."""
    row = {"environment_id": environment_id, "event_id": event_id, "expires_at": now + KEPT}
    return tx.execute(_TAKE, row).rowcount == 1
