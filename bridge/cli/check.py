"""`oidc-bridge check`: every fault at once, with what mends it."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from bridge.assets import default_login_page
from bridge.cli.configured import configured, say_faults
from bridge.cli.login_page import is_current
from bridge.config.client_checks import client_faults
from bridge.config.settings import Config, Fault
from bridge.config.sources import DEFAULT_ENV_FILE
from bridge.dynamic.live import examine, examine_live_check, examine_webhooks
from bridge.errors import SchemaOld
from bridge.fetch import Fetcher
from bridge.model import Client
from bridge.store import Database, clients
from bridge.store.engines import sqlite_path
from bridge.store.rewrap import sealed_under
from bridge.store.seal import Sealer
from bridge.web.bundle import find_bundle


@click.command()
@click.option("--live", is_flag=True, help="Also ask the configured Dynamic environments for keys and settings.")
@configured
def check(config: Config, live: bool) -> None:
    """Report every fault of configuration and database. Exit code 1 if there is any."""
    registered = _registered(config)
    faults = [*_file_faults(config), *_database_faults(config, registered)]
    say_faults(faults)
    _note_old_page(config)
    failed = bool(faults)
    if live:
        failed = _examine(config, [*config.clients, *registered]) or failed
    if failed:
        raise SystemExit(1)
    click.secho("✓ The configuration is safe to serve with.", fg="green")


def _file_faults(config: Config) -> Iterator[Fault]:
    path = sqlite_path(config.database_url)
    settings = Path(os.environ.get("BRIDGE_CONFIG") or "bridge.toml")
    for secret in (
        DEFAULT_ENV_FILE,
        *([settings] if _holds_secrets(settings) else []),
        *([Path(path)] if path else []),
    ):
        if secret.exists() and stat.S_IMODE(secret.stat().st_mode) & 0o077:
            yield Fault(str(secret), "holds secrets and others may read it", f"chmod 600 {secret}")


def _holds_secrets(settings: Path) -> bool:
    """Whether a bridge.toml says more than anybody may read."""
    return settings.is_file() and any(
        word in settings.read_text("utf-8") for word in ("secret_keys", "api_token", "webhook_secrets")
    )


def _database_faults(config: Config, registered: Sequence[Client]) -> Iterator[Fault]:
    """What is wrong with the registered clients, now that others than the command line may have changed things."""
    declared = {client.client_id for client in config.clients}
    known = [environment.environment_id for environment in config.environments]
    for client in registered:
        if client.client_id in declared:
            mend = "Choose another id in bridge.toml."
            yield Fault(f"client {client.client_id}", "is in bridge.toml and in the database", mend)
        yield from client_faults(client, environments=known, needs_secret=True)


def _registered(config: Config) -> Sequence[Client]:
    """The database's clients, after a look at what is sealed there. Raises SchemaNewer, SealBroken, Unavailable.

    An SQLite database that is missing or old has none: `serve` makes and migrates it by itself.
    """
    path = sqlite_path(config.database_url)
    if path is not None and not Path(path).exists():
        return ()
    with Database(config.database_url) as database:
        try:
            database.check_schema()
        except SchemaOld:
            if not database.is_sqlite:
                raise
            return ()
        with database.reading() as tx:
            _note_old_seals(sealed_under(tx, Sealer(config.secret_keys)))
            return clients.every(tx)


def _note_old_seals(values: Mapping[int, int]) -> None:
    old = sum(count for number, count in values.items() if number != 1)
    if old:
        click.secho(f"• {old} sealed values are under an older secret key. Run: oidc-bridge keys rewrap", fg="yellow")


def _page_directory(config: Config) -> Path:
    return default_login_page() if config.login_page is None else Path(config.login_page)


def _has_own_page(config: Config) -> bool:
    """Whether this bridge has a sign-in page of its own, and somebody may be sent there."""
    return config.signin_url is None and find_bundle(config.login_page, default_login_page()) is not None


def _note_old_page(config: Config) -> None:
    if _has_own_page(config) and not is_current(_page_directory(config)):
        note = "• The sign-in page was built from other sources than this version's. Run: oidc-bridge login-page build"
        click.secho(note, fg="yellow")


def _examine(config: Config, registered: Sequence[Client]) -> bool:
    """Whether any environment has a fault. Findings go to stdout."""
    marks = {"ok": ("✓", "green"), "note": ("•", "yellow"), "fault": ("✗", "red")}
    failed = False
    fetcher = Fetcher(development=config.development)
    for environment in config.environments:
        click.secho(f"Dynamic environment {environment.environment_id} at {environment.api_base_url}", bold=True)
        origins = {
            origin
            for client in registered
            if not client.environments or environment.environment_id in client.environments
            for origin in client.assertion_origins
        }
        findings = (
            *examine(
                environment,
                fetcher,
                origins=origins,
                max_lifetime=config.assertion_max_lifetime,
                own_page=f"{config.issuer}/signin" if _has_own_page(config) else None,
            ),
            *examine_webhooks(environment, fetcher, issuer=config.issuer),
            *examine_live_check(environment, fetcher),
        )
        for finding in findings:
            mark, colour = marks[finding.level]
            click.echo(f"  {click.style(mark, fg=colour)} {finding.what}")
            if finding.mend:
                click.secho(f"    → {finding.mend}", dim=True)
            failed = failed or finding.level == "fault"
    fetcher.close()
    return failed
