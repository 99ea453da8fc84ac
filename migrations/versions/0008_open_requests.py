"""How many authorization requests of one client are open: counted, and the oldest forgotten, by this index."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_index("requests_of_client", "requests", ["client_id", "began_at"])
