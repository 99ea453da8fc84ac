"""`oidc-bridge demo`: the whole story on this machine, told as it happens.

Everything in it is real: the server is `oidc-bridge serve` in a process of its own, the requests go over HTTP, and
the tokens are verified by joserfc, which has no part in making them. Only Dynamic is the emulator.
"""

import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.error import URLError

import click

from bridge.cli.demo.stage import DemoFailed, Stage, bridge_command, environment, get, step
from bridge.cli.demo.story import APP_ORIGIN, GRACE, JWT, SCOPE, play
from bridge.emulator import NewWallet, RunningEmulator, run
from bridge.model import TOKEN_EXCHANGE

START_TIMEOUT = 30  # seconds


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
            play(stage)
            if not once:
                _stay_up(stage)
        except DemoFailed as failed:
            click.secho(f"\n✗ {failed}", fg="red", err=True)
            raise SystemExit(1) from failed
        finally:
            if server is not None:
                server.terminate()
                server.wait(timeout=15)


def _set_up(folder: Path, issuer: str, dynamic: RunningEmulator) -> Stage:
    world = dynamic.emulator
    click.secho("Dynamic → OIDC, on this machine\n", bold=True)
    step("An emulator stands in for Dynamic", f"{dynamic.base_url}, environment {world.environment_id}")
    made = bridge_command(
        folder, dynamic, "init", "--environment-id", world.environment_id, "--issuer", issuer, "--client-id", "demo-app"
    )
    if made.returncode != 0:
        raise DemoFailed(f"oidc-bridge init failed:\n{made.stderr}")
    bridge_command(folder, dynamic, "client", "update", "demo-app", "--refresh-grace", str(GRACE))
    lines = dict(line.split("=", 1) for line in made.stdout.splitlines())
    step("oidc-bridge init made keys, a database and a client", "bridge.env, bridge.db, client demo-app")
    user = world.create_user(
        email="demo@example.com",
        given_name="Demo",
        family_name="User",
        wallets=[NewWallet(address="0x52908400098527886E0F7030069857D2E4169EE7", wallet_name="metamask")],
    )
    return Stage(folder, issuer, lines["AUTH_DYNAMIC_ID"], lines["AUTH_DYNAMIC_SECRET"], dynamic, user)


def _start_server(folder: Path, issuer: str, dynamic: RunningEmulator) -> subprocess.Popen[bytes]:
    port = issuer.rpartition(":")[2]
    log = (folder / "server.log").open("wb")
    server = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "bridge.cli", "serve", "--port", port],
        cwd=folder,
        env=environment(dynamic),
        stdout=log,
        stderr=log,
    )
    log.close()
    give_up_at = time.monotonic() + START_TIMEOUT
    while time.monotonic() < give_up_at and server.poll() is None:
        try:
            if get(f"{issuer}/readyz")["status"] == "ready":
                step("oidc-bridge serve is up", issuer)
                return server
        except (DemoFailed, URLError, OSError):
            time.sleep(0.1)
    server.kill()
    server.wait()
    raise DemoFailed(f"The server did not start:\n{(folder / 'server.log').read_text(encoding='utf-8')}")


def _stay_up(stage: Stage) -> None:
    mint = f"{stage.dynamic.origin}/admin/users/{stage.user.id}/tokens"
    click.echo(
        f"""
It stays up until Ctrl-C. In another terminal, a Dynamic JWT and its exchange:

  JWT=$(curl -s -X POST {mint} \\
    -H 'Content-Type: application/json' -d '{{"origin": "{APP_ORIGIN}"}}' | sed 's/.*"token": *"\\([^"]*\\)".*/\\1/')

  curl -s {stage.issuer}/token \\
    -u {stage.client_id}:{stage.client_secret} \\
    -d grant_type={TOKEN_EXCHANGE} \\
    -d subject_token_type={JWT} \\
    -d subject_token=$JWT -d scope='{SCOPE}'

Discovery:  {stage.issuer}/.well-known/openid-configuration
Emulator:   {stage.dynamic.origin}/admin/"""
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("\nStopped; nothing was left behind.", err=True)


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
