"""Migrations: the only use of Alembic outside migrations/. A serving worker never imports this."""

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError

from bridge.assets import MIGRATIONS
from bridge.errors import SchemaNewer
from bridge.store import Database


def upgrade(database: Database) -> None:
    """Bring the schema to this program's version, in one transaction that every other instance waits for.

    Raises SchemaNewer and Unavailable.
    """
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.migrating() as tx:
        settings.attributes["connection"] = tx
        try:
            command.upgrade(settings, "head")
        except CommandError as error:
            raise SchemaNewer from error  # a revision that our migrations do not know
