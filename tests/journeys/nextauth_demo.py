"""`make demo-nextauth`: examples/nextauth, a bridge and the emulator on this machine, until Ctrl-C."""

import secrets
import signal
import sys
import threading

import click
from nextauth_app import App, missing, running_app

from bridge.cli.demo.stage import EMAIL, Stage, staged
from bridge.cli.demo.telling import DemoFailed, step

LOGOUT_PATH = "/api/backchannel-logout"


def main() -> None:
    """Exits 1, and says why, if something is missing or does not start."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if problem := missing():
        sys.exit(f"make demo-nextauth: {problem}.")
    click.secho("NextAuth and Dynamic, on this machine\n", bold=True)
    try:
        with staged("nextauth", port=8080) as stage:
            _show(stage)
    except (DemoFailed, AssertionError) as failed:
        sys.exit(f"\n✗ {failed}")
    except KeyboardInterrupt:
        click.echo("\nStopped.", err=True)


def _show(stage: Stage) -> None:
    settings = {**stage.as_app(), "AUTH_URL": stage.app, "AUTH_SECRET": secrets.token_urlsafe(32)}
    told = stage.command("client", "update", stage.client_id, f"--backchannel-logout-uri={stage.app}{LOGOUT_PATH}")
    if told.returncode != 0:
        raise DemoFailed(told.stderr)
    click.echo("  … examples/nextauth is being installed and built, which takes minutes the first time")
    with running_app("nextauth", int(stage.app.rpartition(":")[2]), settings, stage.folder / "app.log") as app:
        _stay_up(app)


def _stay_up(app: App) -> None:
    step("The app is up; it knows an issuer, a client id and a secret", app.url)
    click.echo("\nOpen this in your browser: ", nl=False)
    click.secho(app.url, bold=True, underline=True)
    click.echo(f"and sign in as {EMAIL}, with any password.\n\nEverything stays up until Ctrl-C.")
    threading.Event().wait()


if __name__ == "__main__":
    main()
