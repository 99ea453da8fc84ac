"""What users have consented to: one row per user and client, with every scope that was ever allowed."""

from collections.abc import Collection

from sqlalchemy import bindparam, delete, select, text

from bridge.store.database import Tx
from bridge.store.tables import consents

_FIND = select(consents.c.scope).where(
    consents.c.sub == bindparam("wanted_sub"), consents.c.client_id == bindparam("wanted_client")
)
_GIVE = text(
    """
    INSERT INTO consents (sub, client_id, scope, given_at) VALUES (:sub, :client_id, :scope, :given_at)
    ON CONFLICT (sub, client_id) DO UPDATE SET scope = excluded.scope, given_at = excluded.given_at
    """
)


def covers(tx: Tx, sub: str, client_id: str, scope: Collection[str]) -> bool:
    """Whether the user has allowed the client all of these scopes."""
    return set(scope) <= set(_given(tx, sub, client_id))


def give(tx: Tx, sub: str, client_id: str, scope: Collection[str], now: int) -> None:
    """Remember that the user allows the client these scopes, beside those allowed before."""
    words = sorted({*_given(tx, sub, client_id), *scope})
    tx.execute(_GIVE, {"sub": sub, "client_id": client_id, "scope": " ".join(words), "given_at": now})


def withdraw(tx: Tx, sub: str, client_id: str | None = None) -> int:
    """Forget what the user has allowed, one client alone if that is named; how many consents that were."""
    mine = delete(consents).where(consents.c.sub == sub)
    return tx.execute(mine if client_id is None else mine.where(consents.c.client_id == client_id)).rowcount


def _given(tx: Tx, sub: str, client_id: str) -> list[str]:
    found = tx.execute(_FIND, {"wanted_sub": sub, "wanted_client": client_id}).scalar()
    return [] if found is None else str(found).split()
