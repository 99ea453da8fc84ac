"""`oidc-bridge db`: the schema, and the move to another database."""

import sys

import click

from bridge.cli.configured import configured, fail, opened
from bridge.cli.schema import upgrade as upgrade_schema
from bridge.config.settings import Config
from bridge.store import Database
from bridge.store.copying import SourceChanged, TargetNotEmpty
from bridge.store.copying import copy as copy_rows
from bridge.store.engines import is_database_url


@click.group()
def db() -> None:
    """The database's schema, and the move to another database."""


@db.command()
@configured
def upgrade(config: Config) -> None:
    """Bring the schema to this version; harmless if it is already there."""
    with Database(config.database_url) as database:
        upgrade_schema(database)
    click.echo("The schema is up to date.", err=True)


@db.command()
@click.option(
    "--to", required=True, help="The URL of an empty database; - reads it from stdin (it may hold a password)."
)
@configured
def copy(config: Config, to: str) -> None:
    """Copy everything into an empty database, and compare it row by row. Stop the bridge first.

    Start it again with BRIDGE_DATABASE_URL set to the new database and the same BRIDGE_SECRET_KEYS: nobody is logged
    out.
    """
    url = sys.stdin.readline().strip() if to == "-" else to
    if not is_database_url(url):
        fail("That is no database URL that this program can use. Write it like postgresql://user@host/name")
    with opened(config) as source, Database(url) as target:
        upgrade_schema(target)
        try:
            counts = copy_rows(source, target)
        except TargetNotEmpty:
            fail("The database to copy into holds rows already. Nothing was copied.")
        except SourceChanged:
            fail("The database changed while it was copied: stop the bridge first. Nothing was copied.")
    for table, count in counts.items():
        click.echo(f"{table:<20} {count:>10}")
    click.echo(f"{sum(counts.values())} rows copied and compared.", err=True)
