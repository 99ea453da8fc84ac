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
from bridge.history import OPERATOR, AuditEntry, Event
from bridge.model import AUTHORIZATION_CODE, GRANT_TYPES, REFRESH_TOKEN, TOKEN_EXCHANGE, Client
from bridge.store import Database, audit, clients
from bridge.store.seal import new_secret_key

CALLBACK = "/api/auth/callback/dynamic"
"""Where NextAuth takes codes from a provider whose id is `dynamic`."""
SIGNED_OUT = ("/", "/signin/out")
"""Where apps go after signing out: home, or to where Dynamic's session ends too (examples/nextauth)."""


LOCAL_APP = "http://localhost:3000"


@click.command()
@click.option("--environment-id", help="Of Dynamic's dashboard; asked for if neither given nor in the environment.")
@click.option("--issuer", default="http://localhost:8080", show_default=True, help="The public URL of this bridge.")
@click.option("--client-id", default="nextauth", show_default=True, help="The first client.")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    help=f"Origin of the app's pages, where its users sign in. May repeat.  [default: {LOCAL_APP}, beside a"
    " bridge on this machine]",
)
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    help=f"Where users are sent back to. May repeat.  [default: <origin>{CALLBACK}]",
)
@click.option(
    "--signin-url",
    help="The app's own sign-in page; '' for the bridge's.  [default: BRIDGE_SIGNIN_URL, else <first origin>/signin]",
)
@click.option("--only-keys", is_flag=True, help="Print a new key for BRIDGE_SECRET_KEYS, and do nothing else.")
@env_file_option
def init(
    environment_id: str | None,
    issuer: str,
    client_id: str,
    origins: tuple[str, ...],
    redirect_uris: tuple[str, ...],
    signin_url: str | None,
    only_keys: bool,
    env_file: Path | None,
) -> None:
    """Make bridge.env with new secret keys, the database, and the first client.

    The client is your own app, with NextAuth or another backend: users sign in and are not asked for consent. Prints
    the lines that a NextAuth project needs in its .env.local. Overwrites nothing.
    """
    if only_keys:
        click.echo(new_secret_key())
        return
    if DEFAULT_ENV_FILE.exists():
        fail(f"{DEFAULT_ENV_FILE} exists. Add clients with `oidc-bridge client add`, or move the file away first.")
    chosen_id = (
        environment_id or known_environment_id(os.environ, env_file) or click.prompt("Dynamic environment id", err=True)
    )
    if not origins and urlsplit(issuer).scheme == "https":
        fail("Nothing was written: say where the app is, with --origin https://app.example.com")
    origins = origins or (LOCAL_APP,)
    settings = {
        "BRIDGE_ISSUER": issuer,
        "BRIDGE_SECRET_KEYS": new_secret_key(),
        "DYNAMIC_ENVIRONMENT_ID": chosen_id.strip().lower(),
    }
    if urlsplit(issuer).scheme == "http":
        settings["BRIDGE_DEVELOPMENT"] = "true"
    config = _checked(settings, env_file)
    if signin_url is None and config.signin_url is None:
        signin_url = f"{origins[0]}/signin"
    client = _checked_client(_own_app(client_id, origins, redirect_uris, signin_url or None))
    _write_env_file(settings)  # before anything is sealed with its keys
    _prepare_or_take_back(config)
    secret = _register(config, client)
    click.secho(f"Wrote {DEFAULT_ENV_FILE} (mode 0600). Keep it secret, and keep a copy.", fg="green", err=True)
    _say_registered(client, config)
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


def _own_app(
    client_id: str, origins: tuple[str, ...], redirect_uris: tuple[str, ...], signin_url: str | None
) -> Client:
    """The operator's own web app: nobody has to allow it anything, on http://localhost neither."""
    return Client(
        client_id,
        name=client_id,
        grants=(AUTHORIZATION_CODE, TOKEN_EXCHANGE, REFRESH_TOKEN),
        scopes=("openid", "profile", "email", "wallets", "offline_access"),
        redirect_uris=redirect_uris or tuple(f"{origin}{CALLBACK}" for origin in origins),
        post_logout_redirect_uris=tuple(f"{origin}{path}" for origin in origins for path in SIGNED_OUT),
        signin_url=signin_url,
        consent="skip",
        assertion_origins=origins,
    )


def _checked_client(client: Client) -> Client:
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
        audit.record(tx, AuditEntry(at=now, event=Event.CLIENT_ADDED, actor=OPERATOR, client_id=client.client_id))
        return clients.add_secret(tx, client.client_id, now, overlap=0)


def _say_registered(client: Client, config: Config) -> None:
    names = [name for name, grant in GRANT_TYPES.items() if grant in client.grants]
    named = f"{config.signin_url} (BRIDGE_SIGNIN_URL)" if config.signin_url else "the bridge's (login-page build)"
    page = client.signin_url or named
    click.echo(f"Registered client {client.client_id}, which can be changed by `oidc-bridge client update`:", err=True)
    for what, values in (
        ("grants", names),
        ("scopes", client.scopes),
        ("redirect URIs", client.redirect_uris),
        ("after signing out", client.post_logout_redirect_uris),
        ("sign-in page", [page]),
        ("assertions from", client.assertion_origins),
        ("consent", ["not asked for: the app is yours"]),
    ):
        click.echo(f"  {what:<18} {' '.join(values)}", err=True)


def _write_env_file(settings: dict[str, str]) -> None:
    descriptor = os.open(DEFAULT_ENV_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in settings.items())
