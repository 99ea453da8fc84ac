"""`oidc-bridge init`: from nothing to a configuration, a client, and the lines for a NextAuth project."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import click

from bridge.cli.configured import env_file_option, explained, fail
from bridge.cli.serve import prepare
from bridge.clock import system_clock
from bridge.config.client_checks import client_faults
from bridge.config.settings import Config, ConfigFaults
from bridge.config.sources import DEFAULT_ENV_FILE, known_environment_id, load
from bridge.errors import SchemaMismatch, SealBroken, Unavailable
from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE, Client
from bridge.store import Database, clients
from bridge.store.seal import new_secret_key


@click.command()
@click.option("--environment-id", help="Of Dynamic's dashboard; asked for if neither given nor in the environment.")
@click.option("--issuer", default="http://localhost:8080", show_default=True, help="The public URL of this bridge.")
@click.option("--client-id", default="nextauth", show_default=True, help="The first client.")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    default=["http://localhost:3000"],
    show_default=True,
    help="Origin of the app's pages, where its users sign in with Dynamic. May repeat.",
)
@click.option("--only-keys", is_flag=True, help="Print a new key for BRIDGE_SECRET_KEYS, and do nothing else.")
@env_file_option
def init(
    environment_id: str | None,
    issuer: str,
    client_id: str,
    origins: tuple[str, ...],
    only_keys: bool,
    env_file: Path | None,
) -> None:
    """Make bridge.env with new secret keys, the database, and the first client.

    Prints the lines that a NextAuth project needs in its .env.local. Overwrites nothing.
    """
    if only_keys:
        click.echo(new_secret_key())
        return
    if DEFAULT_ENV_FILE.exists():
        fail(f"{DEFAULT_ENV_FILE} exists. Add clients with `oidc-bridge client add`, or move the file away first.")
    chosen_id = (
        environment_id or known_environment_id(os.environ, env_file) or click.prompt("Dynamic environment id", err=True)
    )
    settings = {
        "BRIDGE_ISSUER": issuer,
        "BRIDGE_SECRET_KEYS": new_secret_key(),
        "DYNAMIC_ENVIRONMENT_ID": chosen_id.strip().lower(),
    }
    if urlsplit(issuer).scheme == "http":
        settings["BRIDGE_DEVELOPMENT"] = "true"
    config = _checked(settings, env_file)
    client = _checked_client(client_id, origins)
    _write_env_file(settings)  # before anything is sealed with its keys
    _prepare_or_take_back(config)
    secret = _register(config, client)
    click.secho(f"Wrote {DEFAULT_ENV_FILE} (mode 0600). Keep it secret, and keep a copy.", fg="green", err=True)
    click.echo("Start the bridge with: oidc-bridge serve\n\nThe app's issuer, client id and secret:\n", err=True)
    click.echo(f"AUTH_DYNAMIC_ISSUER={issuer}\nAUTH_DYNAMIC_ID={client_id}\nAUTH_DYNAMIC_SECRET={secret}")


def _prepare_or_take_back(config: Config) -> None:
    """Make the database ready; if it was sealed under other keys, the new ones are of no use and go again."""
    try:
        prepare(config)
    except (SealBroken, SchemaMismatch, Unavailable):
        DEFAULT_ENV_FILE.unlink()
        with explained():
            raise


def _checked(settings: dict[str, str], env_file: Path | None) -> Config:
    try:
        return load({**os.environ, **settings}, env_file=env_file)
    except ConfigFaults as faults:
        fail("Nothing was written:\n" + "\n".join(map(str, faults.faults)))


def _checked_client(client_id: str, origins: tuple[str, ...]) -> Client:
    scopes = ("openid", "profile", "email", "wallets", "offline_access")
    grants = (TOKEN_EXCHANGE, REFRESH_TOKEN)
    client = Client(client_id, name=client_id, grants=grants, scopes=scopes, assertion_origins=origins)
    faults = list(client_faults(client, environments=[], needs_secret=False))
    if faults:
        fail("Nothing was written:\n" + "\n".join(map(str, faults)))
    return client


def _register(config: Config, client: Client) -> str:
    """The new client's secret. Exits 1 if there is a client of that id."""
    now = system_clock()
    with explained(), Database(config.database_url) as database, database.writing() as tx:
        if not clients.add(tx, client, now):
            fail(f"The database already has a client {client.client_id!r}. Add another: oidc-bridge client add")
        return clients.add_secret(tx, client.client_id, now, overlap=0)


def _write_env_file(settings: dict[str, str]) -> None:
    descriptor = os.open(DEFAULT_ENV_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in settings.items())
