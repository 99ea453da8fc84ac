"""Signing in with a browser: sessions, authorization requests, codes, consents."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("upstream_sessions", sa.Column("first_seen_at", sa.BigInteger))
    op.add_column("upstream_sessions", sa.Column("signed_out_at", sa.BigInteger))
    op.add_column("grants", sa.Column("session_id", sa.String(32)))
    op.add_column("grants", sa.Column("userinfo_claims", sa.Text))
    op.create_index("grants_session_id", "grants", ["session_id"])
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(32), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("sub", sa.String(36), nullable=False, index=True),
        sa.Column("environment_id", sa.String(36), nullable=False),
        sa.Column("session_key", sa.String(128), nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("auth_time", sa.BigInteger, nullable=False),
        sa.Column("amr", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("idle_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("closed_cause", sa.String(32)),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_cause IS NULL)", name="sessions_closed_for_a_cause"),
    )
    op.create_index("sessions_of_upstream", "sessions", ["environment_id", "session_key"])
    op.create_table(
        "requests",
        sa.Column("request_id", sa.String(48), primary_key=True),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("browser_digest", sa.LargeBinary(32)),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("proof_digest", sa.LargeBinary(32)),
        sa.Column("proof", sa.Text),
        sa.Column("proven_sub", sa.String(36)),
        sa.Column("signed_in_as", sa.String(36)),
        sa.Column("is_fresh", sa.Boolean),
        sa.Column("consented_by", sa.String(36)),
        sa.Column("denied_at", sa.BigInteger),
        sa.Column("finished_at", sa.BigInteger),
    )
    op.create_table(
        "codes",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("code_challenge", sa.String(64)),
        sa.Column("nonce", sa.Text),
        sa.Column("id_token_claims", sa.Text, nullable=False),
        sa.Column("acr", sa.Text),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("forget_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("spent_at", sa.BigInteger),
    )
    op.create_table(
        "consents",
        sa.Column("sub", sa.String(36), primary_key=True),
        sa.Column("client_id", sa.String(128), primary_key=True),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("given_at", sa.BigInteger, nullable=False),
    )
