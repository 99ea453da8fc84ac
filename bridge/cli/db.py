"""`oidc-bridge db upgrade` and `oidc-bridge sweep`."""

import click

from bridge.cli.configured import configured, fail
from bridge.config.settings import Config


@click.group()
def db() -> None:
    """The database's schema."""


@db.command("upgrade")
@configured
def upgrade_command(config: Config) -> None:
    """Bring the schema to this version; harmless if it is already there."""
    from bridge.cli.schema import SchemaTooNew, upgrade
    from bridge.store import Database

    database = Database(config.database_url)
    try:
        upgrade(database)
    except SchemaTooNew as error:
        fail(str(error))
    finally:
        database.close()
    click.echo("The schema is up to date.", err=True)


@click.command()
@configured
def sweep(config: Config) -> None:
    """Remove what has expired, in small batches. Run it every hour or so."""
    from bridge.clock import system_clock
    from bridge.store import Database
    from bridge.store.sweep import sweep as sweep_database

    database = Database(config.database_url)
    try:
        removed = sweep_database(database, system_clock())
    finally:
        database.close()
    for table, count in removed.items():
        click.echo(f"{count:>8}  {table}")
