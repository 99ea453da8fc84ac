"""The schema. Times are whole seconds since the epoch; documents are JSON text; digests are SHA-256.

A table changes by a hand-written migration first, and here second; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

REVISION = "0002"
"""The migration that this code was written for: the head of migrations/versions."""

metadata = MetaData()

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

users = Table(
    "users",
    metadata,
    Column("environment_id", String(36), primary_key=True),
    Column("user_id", String(36), primary_key=True),
    Column("sub", String(36), nullable=False, unique=True),
    Column("claims", Text, nullable=False),
    # Of the credentials that the claims tell of; empty when the claims came from a token that does not tell.
    Column("credentials_digest", String(64), nullable=False),
    Column("told_at", BigInteger, nullable=False),  # when Dynamic said so; an older saying changes nothing
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
)

upstream_sessions = Table(
    "upstream_sessions",
    metadata,
    Column("environment_id", String(36), primary_key=True),
    Column("session_key", String(128), primary_key=True),  # Dynamic's originalSid, else its sid
    Column("user_id", String(36), nullable=False),
    Column("auth_time", BigInteger, nullable=False),  # the earliest sign-in time that we can prove
    Column("expires_at", BigInteger, nullable=False, index=True),
)

seen_assertions = Table(
    "seen_assertions",
    metadata,
    Column("environment_id", String(36), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
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
