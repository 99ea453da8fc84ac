"""`oidc-bridge client`: the registered applications."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from typing import Any

import click

from bridge.cli.configured import configured, fail, opened, say_faults
from bridge.clock import system_clock
from bridge.config.client_checks import client_faults
from bridge.config.settings import Config
from bridge.history import OPERATOR, AuditEntry, Event
from bridge.model import GRANT_TYPES, SIGNING_ALGORITHMS, Client
from bridge.store import Tx, audit, clients

_ALGORITHMS = click.Choice(SIGNING_ALGORITHMS)
_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option("--name", help="What people call it."),
    click.option("--grant", "grants", multiple=True, type=click.Choice(list(GRANT_TYPES)), help="May repeat."),
    click.option("--scope", "scopes", multiple=True, help="A scope it may ask for. May repeat."),
    click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where users are sent back to. May repeat."),
    click.option("--post-logout-redirect-uri", "post_logout_redirect_uris", multiple=True, help="… after signing out."),
    click.option("--backchannel-logout-uri", help="Where it is told that a session has ended."),
    click.option(
        "--offline-survives-logout/--no-offline-survives-logout",
        default=None,
        help="What it may renew goes on when its user signs out.",
    ),
    click.option("--require-pkce/--no-require-pkce", default=None, help="Codes need PKCE (always, if public)."),
    click.option("--signin-url", help="The app's own sign-in page (docs/own-sign-in-page.md)."),
    click.option("--consent", type=click.Choice(["skip", "ask"]), help="Whether users are asked first."),
    click.option("--client-uri", help="The app's home page."),
    click.option("--logo-uri"),
    click.option("--policy-uri"),
    click.option("--tos-uri"),
    click.option("--assertion-origin", "assertion_origins", multiple=True, help="Whose pages' assertions it brings."),
    click.option("--cors-origin", "cors_origins", multiple=True, help="Whose pages may call the bridge."),
    click.option("--audience", "audiences", multiple=True, help="A resource it may ask tokens for."),
    click.option("--serves", "serves", multiple=True, help="A resource it may introspect for."),
    click.option("--environment", "environments", multiple=True, help="Limit it to this Dynamic environment."),
    click.option("--id-token-alg", type=_ALGORITHMS),
    click.option("--access-token-alg", type=_ALGORITHMS),
    click.option("--access-token-ttl", type=int, help="Seconds."),
    click.option("--id-token-ttl", type=int, help="Seconds."),
    click.option("--claims-in-id-token/--no-claims-in-id-token", default=None, help="Scope claims in ID tokens too."),
    click.option("--subject-type", type=click.Choice(["public", "pairwise"])),
    click.option("--sector-identifier", help="Host that pairwise clients share a sub by."),
    click.option("--assertion-max-age", type=int, help="Seconds since Dynamic issued the assertion."),
    click.option("--assertion-once/--no-assertion-once", default=None, help="Take each assertion once."),
    click.option("--refresh-rotation/--no-refresh-rotation", default=None, help="A new refresh token each time."),
    click.option("--refresh-grace", type=int, help="Seconds in which a spent refresh token leads to the newest."),
    click.option("--refresh-retry-ttl", type=int, help="Seconds in which it leads to a successor never used."),
    click.option("--refresh-idle-ttl", type=int, help="Seconds that a refresh token lives unused."),
    click.option("--refresh-absolute-ttl", type=int, help="Seconds that a grant lives at most."),
)

_MAY_BE_UNSET = frozenset(field.name for field in fields(Client) if field.default is None)


def _settings(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def client() -> None:
    """Registered applications. Those that bridge.toml declares are listed, and changed there."""


@client.command()
@click.argument("client_id")
@click.option("--public", is_flag=True, help="No secret: an app that cannot keep one.")
@_settings
@configured
def add(config: Config, client_id: str, public: bool, **settings: Any) -> None:
    """Register CLIENT_ID. Prints its secret, once."""
    _refuse_configured(config, client_id)
    registered = replace(Client(client_id, public=public), **_given(settings))
    _refuse_faults(config, registered)
    with _writing(config) as tx:
        now = system_clock()
        if not clients.add(tx, registered, now):
            fail(f"There is a client {client_id!r} already.")
        _record(tx, Event.CLIENT_ADDED, client_id, now)
        if not public:
            click.echo(clients.add_secret(tx, client_id, now, overlap=0))
            click.echo("This is the client's secret. It is shown once.", err=True)


@client.command("list")
@click.option("--json", "as_json", is_flag=True)
@configured
def list_(config: Config, as_json: bool) -> None:
    """Every client, those of bridge.toml included."""
    with _writing(config) as tx:
        rows = [(c, "bridge.toml") for c in config.clients] + [(c, "database") for c in clients.every(tx)]
    if as_json:
        click.echo(json.dumps([_shown(c, source) for c, source in rows], indent=2))
        return
    for registered, source in rows:
        state = "disabled" if registered.disabled else "public" if registered.public else "confidential"
        click.echo(f"{registered.client_id:<24} {state:<13} {source:<12} {registered.name}")


@client.command()
@click.argument("client_id")
@click.option("--json", "as_json", is_flag=True)
@configured
def show(config: Config, client_id: str, as_json: bool) -> None:
    """The settings of CLIENT_ID; its secrets are not kept and cannot be shown."""
    declared = {c.client_id: c for c in config.clients}
    with _writing(config) as tx:
        found = declared.get(client_id) or _known(clients.find(tx, client_id), client_id)
    document = _shown(found, "bridge.toml" if client_id in declared else "database")
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    for name, value in document.items():
        click.echo(f"{name:<20} {' '.join(map(str, value)) if isinstance(value, list) else value}")


@client.command()
@click.argument("client_id")
@_settings
@configured
def update(config: Config, client_id: str, **settings: Any) -> None:
    """Change CLIENT_ID. A list option replaces the whole list; an empty value empties it, or unsets an address."""
    _change(config, client_id, _given(settings))


@client.command()
@click.argument("client_id")
@configured
def disable(config: Config, client_id: str) -> None:
    """Stop every grant of CLIENT_ID, everywhere within two seconds."""
    _change(config, client_id, {"disabled": True})


@client.command()
@click.argument("client_id")
@configured
def enable(config: Config, client_id: str) -> None:
    """Let CLIENT_ID work again."""
    _change(config, client_id, {"disabled": False})


@client.command("rotate-secret")
@click.argument("client_id")
@click.option("--overlap", default=86400, show_default=True, help="Seconds that the old secret stays good.")
@configured
def rotate_secret(config: Config, client_id: str, overlap: int) -> None:
    """A new secret for CLIENT_ID, printed once; the one before stays good for a while."""
    _refuse_configured(config, client_id)
    with _writing(config) as tx:
        if _known(clients.find(tx, client_id), client_id).public:
            fail("A public client has no secret.")
        now = system_clock()
        _record(tx, Event.CLIENT_SECRET_ADDED, client_id, now)
        click.echo(clients.add_secret(tx, client_id, now, overlap=max(0, overlap)))


@client.command("new-secret")
def new_secret() -> None:
    """A new secret and its digest, for a client that bridge.toml declares (secret_sha256)."""
    secret = clients.new_secret()
    click.echo(f"secret = {secret}\nsecret_sha256 = {clients.secret_digest(secret)}")


def _change(config: Config, client_id: str, changes: dict[str, Any]) -> None:
    _refuse_configured(config, client_id)
    with _writing(config) as tx:
        changed = replace(_known(clients.find_to_change(tx, client_id), client_id), **changes)
        _refuse_faults(config, changed)
        now = system_clock()
        clients.change(tx, changed, now)
        _record(tx, Event.CLIENT_CHANGED, client_id, now, settings=sorted(changes))


def _record(tx: Tx, event: Event, client_id: str, now: int, **detail: Any) -> None:
    audit.record(tx, AuditEntry(at=now, event=event, actor=OPERATOR, client_id=client_id, detail=detail))


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that were named; short grant names in full, empty list values dropped."""
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    values = {name: tuple(filter(None, v)) if isinstance(v, tuple) else v for name, v in given.items()}
    values = {name: None if v == "" and name in _MAY_BE_UNSET else v for name, v in values.items()}
    if "grants" in values:
        values["grants"] = tuple(GRANT_TYPES[name] for name in values["grants"])
    return values


@contextmanager
def _writing(config: Config) -> Iterator[Tx]:
    with opened(config) as database, database.writing() as tx:
        yield tx


def _known(found: Client | None, client_id: str) -> Client:
    if found is None:
        fail(f"There is no client {client_id!r}.")
    return found


def _refuse_configured(config: Config, client_id: str) -> None:
    if client_id in {c.client_id for c in config.clients}:
        fail(f"{client_id!r} is declared in bridge.toml: change it there.")


def _refuse_faults(config: Config, changed: Client) -> None:
    known = [environment.environment_id for environment in config.environments]
    faults = list(client_faults(changed, environments=known, needs_secret=False, development=config.development))
    say_faults(faults)
    if faults:
        raise SystemExit(1)


def _shown(registered: Client, source: str) -> dict[str, Any]:
    document = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(registered).items()}
    document["secrets"] = len(registered.secrets)
    return {**document, "source": source}
