"""`oidc-bridge demo`: the whole story on this machine, told as it happens.

    stage      an emulator for Dynamic, `oidc-bridge init`, `oidc-bridge serve` in a process of its own
    sign_in    the story of the browser: an app that is examples/flask, and a browser that presses its buttons
    exchange   the story of the exchange: a backend, by plain HTTP

Each step is checked; the first that does not end as it must ends the run. Everything in it is real: the servers are
processes of their own, the requests go over HTTP, and the tokens are verified by Authlib's client and by joserfc, which
have no part in making them. Only Dynamic is the emulator.
"""

import signal
import threading

import click

from bridge.cli.demo.exchange import JWT, SCOPE, play_exchange
from bridge.cli.demo.sign_in import app_running, play_sign_in
from bridge.cli.demo.stage import EMAIL, Stage, staged
from bridge.cli.demo.telling import DemoFailed
from bridge.model import TOKEN_EXCHANGE


@click.command()
@click.option("--once", is_flag=True, help="End after the run: exit code 0 if every step went as it must, else 1.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Another if it is taken.")
def demo(once: bool, port: int) -> None:
    """See people sign in with Dynamic at a standard OpenID Provider, here and now. Nothing has to be configured."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it, nothing is left behind
    click.secho("Dynamic → OIDC, on this machine\n", bold=True)
    try:
        with staged("demo-app", "--redirect-uri", "{app}/callback", port=port) as stage, app_running(stage):
            play_sign_in(stage)
            play_exchange(stage)
            click.secho("\n✓ Every step went as it must.", fg="green", bold=True)
            if not once:
                _stay_up(stage)
    except DemoFailed as failed:
        click.secho(f"\n✗ {failed}", fg="red", err=True)
        raise SystemExit(1) from failed


def _stay_up(stage: Stage) -> None:
    mint = f"{stage.dynamic.origin}/admin/users/{stage.user.id}/tokens"
    click.echo("\nOpen this in your browser: ", nl=False)
    click.secho(stage.app, bold=True, underline=True)
    click.echo(
        f"""and sign in as {EMAIL}, with any password.

In another terminal, a Dynamic JWT and its exchange:

  JWT=$(curl -s -X POST {mint} \\
    -H 'Content-Type: application/json' -d '{{"origin": "{stage.app}"}}' | sed 's/.*"token": *"\\([^"]*\\)".*/\\1/')

  curl -s {stage.issuer}/token \\
    -u {stage.client_id}:{stage.client_secret} \\
    -d grant_type={TOKEN_EXCHANGE} \\
    -d subject_token_type={JWT} \\
    -d subject_token=$JWT -d scope='{SCOPE}'

Discovery:  {stage.issuer}/.well-known/openid-configuration
Emulator:   {stage.dynamic.origin}/admin/

Everything stays up until Ctrl-C."""
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("\nStopped; nothing was left behind.", err=True)
