"""`oidc-bridge serve`: the server."""

import ctypes
import functools
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from bridge.cli.configured import configured
from bridge.config.settings import Config
from bridge.errors import SchemaOld, Unavailable
from bridge.store import Database

log = logging.getLogger(__name__)

T = TypeVar("T")

LINE_AND_HEADERS = 32 * 1024  # bytes, enough for a request line of 8 kB and its headers
HEADERS_WITHIN = 10_000  # milliseconds
DRAIN = 15  # seconds for the requests under way when a worker is told to stop


@click.command()
@click.option("--host", help="Address to listen on (default: the setting, else 127.0.0.1).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (default: the setting, else 8080).")
@click.option("--socket", help="Unix socket to listen on, in place of an address (default: the setting, else none).")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes (default: the setting, else one per core).")
@configured
def serve(config: Config, host: str | None, port: int | None, socket: str | None, workers: int | None) -> None:
    """Serve. Migrates an SQLite database by itself; another one is migrated by `oidc-bridge db upgrade`."""
    from granian.constants import HTTPModes, Interfaces, RuntimeModes
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    config = replace(config, workers=workers or config.workers)
    prepare(config)
    address, number = host or config.host, port or config.port
    path = socket or (None if host or port else config.socket)
    where = f"the socket {path}" if path else f"{'https' if config.tls_cert else 'http'}://{address}:{number}"
    click.echo(f"Serving {config.issuer} on {where}", err=True)
    # A fresh process per worker: it imports neither Alembic nor pydantic, and shares no connection with this one.
    multiprocessing.set_start_method("spawn")
    stopping = multiprocessing.RawValue(ctypes.c_bool, False)  # without a lock that a killed worker could take along
    server = _draining_server(stopping, config.drain_delay)(
        "bridge",
        address=address,
        port=number,
        uds=Path(path) if path else None,
        interface=Interfaces.RSGI,
        workers=config.workers,
        runtime_mode=RuntimeModes.mt,  # with one thread: what it hands to Python takes a step less than in `st`
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_WITHIN, max_buffer_size=LINE_AND_HEADERS),
        websockets=False,
        ssl_cert=Path(config.tls_cert) if config.tls_cert else None,
        ssl_key=Path(config.tls_key) if config.tls_key else None,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=DRAIN,
        log_level=LogLevels.warning,
        process_name=None,
    )
    with ExitStack() as held:
        if config.metrics_token is not None:
            from bridge.metrics.folder import folder_of_a_server

            held.enter_context(folder_of_a_server())
        server.serve(target_loader=functools.partial(load_app, config, stopping), wrap_loader=False)


def _draining_server(stopping: Any, delay: int) -> type[Any]:
    """granian's server, which is told to stop twice: first /readyz says so, then, `delay` seconds later, it stops."""
    from granian.server import Server

    server: Any = Server

    class DrainingServer(server):  # type: ignore[misc]
        def signal_handler_interrupt(self, *_: object) -> None:
            if stopping.value or not delay:  # whoever asks again is in a hurry
                super().signal_handler_interrupt()
                return
            stopping.value = True
            timer = threading.Timer(delay, super().signal_handler_interrupt)
            timer.daemon = True
            timer.start()

    return DrainingServer


def load_app(config: Config, stopping: Any) -> Any:
    """What a worker process runs: the application, its logs as JSON lines. `stopping`: set when no more should come."""
    from bridge import logs
    from bridge.app import rsgi_app
    from bridge.cli.deliver import start_delivery
    from bridge.observing import background_of
    from bridge.web.ops import Check

    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    logs.set_up(config.log_level)
    door, parts, observed = _once_the_database_answers(lambda: rsgi_app(config))
    for known in parts.verifier.known.values():
        known.keys.warm()
    background_of(config, parts, observed).start()
    observed.readiness.add(Check("server", lambda _: "stopping" if stopping.value else None))
    start_delivery(config, parts)
    return door


def _once_the_database_answers(make: Callable[[], T]) -> T:
    """A worker that takes a dead one's place during an outage waits: by failing it would end the others too."""
    while True:
        try:
            return make()
        except Unavailable as unavailable:
            log.warning("worker waits for the database", extra={"cause": str(unavailable)})
            time.sleep(1)


def _end_with_the_parent() -> None:
    """A worker whose parent was killed would hold the port, and answer by old settings beside the next server."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(DRAIN)  # as the parent would have waited
        os._exit(1)


def prepare(config: Config) -> None:
    """Bring an SQLite database up to date, and find out before serving what would stop it.

    Raises SchemaMismatch, SealBroken and Unavailable.
    """
    from bridge.parts import assemble

    with Database(config.database_url) as database:
        if database.is_sqlite:
            _bring_up_to_date(database)
    assemble(config).close()


def _bring_up_to_date(database: Database) -> None:
    try:
        database.check_schema()
    except SchemaOld:
        from bridge.cli.schema import upgrade  # it takes a tenth of a second to import

        upgrade(database)
