"""`oidc-bridge demo`: the whole story on this machine, told as it happens.

Everything in it is real: the server is `oidc-bridge serve` in a process of its own, the requests go over HTTP, and
the tokens are verified by joserfc, which has no part in making them. Only Dynamic is the emulator.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import click
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.emulator import NewWallet, RunningEmulator, User, run
from bridge.model import TOKEN_EXCHANGE

APP_ORIGIN = "http://localhost:3000"
SCOPE = "openid profile email wallets"
START_TIMEOUT = 30  # seconds
_JWT = "urn:ietf:params:oauth:token-type:jwt"


class DemoFailed(Exception):
    """A step did not end as it must. The text says which and how."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """What the run plays on."""

    issuer: str
    client_id: str
    client_secret: str
    dynamic: RunningEmulator
    user: User


@click.command()
@click.option("--once", is_flag=True, help="End after the run: exit code 0 if every step went as it must, else 1.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Another if it is taken.")
def demo(once: bool, port: int) -> None:
    """See a Dynamic JWT become standard OIDC tokens, here and now. Nothing has to be configured."""
    with tempfile.TemporaryDirectory(prefix="oidc-bridge-demo-") as folder, run() as dynamic:
        issuer = f"http://localhost:{_free_port(port)}"
        server = None
        try:
            stage = _set_up(Path(folder), issuer, dynamic)
            server = _start_server(Path(folder), issuer, dynamic)
            _play(stage)
            if not once:
                _stay_up(stage)
        except DemoFailed as failed:
            click.secho(f"\n✗ {failed}", fg="red", err=True)
            raise SystemExit(1) from failed
        finally:
            if server is not None:
                server.terminate()
                server.wait(timeout=15)


def _set_up(folder: Path, issuer: str, dynamic: RunningEmulator) -> _Stage:
    world = dynamic.emulator
    click.secho("Dynamic → OIDC, on this machine\n", bold=True)
    _step("An emulator stands in for Dynamic", f"{dynamic.base_url}, environment {world.environment_id}")
    made = _bridge_command(
        folder, dynamic, "init", "--environment-id", world.environment_id, "--issuer", issuer, "--client-id", "demo-app"
    )
    if made.returncode != 0:
        raise DemoFailed(f"oidc-bridge init failed:\n{made.stderr}")
    lines = dict(line.split("=", 1) for line in made.stdout.splitlines())
    _step("oidc-bridge init made keys, a database and a client", "bridge.env, bridge.db, client demo-app")
    user = world.create_user(
        email="demo@example.com",
        given_name="Demo",
        family_name="User",
        wallets=[NewWallet(address="0x52908400098527886E0F7030069857D2E4169EE7", wallet_name="metamask")],
    )
    return _Stage(issuer, lines["AUTH_DYNAMIC_ID"], lines["AUTH_DYNAMIC_SECRET"], dynamic, user)


def _start_server(folder: Path, issuer: str, dynamic: RunningEmulator) -> subprocess.Popen[bytes]:
    port = issuer.rpartition(":")[2]
    log = (folder / "server.log").open("wb")
    server = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "bridge.cli", "serve", "--port", port],
        cwd=folder,
        env=_environment(dynamic),
        stdout=log,
        stderr=log,
    )
    log.close()
    give_up_at = time.monotonic() + START_TIMEOUT
    while time.monotonic() < give_up_at and server.poll() is None:
        try:
            if _get(f"{issuer}/readyz")["status"] == "ready":
                _step("oidc-bridge serve is up", issuer)
                return server
        except (DemoFailed, URLError, OSError):
            time.sleep(0.1)
    server.kill()
    server.wait()
    raise DemoFailed(f"The server did not start:\n{(folder / 'server.log').read_text(encoding='utf-8')}")


def _play(stage: _Stage) -> None:
    metadata = _get(f"{stage.issuer}/.well-known/openid-configuration")
    _expect(metadata["issuer"] == stage.issuer, "discovery names another issuer")
    _step("A client reads the discovery document", ", ".join(metadata["grant_types_supported"]))

    assertion = stage.dynamic.emulator.mint(stage.user, origin=APP_ORIGIN)
    _step("The user signs in with Dynamic; the app holds a Dynamic JWT", _peek(assertion))

    status, tokens = _post(metadata["token_endpoint"], _exchange_form(stage, assertion))
    _expect(status == 200, f"the exchange was refused: {tokens}")
    _step("It is exchanged at /token (RFC 8693)", f"{', '.join(tokens)}; valid {tokens['expires_in']} s")

    keys = KeySet.import_key_set(_get(metadata["jwks_uri"]))
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": stage.issuer}, aud={"essential": True, "value": stage.client_id}
    )
    registry.validate(claims)
    _expect(claims["sub"] == stage.user.id and claims["email"] == "demo@example.com", "the ID token names another user")
    _step("The ID token is verified by joserfc against /jwks", "")
    for name in ("iss", "sub", "aud", "name", "email", "email_verified", "wallet_address", "amr"):
        click.echo(f"      {click.style(f'{name:<16}', dim=True)} {json.dumps(claims[name])}")

    userinfo = _get(metadata["userinfo_endpoint"], bearer=tokens["access_token"])
    _expect(userinfo["sub"] == claims["sub"], "userinfo is about another user")
    _step("userinfo answers for the access token", f"{len(userinfo)} claims, sub {userinfo['sub']}")

    head, payload, signature = assertion.split(".")
    forged = f"{head}.{payload}.{signature[:8]}{'A' if signature[8] != 'A' else 'B'}{signature[9:]}"
    status, refusal = _post(metadata["token_endpoint"], _exchange_form(stage, forged))
    _expect(status == 400 and refusal["error"] == "invalid_request", f"a forged token got {status}: {refusal}")
    _step("A forged token is refused, with its reason", f"{status} {refusal['error']}: {refusal['error_uri']}")
    click.secho("\n✓ Every step went as it must.", fg="green", bold=True)


def _stay_up(stage: _Stage) -> None:
    mint = f"{stage.dynamic.origin}/admin/users/{stage.user.id}/tokens"
    click.echo(
        f"""
