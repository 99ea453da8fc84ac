"""`oidc-bridge explain`: what the bridge thinks of a token, check by check, and what it would issue."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from bridge.cli.configured import configured, fail
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.dynamic.claims import identity_of
from bridge.dynamic.keys import LoadKeys, load_keys
from bridge.errors import FetchFailed, NotServed, Refused, Unavailable
from bridge.fetch import Fetcher
from bridge.jose import VerificationKey, rsa_keys
from bridge.model import TOKEN_EXCHANGE, Assertion, Client, Environment, Grant
from bridge.oauth.assertions import Accepted, door_of
from bridge.oauth.exchange import exchange_request
from bridge.oauth.request import Form
from bridge.parts import Parts, assemble
from bridge.store import users

_MAX_INPUT = 64 * 1024


@click.command()
@click.option("--client", "client_id", required=True, help="The client that would present the token.")
@click.option("--scope", help="The scope that it would ask for (default: all it may have).")
@click.option("--offline", is_flag=True, help="Ask Dynamic nothing: the signature is not checked, unless by --jwks.")
@click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Keys from this file.")
@configured
def explain(config: Config, client_id: str, scope: str | None, offline: bool, jwks: Path | None) -> None:
    """Explain the Dynamic JWT on standard input: each check with its outcome, then the claims that would be issued.

    Nothing is signed and nothing is remembered. Exit code 1 if the token would be refused.
    """
    raw = sys.stdin.read(_MAX_INPUT).strip()
    now = system_clock()
    parts = assemble(config, keys=_key_source(jwks, offline=offline))
    try:
        client = parts.clients.find(client_id, now)
        if client is None:
            fail(f"There is no client {client_id!r}.")
        passed = [_say(name, outcome) for name, outcome in parts.verifier.explain(raw, door_of(client), now)]
        if not all(passed):
            raise SystemExit(1)
        assertion = parts.verifier.unverified_assertion(raw, door_of(client), now)
        grant = _rehearsed(parts, config, client, assertion, scope, now)
        _say("policy", None)
        _show("ID token", parts.mint.id_token_claims(grant, now))
        _show("access token", parts.mint.access_token_claims(grant, now))
    except Refused as refused:
        _say("policy", refused)
        raise SystemExit(1) from refused
    finally:
        parts.close()


def _key_source(jwks: Path | None, *, offline: bool) -> LoadKeys:
    if jwks is None and not offline:
        return load_keys
    keys = _keys_in(jwks) if jwks is not None else {}

    def load(_environment: Environment, _fetcher: Fetcher, _deadline: float) -> Mapping[str, VerificationKey]:
        if not keys:
            raise FetchFailed("offline")
        return keys

    return load


def _keys_in(jwks: Path) -> Mapping[str, VerificationKey]:
    try:
        keys = rsa_keys(json.loads(jwks.read_bytes()))
    except ValueError:
        fail(f"{jwks} is not JSON.")
    if not keys:
        fail(f"{jwks} holds no usable key.")
    return keys


def _rehearsed(
    parts: Parts, config: Config, client: Client, assertion: Assertion, scope: str | None, now: int
) -> Grant:
    """The grant that an exchange would come by, in a transaction of which nothing stays. Raises Refused."""
    asked = exchange_request(Form({"scope": [scope] if scope else []}), client, config.issuer)
    identity = identity_of(assertion, config.claims)
    if not identity.complete:
        with parts.database.reading() as tx:
            remembered = users.stored_profile(tx, identity)
        source = "is remembered" if remembered else "would be asked of Dynamic"
        click.echo(f"  {click.style('•', fg='yellow')} a small token: its profile {source}")
        identity = remembered or identity
    with parts.database.rehearsing() as tx:
        return parts.assertions.grant(
            tx,
            Accepted(assertion, identity),
            client=client,
            grant_type=TOKEN_EXCHANGE,
            scope=asked.scope,
            audience=asked.audience,
            once=client.assertion_once,
            now=now,
        )


def _say(name: str, outcome: NotServed | None) -> bool:
    """Whether the check passed, or could not be made."""
    if outcome is None:
        click.echo(f"  {click.style('✓', fg='green')} {name}")
    elif isinstance(outcome, Unavailable):
        click.echo(f"  {click.style('?', fg='yellow')} {name}: not checked, no keys")
    else:
        detail = f" ({outcome.detail})" if outcome.detail else ""
        click.echo(f"  {click.style('✗', fg='red')} {name}: {outcome.reason.code}{detail}")
        click.echo(f"      {outcome.reason.means}\n      → {outcome.reason.mends}")
    return not isinstance(outcome, Refused)


def _show(title: str, claims: dict[str, object]) -> None:
    click.secho(f"\n{title}", bold=True)
    click.echo(json.dumps(claims, indent=2, ensure_ascii=False))
