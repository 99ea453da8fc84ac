"""Who was erased, and has not signed in since: nothing that Dynamic tells of them is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("users", sa.Column("erased_at", sa.BigInteger))
