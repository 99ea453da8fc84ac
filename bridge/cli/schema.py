"""Migrations: the only use of Alembic outside migrations/. A serving worker never imports this."""

from alembic import command
from alembic.config import Config as AlembicConfig

from bridge.assets import MIGRATIONS
from bridge.store import Database


def upgrade(database: Database) -> None:
    """Bring the schema to this program's version, in one transaction that holds off every other writer.

    Raises Unavailable; alembic's CommandError if the schema is newer than this program.
    """
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.writing() as tx:
        settings.attributes["connection"] = tx
        command.upgrade(settings, "head")
