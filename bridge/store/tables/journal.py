"""What happened, what Dynamic told, and what has still to be told to others."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from bridge.store.tables.schema import metadata

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("event", String(32), nullable=False),
    Column("actor", String(160), nullable=False),
    Column("client_id", String(128)),
    Column("sub", String(36), index=True),
    Column("sid", String(64), index=True),
    Column("grant_id", String(32), index=True),
    Column("cause", String(32)),
    Column("detail", Text, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),  # of a job that one of all instances does
    Column("taken_until", BigInteger, nullable=False),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("environment_id", String(36), primary_key=True),
    Column("event_id", String(128), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("receiver", String(160), nullable=False),
    Column("facts", Text, nullable=False),  # what is made into a message at each attempt; no token, no secret
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),  # the next attempt; while one runs, when it counts as lost
    Column("attempts", Integer, nullable=False),
    Column("last_error", String(64)),
    Column("dead_at", BigInteger),  # given up; an operator may try again
    Index("outbox_due", "dead_at", "due_at"),
    Index("outbox_receiver", "receiver"),
)

receivers = Table(
    "receivers",
    metadata,
    Column("receiver", String(160), primary_key=True),
    Column("failing_since", BigInteger),  # null: the last attempt was a success
    Column("failures", Integer, nullable=False),  # one after the other
    Column("retry_at", BigInteger),  # nothing is sent to it before
    Column("delivered_at", BigInteger),
    Column("last_error", String(64)),
)
