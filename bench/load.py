"""Requests over keep-alive connections, one or several. An answer that is not the right one ends the run."""

import http.client
import itertools
import selectors
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from bench import BenchFailed
from bench.stage import HOST

_IDLE = 3  # seconds after which a connection is not used again


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and a piece of text that the right answer holds."""

    method: str
    path: str
    expects: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


def get(path: str, *, expects: bytes, bearer: str | None = None) -> Request:
    """A GET request, with an access token if one is given."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
    return Request("GET", path, expects, headers)


def post(path: str, form: Mapping[str, str], *, expects: bytes) -> Request:
    """A POST request with a form."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Request("POST", path, expects, headers, urlencode(form).encode("ascii"))


class Connection:
    """A connection to the server."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection(HOST, port, timeout=30)
        self._used_at = 0.0

    def send(self, request: Request) -> bytes:
        """The body of the answer. Raises BenchFailed if it is another answer than expected, or none."""
        if time.monotonic() - self._used_at > _IDLE:
            self._http.close()  # the server may have hung up; it is opened again by itself
        try:
            self._http.request(request.method, request.path, request.body, dict(request.headers))
            answer = self._http.getresponse()
            body = answer.read()
            self._used_at = time.monotonic()
        except (OSError, http.client.HTTPException) as error:
            raise BenchFailed(f"{request.path}: {error!r}") from error
        if answer.status != 200 or request.expects not in body:
            raise BenchFailed(f"{request.path} answered {answer.status}: {body[:500]!r}")
        return body

    def send_in_turn(self, requests: Sequence[Request], count: int) -> list[float]:
        """Send `count` requests, going round in `requests`; how long each took, in seconds."""
        taken = []
        for request in itertools.islice(itertools.cycle(requests), count):
            began_at = time.perf_counter()
            self.send(request)
            taken.append(time.perf_counter() - began_at)
        return taken

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Crowd:
    """Several connections, each of which sends its next request when it has its answer."""

    def __init__(self, port: int, size: int) -> None:
        self._port = port
        self._wires = [socket.create_connection((HOST, port), timeout=30) for _ in range(size)]

    def send_in_turn(self, requests: Sequence[Request], count: int) -> tuple[list[float], float]:
        """Send `count` requests, going round in `requests`; how long each took, and all of them, in seconds.

        Raises BenchFailed.
        """
        spelt = [(_spelt(request, self._port), request) for request in requests]
        waiting = itertools.islice(itertools.cycle(spelt), count)
        taken: list[float] = []
        began_at = time.perf_counter()
        with selectors.DefaultSelector() as selector:
            for wire in self._wires:
                if (exchange := next(waiting, None)) is not None:
                    selector.register(wire, selectors.EVENT_READ, _begun(wire, *exchange))
            while selector.get_map():
                for key, _ in selector.select():
                    begun: _Begun = key.data
                    if not begun.read():
                        continue
                    taken.append(time.perf_counter() - begun.began_at)
                    if (exchange := next(waiting, None)) is None:
                        selector.unregister(begun.wire)
                    else:
                        selector.modify(begun.wire, selectors.EVENT_READ, _begun(begun.wire, *exchange))
        return taken, time.perf_counter() - began_at

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for wire in self._wires:
            wire.close()


@dataclass(slots=True)
class _Begun:
    """A request that was sent, and as much of its answer as has come."""

    wire: socket.socket
    request: Request
    began_at: float
    received: bytes = b""

    def read(self) -> bool:
        """Whether the answer is whole now."""
        part = self.wire.recv(65536)
        self.received += part
        head, gap, body = self.received.partition(b"\r\n\r\n")
        if not part:
            raise BenchFailed(f"{self.request.path}: the connection was closed")
        if not gap:
            return False
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) < int(length or 0):
            return False
        if not head.startswith(b"HTTP/1.1 200 ") or self.request.expects not in body:
            raise BenchFailed(f"{self.request.path} answered {head[:12]!r}: {body[:500]!r}")
        return True


def _begun(wire: socket.socket, spelt: bytes, request: Request) -> _Begun:
    wire.sendall(spelt)
    return _Begun(wire, request, time.perf_counter())


def _spelt(request: Request, port: int) -> bytes:
    body = request.body or b""
    headers = {"Host": f"{HOST}:{port}", **request.headers, **({"Content-Length": str(len(body))} if body else {})}
    lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
