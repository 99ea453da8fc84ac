"""Signing keys have a life: when each began to sign, was retired, and may go; at most one of an algorithm is pending.

Schema 0001 was only ever given active keys. Each has signed since it was made.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in ("activated_at", "retired_at", "published_until"):
        op.add_column("signing_keys", sa.Column(column, sa.BigInteger))
    op.execute("UPDATE signing_keys SET activated_at = created_at WHERE state = 'active'")
    op.create_index(
        "signing_keys_one_pending",
        "signing_keys",
        ["alg"],
        unique=True,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
