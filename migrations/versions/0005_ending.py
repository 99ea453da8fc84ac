"""How sessions end: what Dynamic tells of them, who has to be told, and what is still to be sent."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("users", sa.Column("session_ended_at", sa.BigInteger))
    op.add_column("users", sa.Column("deleted_at", sa.BigInteger))
    op.add_column("users", sa.Column("merged_into", sa.String(36)))
    op.add_column("upstream_sessions", sa.Column("ended_at", sa.BigInteger))
    op.add_column("upstream_sessions", sa.Column("alive_at", sa.BigInteger))
    op.create_index("upstream_sessions_ended", "upstream_sessions", ["environment_id", "user_id", "ended_at"])
    op.add_column("sessions", sa.Column("user_agent", sa.Text))
    op.add_column("grants", sa.Column("survives_sign_out", sa.Boolean))
    op.add_column("grants", sa.Column("logout_owed", sa.Boolean))
    op.create_table(
        "upstream_sids",
        sa.Column("environment_id", sa.String(36), primary_key=True),
        sa.Column("sid", sa.String(128), primary_key=True),
        sa.Column("session_key", sa.String(128), nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    )
    op.create_index("upstream_sids_of_session", "upstream_sids", ["environment_id", "session_key"])
    op.create_table(
        "webhook_events",
        sa.Column("environment_id", sa.String(36), primary_key=True),
        sa.Column("event_id", sa.String(128), primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("receiver", sa.String(160), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.String(64)),
        sa.Column("dead_at", sa.BigInteger),
    )
    op.create_index("outbox_due", "outbox", ["dead_at", "due_at"])
    op.create_index("outbox_receiver", "outbox", ["receiver"])
    op.create_table(
        "receivers",
        sa.Column("receiver", sa.String(160), primary_key=True),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("retry_at", sa.BigInteger),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("last_error", sa.String(64)),
    )
