"""The emulator on a port of this machine, in a thread of this process."""

import socket
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from bridge.emulator.app import create_app
from bridge.emulator.faults import BASE
from bridge.emulator.loopback import is_loopback
from bridge.emulator.signin import PATH
from bridge.emulator.world import Emulator

POLL_SECONDS = 0.01
JOIN_SECONDS = 5.0
RETRY_POLL_SECONDS = 0.5


class RunningEmulator:
    """A served emulator: `origin` is http://host:port, `base_url` what the bridge takes for Dynamic's API,
    `signin_url` what it takes for an app's own sign-in page."""

    def __init__(self, emulator: Emulator, server: BaseWSGIServer, host: str, stopping: Event) -> None:
        self.emulator = emulator
        self.origin = f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
        self.base_url = f"{self.origin}{BASE}"
        self.signin_url = f"{self.origin}{PATH}"
        self._server = server
        self._stopping = stopping
        self._thread = Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="emulator", daemon=True)
        self._thread.start()
        self._posting = Thread(target=self._post, name="emulator-webhooks", daemon=True)
        self._posting.start()

    def close(self) -> None:
        """Stop serving at once, whatever a fault was waiting for. A second call does nothing."""
        self._stopping.set()
        self._server.shutdown()
        self.emulator.webhooks.due.set()
        self._thread.join(JOIN_SECONDS)
        self._posting.join(JOIN_SECONDS)

    def _post(self) -> None:
        """Sends webhook messages as they come due: new ones at once, retries as the emulator's clock goes on."""
        while not self._stopping.is_set():
            self.emulator.webhooks.due.wait(RETRY_POLL_SECONDS)
            self.emulator.webhooks.due.clear()
            self.emulator.webhooks.deliver()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def run(
    emulator: Emulator | None = None,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    signin_complete_url: str | None = None,
) -> RunningEmulator:
    """Serve `emulator` (a new one if None) on `host`; port 0 takes a free one. ValueError if the host is not loopback:
    it signs tokens for whoever asks. OSError if the port is taken. A `signin_complete_url` that is given replaces the
    emulator's own."""
    if not is_loopback(host):
        raise ValueError("the emulator serves loopback addresses only")
    world = Emulator() if emulator is None else emulator
    if signin_complete_url is not None:
        world.signin_complete_url = signin_complete_url
    stopping = Event()
    app = create_app(world, stopping=stopping)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Bound here, since Werkzeug answers a taken port by ending the process.
    with socket.create_server((host, port), family=family, backlog=128) as listening:
        server = make_server(host, port, app, threaded=True, request_handler=QuietHandler, fd=listening.fileno())
    return RunningEmulator(world, server, host, stopping)


class QuietHandler(WSGIRequestHandler):
    """Says nothing of requests; errors of the app itself still reach the log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the overridden parameter
        """Nothing: what comes here are broken requests, which tests send on purpose."""
