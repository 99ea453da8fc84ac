"""`oidc-bridge emulator`: a local Dynamic to develop against."""

import threading

import click


@click.command()
@click.option("--port", default=8090, show_default=True, type=click.IntRange(1, 65535))
@click.option("--environment-id", help="A UUID (default: the well-known demo environment).")
def emulator(port: int, environment_id: str | None) -> None:
    """Run a local Dynamic on this machine: keys, users, tokens of both shapes, faults on demand.

    It is for development and tests: anybody on this machine can mint tokens of it.
    """
    from bridge.emulator import DEMO_ENVIRONMENT_ID, Emulator, run

    try:
        world = Emulator(environment_id=environment_id or DEMO_ENVIRONMENT_ID)
        running = run(world, port=port)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    with running:
        click.echo(
            f"DYNAMIC_API_BASE_URL={running.base_url}\n"
            f"DYNAMIC_ENVIRONMENT_ID={world.environment_id}\n"
            f"DYNAMIC_API_TOKEN={world.api_token}"
        )
        click.echo(f"\nEverything it can do: {running.origin}/admin/\nStop with Ctrl-C.", err=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
