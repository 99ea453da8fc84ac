"""Clients and their credentials, our signing keys and other secrets."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Table, Text, text

from bridge.store.tables.schema import metadata

clients = Table(
    "clients",
    metadata,
    Column("client_id", String(128), primary_key=True),
    Column("settings", Text, nullable=False),  # bridge.model.Client without its id and its secrets
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

client_credentials = Table(
    "client_credentials",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", String(128), nullable=False, index=True),
    Column("kind", String(32), nullable=False),  # secret_sha256; public keys later
    Column("value", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("not_after", BigInteger),  # null: until replaced
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("alg", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("private_key", Text, nullable=False),  # PEM, sealed
    Column("created_at", BigInteger, nullable=False),
    Column("activated_at", BigInteger),  # of this and the next two: null until it has come
    Column("retired_at", BigInteger),
    Column("published_until", BigInteger),
    CheckConstraint("state IN ('pending', 'active', 'retired')", name="signing_keys_state"),
    Index(
        "signing_keys_one_active",
        "alg",
        unique=True,
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
    Index(
        "signing_keys_one_pending",
        "alg",
        unique=True,
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),  # sealed
    Column("created_at", BigInteger, nullable=False),
)
