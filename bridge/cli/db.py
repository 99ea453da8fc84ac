"""`oidc-bridge db`: the schema."""

import click

from bridge.cli.configured import configured
from bridge.cli.schema import upgrade as upgrade_schema
from bridge.config.settings import Config
from bridge.store import Database


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@configured
def upgrade(config: Config) -> None:
    """Bring the schema to this version; harmless if it is already there."""
    with Database(config.database_url) as database:
        upgrade_schema(database)
    click.echo("The schema is up to date.", err=True)
