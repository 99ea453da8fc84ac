"""Grants that are kept, their refresh tokens, access tokens taken back, and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("users", sa.Column("revoked_at", sa.BigInteger))
    op.create_table(
        "grants",
        sa.Column("grant_id", sa.String(32), primary_key=True),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("sub", sa.String(36), nullable=False, index=True),
        sa.Column("environment_id", sa.String(36), nullable=False),
        sa.Column("session_key", sa.String(128), nullable=False),
        sa.Column("sid", sa.String(64), nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("audience", sa.Text, nullable=False),
        sa.Column("auth_time", sa.BigInteger, nullable=False),
        sa.Column("amr", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("closed_cause", sa.String(32)),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_cause IS NULL)", name="grants_closed_for_a_cause"),
    )
    op.create_index("grants_of_session", "grants", ["environment_id", "session_key"])
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("spent_at", sa.BigInteger),
        sa.Column("pad", sa.LargeBinary(32)),
        sa.CheckConstraint("state IN ('unspent', 'spent')", name="refresh_tokens_state"),
        sa.CheckConstraint("(state = 'spent') = (spent_at IS NOT NULL)", name="refresh_tokens_spent_at"),
        sa.CheckConstraint("(state = 'spent') = (pad IS NOT NULL)", name="refresh_tokens_pad"),
        sa.UniqueConstraint("grant_id", "sequence", name="refresh_tokens_sequence"),
    )
    op.create_index(
        "refresh_tokens_one_unspent",
        "refresh_tokens",
        ["grant_id"],
        unique=True,
        sqlite_where=sa.text("state = 'unspent'"),
        postgresql_where=sa.text("state = 'unspent'"),
    )
    op.create_table(
        "revoked_tokens",
        sa.Column("jti", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False, index=True),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("client_id", sa.String(128)),
        sa.Column("sub", sa.String(36), index=True),
        sa.Column("sid", sa.String(64), index=True),
        sa.Column("grant_id", sa.String(32), index=True),
        sa.Column("cause", sa.String(32)),
        sa.Column("detail", sa.Text, nullable=False),
    )