It stays up until Ctrl-C. In another terminal, a Dynamic JWT and its exchange:

  JWT=$(curl -s -X POST {mint} \\
    -H 'Content-Type: application/json' -d '{{"origin": "{APP_ORIGIN}"}}' | sed 's/.*"token": *"\\([^"]*\\)".*/\\1/')

  curl -s {stage.issuer}/token \\
    -u {stage.client_id}:{stage.client_secret} \\
    -d grant_type={TOKEN_EXCHANGE} \\
    -d subject_token_type={_JWT} \\
    -d subject_token=$JWT -d scope='{SCOPE}'

Discovery:  {stage.issuer}/.well-known/openid-configuration
Emulator:   {stage.dynamic.origin}/admin/"""
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("\nStopped; nothing was left behind.", err=True)


def _exchange_form(stage: _Stage, assertion: str) -> Mapping[str, str]:
    return {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": assertion,
        "subject_token_type": _JWT,
        "scope": SCOPE,
        "client_id": stage.client_id,
        "client_secret": stage.client_secret,
    }


def _bridge_command(folder: Path, dynamic: RunningEmulator, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "bridge.cli", *words],
        cwd=folder,
        env=_environment(dynamic),
        capture_output=True,
        text=True,
        check=False,
    )


def _environment(dynamic: RunningEmulator) -> dict[str, str]:
    """The environment of our own commands: this one's without settings of a real bridge, Dynamic's API the emulator."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "DYNAMIC_", "NEXT_"))}
    return {**mine, "DYNAMIC_API_BASE_URL": dynamic.base_url}


def _free_port(wished: int) -> int:
    for port in (wished, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("no free port")


def _get(url: str, bearer: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    status, document = _send(Request(url, headers=headers))  # noqa: S310 - our own server
    _expect(status == 200, f"{url} answered {status}: {document}")
    return document


def _post(url: str, form: Mapping[str, str]) -> tuple[int, Any]:
    return _send(Request(url, data=urlencode(form).encode()))  # noqa: S310 - our own server


def _send(request: Request) -> tuple[int, Any]:
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def _expect(met: bool, otherwise: str) -> None:
    if not met:
        raise DemoFailed(otherwise)


def _step(what: str, detail: str) -> None:
    click.echo(f"  {click.style('✓', fg='green')} {what}")
    if detail:
        click.secho(f"      {detail}", dim=True)


def _peek(token: str) -> str:
    return f"{token[:24]}… ({len(token)} characters)"
