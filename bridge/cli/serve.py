"""`oidc-bridge serve`: the server."""

import functools
import multiprocessing
from collections.abc import Callable
from typing import Any

import click

from bridge.cli.configured import configured
from bridge.config.settings import Config

WSGIApplication = Callable[..., Any]

THREADS = 16  # per worker: more than can wait for Dynamic at once (fetch.py), so that a slow one stalls nobody else
LINE_AND_HEADERS = 32 * 1024  # bytes, enough for a request line of 8 kB and its headers


@click.command()
@click.option("--host", help="Address to listen on (default: the setting, else 127.0.0.1).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (default: the setting, else 8080).")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes (default: the setting, else 1).")
@configured
def serve(config: Config, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve. Migrates an SQLite database by itself; another one is migrated by `oidc-bridge db upgrade`."""
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server import Server

    prepare(config)
    address, number = host or config.host, port or config.port
    click.echo(f"Serving {config.issuer} on http://{address}:{number}", err=True)
    # A fresh process per worker: it imports neither Alembic nor pydantic, and shares no connection with this one.
    multiprocessing.set_start_method("spawn")
    server = Server(
        "bridge",
        address=address,
        port=number,
        interface=Interfaces.WSGI,
        workers=workers or config.workers,
        blocking_threads=THREADS,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=LINE_AND_HEADERS),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        log_level=LogLevels.warning,
        process_name=None,
    )
    server.serve(target_loader=functools.partial(load_app, config), wrap_loader=False)


def load_app(config: Config) -> WSGIApplication:
    """What a worker process runs: the application, its logs as JSON lines."""
    from bridge import logs
    from bridge.app import create_app
    from bridge.cli.deliver import start_delivery

    logs.set_up(config.log_level)
    app = create_app(config)
    start_delivery(config, app.extensions["bridge"])
    return app


def prepare(config: Config) -> None:
    """Bring an SQLite database up to date, and find out before serving what would stop it.

    Raises SchemaMismatch, SealBroken and Unavailable.
    """
    from bridge.cli.schema import upgrade
    from bridge.parts import assemble
    from bridge.store import Database

    with Database(config.database_url) as database:
        if database.is_sqlite:
            upgrade(database)
    assemble(config).close()
