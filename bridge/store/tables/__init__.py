"""The schema. Times are whole seconds since the epoch; documents are JSON text; digests are SHA-256.

A table changes by a hand-written migration first, and here second; a test compares the two.
"""

from bridge.store.tables.granted import codes, grants, refresh_tokens, revoked_tokens, seen_assertions
from bridge.store.tables.journal import audit, leases, outbox, receivers, webhook_events
from bridge.store.tables.people import consents, requests, sessions, upstream_sessions, upstream_sids, users
from bridge.store.tables.registered import client_credentials, clients, secrets, signing_keys
from bridge.store.tables.schema import metadata

REVISION = "0008"
"""The migration that this code was written for: the head of migrations/versions."""

__all__ = [
    "REVISION",
    "audit",
    "client_credentials",
    "clients",
    "codes",
    "consents",
    "grants",
    "leases",
    "metadata",
    "outbox",
    "receivers",
    "refresh_tokens",
    "requests",
    "revoked_tokens",
    "secrets",
    "seen_assertions",
    "sessions",
    "signing_keys",
    "upstream_sessions",
    "upstream_sids",
    "users",
    "webhook_events",
]
