"""The schema. Times are whole seconds since the epoch; documents are JSON text; digests are SHA-256.

A table changes by a hand-written migration first, and here second; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

REVISION = "0004"
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
    Column("revoked_at", BigInteger),  # what was issued up to then is over
)

upstream_sessions = Table(
    "upstream_sessions",
    metadata,
    Column("environment_id", String(36), primary_key=True),
    Column("session_key", String(128), primary_key=True),  # Dynamic's originalSid, else its sid
    Column("user_id", String(36), nullable=False),
    Column("auth_time", BigInteger, nullable=False),  # the earliest sign-in time that we can prove
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("first_seen_at", BigInteger),  # by our clock; null: before this was kept
    Column("signed_out_at", BigInteger),  # it has opened a session here that the user ended: it opens none silently
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

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("jti", String(64), primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

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

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String(32), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),  # SHA-256 of the cookie, which is new at each login
    Column("sub", String(36), nullable=False, index=True),
    Column("environment_id", String(36), nullable=False),
    Column("session_key", String(128), nullable=False),  # the session at Dynamic that it rests on
    Column("origin", Text, nullable=False),  # of the page that the assertion was issued to
    Column("auth_time", BigInteger, nullable=False),
    Column("amr", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("idle_at", BigInteger, nullable=False),  # when it has not been used for too long
    Column("expires_at", BigInteger, nullable=False, index=True),  # its absolute end
    Column("closed_at", BigInteger),
    Column("closed_cause", String(32)),
    CheckConstraint("(closed_at IS NULL) = (closed_cause IS NULL)", name="sessions_closed_for_a_cause"),
    Index("sessions_of_upstream", "environment_id", "session_key"),
)

requests = Table(
    "requests",
    metadata,
    Column("request_id", String(48), primary_key=True),
    Column("client_id", String(128), nullable=False),
    Column("query", Text, nullable=False),  # the authorization request as it came
    Column("browser_digest", LargeBinary(32)),  # SHA-256 of the cookie of the browser that began it
    Column("began_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("tries", Integer, nullable=False),  # how often the sign-in page was asked for a fresh sign-in
    Column("proof_digest", LargeBinary(32)),  # SHA-256 of the value that opens the session, once
    Column("proof", Text),  # what the session will be made of
    Column("proven_sub", String(36)),
    Column("signed_in_as", String(36)),  # the sub for whom the proof was redeemed
    Column("is_fresh", Boolean),  # the user acted for that sign-in
    Column("consented_by", String(36)),  # the sub who allowed it
    Column("denied_at", BigInteger),
    Column("finished_at", BigInteger),
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

consents = Table(
    "consents",
    metadata,
    Column("sub", String(36), primary_key=True),
    Column("client_id", String(128), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("given_at", BigInteger, nullable=False),
)
