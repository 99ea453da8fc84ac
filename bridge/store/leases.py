"""Leases: of any number of instances one does a piece of work, for as long as it is taken."""

from sqlalchemy import text

from bridge.clock import CLOCKS_DIFFER
from bridge.store.database import Tx
from bridge.store.transaction import fixed

# A lease that ends later than it can have been taken for is from a clock that was set back since: it binds nobody.
_TAKE = fixed(
    text(
        "INSERT INTO leases AS kept (name, taken_until) VALUES (:name, :until)"
        " ON CONFLICT (name) DO UPDATE SET taken_until = excluded.taken_until"
        " WHERE kept.taken_until <= :now OR kept.taken_until > :latest"
    )
)


def take(tx: Tx, name: str, now: int, *, seconds: int) -> bool:
    """Whether the work of that name is ours for so many seconds; one of those who ask is told so, under any race."""
    latest = now + seconds + CLOCKS_DIFFER
    return tx.execute(_TAKE, {"name": name, "until": now + seconds, "now": now, "latest": latest}).rowcount == 1
