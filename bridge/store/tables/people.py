"""Users, their sessions at Dynamic and here, and what they have allowed."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, LargeBinary, String, Table, Text

from bridge.store.tables.schema import metadata

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
    Column("session_ended_at", BigInteger),  # by our clock: when a session of theirs at Dynamic ended last
    Column("deleted_at", BigInteger),  # Dynamic has deleted them, or merged them into another: they never come back
    Column("merged_into", String(36)),  # the user id that they are part of now
    Column("erased_at", BigInteger),  # until they sign in again, nothing that is told of them is kept
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
    Column("ended_at", BigInteger),  # by Dynamic's clock: nothing that Dynamic said earlier of this session holds
    Column("alive_at", BigInteger),  # by our clock: when Dynamic last said that it goes on
    Index("upstream_sessions_ended", "environment_id", "user_id", "ended_at"),
)

# Sids that are more than a session's key: those that a refresh gave it, and those that Dynamic has revoked.
upstream_sids = Table(
    "upstream_sids",
    metadata,
    Column("environment_id", String(36), primary_key=True),
    Column("sid", String(128), primary_key=True),
    Column("session_key", String(128), nullable=False),
    Column("issued_at", BigInteger, nullable=False),  # of the newest token that carried it; 0: none came
    Column("ended_at", BigInteger),  # revoked by Dynamic; its session may go on under a later sid
    Column("expires_at", BigInteger, nullable=False, index=True),
    Index("upstream_sids_of_session", "environment_id", "session_key"),
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
    Column("user_agent", Text),  # of the browser, as far as it tells; for its user's eyes alone
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
    Index("requests_of_client", "client_id", "began_at"),
)

consents = Table(
    "consents",
    metadata,
    Column("sub", String(36), primary_key=True),
    Column("client_id", String(128), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("given_at", BigInteger, nullable=False),
)
