"""A load balancer without sticky sessions: each request goes to the next instance that is ready.

It does what any of them does and no more: asks /readyz, keeps connections open, looks before it uses one again whether
the instance has closed it, and tries another instance if one refuses to be connected to. What was sent once is never
sent again; where that gets no answer, the client gets 502, and `broken` says why.
"""

import select
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Event, Lock, Thread
from typing import Any

ASKS_EVERY = 0.1  # seconds
HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})


class Balancer:
    """Leads to the instances at `behind`, ports of this machine. `answered`: how often each did."""

    def __init__(self, port: int, behind: Sequence[int]) -> None:
        self.port, self.behind = port, list(behind)
        self.answered: Counter[int] = Counter()
        self.broken: list[str] = []
        self.ready: set[int] = set()
        self._idle: dict[int, list[HTTPConnection]] = defaultdict(list)
        self._turn, self._lock, self._ended = count(), Lock(), Event()

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[HTTPResponse, bytes] | None:
        """An instance's answer; None if nobody gave one."""
        for port in self._in_turn():
            wire = self._connected(port)
            if wire is None:
                continue
            try:
                wire.request(method, path, body or None, headers)
                answer = wire.getresponse()
                text = answer.read()
            except (OSError, HTTPException) as error:
                wire.close()
                self.broken.append(f"{method} {path} at {port}: {error!r}")
                return None
            with self._lock:
                self.answered[port] += 1
                if not answer.will_close:
                    self._idle[port].append(wire)
            return answer, text
        self.broken.append(f"{method} {path}: no instance is ready")
        return None

    def watch(self) -> None:
        """Ask each instance whether it is ready, again and again."""
        while not self._ended.wait(ASKS_EVERY):
            self.ready = {port for port in self.behind if self._is_ready(port)}

    def end(self) -> None:
        self._ended.set()
        for wires in self._idle.values():
            for wire in wires:
                wire.close()

    def _in_turn(self) -> list[int]:
        first = next(self._turn) % len(self.behind)
        return [port for port in (*self.behind[first:], *self.behind[:first]) if port in self.ready]

    def _connected(self, port: int) -> HTTPConnection | None:
        while True:
            with self._lock:
                wire = self._idle[port].pop() if self._idle[port] else None
            if wire is None:
                break
            if not select.select([wire.sock], [], [], 0)[0]:
                return wire
            wire.close()  # the instance has closed it
        wire = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            wire.connect()
        except OSError:
            self.ready.discard(port)
            return None
        return wire

    def _is_ready(self, port: int) -> bool:
        with suppress(OSError, HTTPException):
            wire = HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                wire.request("GET", "/readyz", headers={"Connection": "close"})
                return wire.getresponse().status == 200
            finally:
                wire.close()
        return False


@contextmanager
def running_balancer(port: int, behind: Sequence[int]) -> Iterator[Balancer]:
    """It at http://localhost:`port` until the block ends."""
    balancer = Balancer(port, behind)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            found = balancer.ask(self.command, self.path, body, headers)
            self.send_response_only(502 if found is None else found[0].status)
            for name, value in found[0].getheaders() if found else ():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            text = found[1] if found else b""
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - names that http.server looks for

        def log_message(self, *words: Any) -> None:
            return

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    server = Server(("127.0.0.1", port), Handler)
    threads = [Thread(target=server.serve_forever, args=(0.01,)), Thread(target=balancer.watch)]
    for thread in threads:
        thread.start()
    try:
        yield balancer
    finally:
        server.shutdown()
        server.server_close()
        balancer.end()
        for thread in threads:
            thread.join()
