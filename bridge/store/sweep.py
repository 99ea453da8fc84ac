"""Removal of what has expired, in small batches, so that nobody waits for it."""

from sqlalchemy import ColumnElement, Table, delete, select, tuple_

from bridge.store.database import Database
from bridge.store.tables import client_credentials, seen_assertions, upstream_sessions

BATCH = 500


def sweep(database: Database, now: int) -> dict[str, int]:
    """Remove every expired row; how many of each table. One transaction per batch. Raises Unavailable."""
    return {
        table.name: _sweep_table(database, table, expired)
        for table, expired in (
            (seen_assertions, seen_assertions.c.expires_at < now),
            (upstream_sessions, upstream_sessions.c.expires_at < now),
            (client_credentials, client_credentials.c.not_after < now),
        )
    }


def _sweep_table(database: Database, table: Table, expired: ColumnElement[bool]) -> int:
    key = tuple_(*table.primary_key.columns)
    batch = delete(table).where(key.in_(select(*table.primary_key.columns).where(expired).limit(BATCH)))
    removed = 0
    while True:
        with database.writing() as tx:
            count = tx.execute(batch).rowcount
        removed += count
        if count < BATCH:
            return removed
