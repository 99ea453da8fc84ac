"""`oidc-bridge sweep`: removal of what has expired."""

import click

from bridge.cli.configured import configured, opened
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.store.sweep import sweep as sweep_database


@click.command()
@configured
def sweep(config: Config) -> None:
    """Remove what has expired, in small batches. Run it every hour or so."""
    with opened(config) as database:
        removed = sweep_database(database, system_clock(), audit_retention=config.audit_retention)
    for table, count in removed.items():
        click.echo(f"{count:>8}  {table}")
