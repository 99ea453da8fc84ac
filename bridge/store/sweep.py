"""Removal of what has expired, in small batches, so that nobody waits for it."""

from sqlalchemy import ColumnElement, Table, delete, select, tuple_

from bridge.clock import CLOCKS_DIFFER
from bridge.store.database import Database
from bridge.store.tables import (
    audit,
    client_credentials,
    codes,
    grants,
    outbox,
    refresh_tokens,
    requests,
    revoked_tokens,
    seen_assertions,
    sessions,
    upstream_sessions,
    upstream_sids,
    webhook_events,
)

BATCH = 500
KEPT_AFTER_EXPIRY = 2 * 3600
"""Seconds. A clock that was an hour ahead and is set right must have made us forget neither what was taken once or
taken back, nor what somebody still holds."""


def sweep(database: Database, now: int, *, audit_retention: int) -> dict[str, int]:
    """Remove every expired row, and audit entries and dead letters older than `audit_retention` seconds; how many.

    A spent refresh token is remembered until it would have been idle for too long: so long its reuse is noticed. One
    transaction per batch. Raises Unavailable.
    """
    past, just_past = now - KEPT_AFTER_EXPIRY, now - CLOCKS_DIFFER  # another instance may still honour it
    return {
        table.name: _sweep_table(database, table, expired)
        for table, expired in (
            (seen_assertions, seen_assertions.c.expires_at < past),
            (upstream_sessions, upstream_sessions.c.expires_at < past),
            (upstream_sids, upstream_sids.c.expires_at < past),
            (webhook_events, webhook_events.c.expires_at < past),
            (client_credentials, client_credentials.c.not_after < past),
            (refresh_tokens, refresh_tokens.c.expires_at < past),
            (grants, grants.c.expires_at < past),
            (codes, codes.c.forget_at < past),
            (requests, requests.c.expires_at < just_past),  # anybody can make them, and losing one costs a click
            (sessions, sessions.c.expires_at < past),
            (revoked_tokens, revoked_tokens.c.expires_at < past),
            (audit, audit.c.at < now - audit_retention),
            (outbox, outbox.c.dead_at < now - audit_retention),
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
