"""Grants, and what stands for them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bridge.store.tables.schema import metadata

grants = Table(
    "grants",
    metadata,
    Column("grant_id", String(32), primary_key=True),
    Column("client_id", String(128), nullable=False),
    Column("sub", String(36), nullable=False, index=True),
    Column("environment_id", String(36), nullable=False),
    Column("session_key", String(128), nullable=False),  # the session at Dynamic that it rests on
    Column("sid", String(64), nullable=False),  # what the client knows of that session
    Column("scope", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("auth_time", BigInteger, nullable=False),
    Column("amr", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),  # its absolute end; nothing of it lives longer
    Column("closed_at", BigInteger),
    Column("closed_cause", String(32)),
    Column("session_id", String(32)),  # of the browser's session that it came of, if any
    Column("userinfo_claims", Text),  # asked for by name (OIDC Core section 5.5)
    Column("survives_sign_out", Boolean),  # lives on when its user signs out here
    Column("logout_owed", Boolean),  # its client has to be told when the session ends, and was not yet
    CheckConstraint("(closed_at IS NULL) = (closed_cause IS NULL)", name="grants_closed_for_a_cause"),
    Index("grants_of_session", "environment_id", "session_key"),
    Index("grants_session_id", "session_id"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),  # SHA-256 of the token
    Column("grant_id", String(32), nullable=False),
    Column("sequence", BigInteger, nullable=False),  # 0, 1, 2 … within its grant
    Column("state", String(16), nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),  # when it has been idle for too long
    Column("spent_at", BigInteger),
    Column("pad", LargeBinary(32)),  # leads whoever holds this token to its successor, and nobody else
    CheckConstraint("state IN ('unspent', 'spent')", name="refresh_tokens_state"),
    CheckConstraint("(state = 'spent') = (spent_at IS NOT NULL)", name="refresh_tokens_spent_at"),
    CheckConstraint("(state = 'spent') = (pad IS NOT NULL)", name="refresh_tokens_pad"),
    UniqueConstraint("grant_id", "sequence", name="refresh_tokens_sequence"),
    Index(
        "refresh_tokens_one_unspent",
        "grant_id",
        unique=True,
        sqlite_where=text("state = 'unspent'"),
        postgresql_where=text("state = 'unspent'"),
    ),
)

codes = Table(
    "codes",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),  # SHA-256 of the code
    Column("grant_id", String(32), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("code_challenge", String(64)),  # S256
    Column("nonce", Text),
    Column("id_token_claims", Text, nullable=False),  # asked for by name (OIDC Core section 5.5)
    Column("acr", Text),
    Column("expires_at", BigInteger, nullable=False),
    Column("forget_at", BigInteger, nullable=False, index=True),  # until then a second use is noticed
    Column("spent_at", BigInteger),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

seen_assertions = Table(
    "seen_assertions",
    metadata,
    Column("environment_id", String(36), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
