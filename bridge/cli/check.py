"""`oidc-bridge check`: every fault at once, with what mends it."""

import stat
from collections.abc import Iterator

import click

from bridge.cli.configured import configured, say_fault
from bridge.config.settings import Config, Fault
from bridge.config.sources import DEFAULT_ENV_FILE
from bridge.model import Client


@click.command()
@click.option("--live", is_flag=True, help="Also ask the configured Dynamic environments for keys and settings.")
@configured
def check(config: Config, live: bool) -> None:
    """Report every fault of configuration and database. Exit code 1 if there is any."""
    faults = [*_file_faults(), *_database_faults(config)]
    for fault in faults:
        say_fault(fault.setting, fault.problem, fault.mend)
    failed = bool(faults)
    if live:
        failed = _examine(config) or failed
    if failed:
        raise SystemExit(1)
    click.secho("✓ The configuration is safe to serve with.", fg="green")


def _file_faults() -> Iterator[Fault]:
    if DEFAULT_ENV_FILE.exists() and stat.S_IMODE(DEFAULT_ENV_FILE.stat().st_mode) & 0o077:
        yield Fault(str(DEFAULT_ENV_FILE), "holds secrets and others may read it", f"chmod 600 {DEFAULT_ENV_FILE}")


def _database_faults(config: Config) -> Iterator[Fault]:
    from bridge.config.client_checks import client_faults
    from bridge.store import Database, clients, keys
    from bridge.store.database import SchemaMismatch, sqlite_path
    from bridge.store.seal import SealBroken, Sealer

    database = Database(config.database_url)
    try:
        database.check_schema()
        with database.reading() as tx:
            registered = clients.every(tx)
            keys.load_active(tx, Sealer(config.secret_keys))
    except SchemaMismatch as mismatch:
        if sqlite_path(config.database_url) is None or "newer" in str(mismatch):
            yield Fault("BRIDGE_DATABASE_URL", str(mismatch), "Nothing else can be said about the database before.")
        return  # `serve` makes and migrates an SQLite database by itself
    except SealBroken:
        yield Fault(
            "BRIDGE_SECRET_KEYS",
            "none of the keys opens what the database holds",
            "Set the keys that the database was made with (append new ones, never replace).",
        )
        return
    finally:
        database.close()
    declared = {client.client_id for client in config.clients}
    known = [environment.environment_id for environment in config.environments]
    for client in registered:
        if client.client_id in declared:
            mend = "Choose another id in bridge.toml."
            yield Fault(f"client {client.client_id}", "is in bridge.toml and in the database", mend)
        yield from client_faults(client, environments=known, needs_secret=True)


def _examine(config: Config) -> bool:
    """Whether any environment has a fault. Findings go to stdout."""
    from bridge.dynamic.live import examine
    from bridge.fetch import Fetcher

    marks = {"ok": ("✓", "green"), "note": ("•", "yellow"), "fault": ("✗", "red")}
    failed = False
    fetcher = Fetcher(development=config.development)
    for environment in config.environments:
        click.secho(f"Dynamic environment {environment.environment_id} at {environment.api_base_url}", bold=True)
        origins = {
            origin
            for client in _clients(config)
            if not client.environments or environment.environment_id in client.environments
            for origin in client.assertion_origins
        }
        for finding in examine(environment, fetcher, origins=origins, max_lifetime=config.assertion_max_lifetime):
            mark, colour = marks[finding.level]
            click.echo(f"  {click.style(mark, fg=colour)} {finding.what}")
            if finding.mend:
                click.secho(f"    → {finding.mend}", dim=True)
            failed = failed or finding.level == "fault"
    fetcher.close()
    return failed


def _clients(config: Config) -> list[Client]:
    from bridge.store import Database, clients
    from bridge.store.database import SchemaMismatch

    database = Database(config.database_url)
    try:
        database.check_schema()
        with database.reading() as tx:
            return [*config.clients, *clients.every(tx)]
    except SchemaMismatch:
        return list(config.clients)
    finally:
        database.close()
