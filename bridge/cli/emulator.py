"""`oidc-bridge emulator`: a local Dynamic to develop against."""

import threading

import click


@click.command()
@click.option("--port", default=8090, show_default=True, type=click.IntRange(1, 65535))
@click.option("--environment-id", help="A UUID (default: the well-known demo environment).")
@click.option("--bridge", metavar="ISSUER", help="The bridge's issuer URL, where the sign-in page posts the token.")
@click.option(
    "--app",
    "apps",
    multiple=True,
    metavar="ORIGIN",
    help="An app elsewhere than on this machine, for the sign-in page.",
)
def emulator(port: int, environment_id: str | None, bridge: str | None, apps: tuple[str, ...]) -> None:
    """Run a local Dynamic on this machine: keys, users, tokens of both shapes, faults on demand.

    It is for development and tests: anybody on this machine can mint tokens of it.
    """
    from bridge.emulator import DEMO_ENVIRONMENT_ID, LOCAL_APPS, Emulator, run

    try:
        world = Emulator(
            environment_id=environment_id or DEMO_ENVIRONMENT_ID,
            signin_complete_url=f"{bridge.rstrip('/')}/signin/complete" if bridge is not None else None,
            app_origins=(*LOCAL_APPS, *apps),
        )
        running = run(world, port=port)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    with running:
        click.echo(
            f"DYNAMIC_API_BASE_URL={running.base_url}\n"
            f"DYNAMIC_ENVIRONMENT_ID={world.environment_id}\n"
            f"DYNAMIC_API_TOKEN={world.api_token}"
        )
        if bridge is not None:
            click.echo(f"BRIDGE_SIGNIN_URL={running.signin_url}")
        click.echo(f"\nEverything it can do: {running.origin}/admin/\nStop with Ctrl-C.", err=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
