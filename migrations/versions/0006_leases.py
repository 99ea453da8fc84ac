"""Who does what only one instance has to do, and until when it is theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("taken_until", sa.BigInteger, nullable=False),
    )
