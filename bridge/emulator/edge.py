"""The network in front of the emulator, as WSGI middleware: keeps the request log, and goes wrong when told to."""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from socket import SHUT_RDWR, socket
from threading import Event
from typing import NoReturn
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.test import run_wsgi_app

from bridge.emulator.cors import SDK, readable_by
from bridge.emulator.faults import Fault, FaultMode
from bridge.emulator.world import Emulator

DRIP_SECONDS = 0.05
DRIPS = 1200  # sixty seconds' worth
BOMB_MEGABYTES = 50
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time
HUGE_ENTRY = b'{"kty":"RSA","use":"sig","alg":"RS256","kid":"00000000-0000-4000-8000-000000000000","e":"AQAB"},'

Header = tuple[str, str]
JSON: Header = ("Content-Type", "application/json")

ANSWERS: Mapping[FaultMode, tuple[str, tuple[Header, ...], bytes]] = {
    FaultMode.error: ("500 Internal Server Error", (JSON,), b'{"error":"internal error","code":"internal_error"}'),
    FaultMode.garbage: ("200 OK", (("Content-Type", "text/html; charset=utf-8"),), b"<html>not json"),
    FaultMode.empty: ("200 OK", (JSON,), b"{}"),
    FaultMode.rate_limited: (
        "429 Too Many Requests",
        (JSON, ("Retry-After", "7")),
        b'{"error":"too many requests","code":"too_many_requests"}',
    ),
}


class Edge:
    """Wraps the app. `stopping`, once set, ends every wait at once, so that a server never hangs on its faults."""

    def __init__(self, app: WSGIApplication, emulator: Emulator, stopping: Event) -> None:
        self._app = app
        self._emulator = emulator
        self._stopping = stopping

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/admin"):  # the way to end a fault must not meet it
            return self._app(environ, start_response)
        method = environ.get("REQUEST_METHOD", "")
        self._emulator.note_request(method, path)
        # A preflight passes: a browser would hide from the page what the call itself is to meet.
        fault = None if method == "OPTIONS" else self._emulator.faults.meet(path)
        if fault is not None and fault.mode is FaultMode.slow:
            self._stopping.wait(fault.delay)
        if fault is None or fault.mode is FaultMode.slow:
            return self._app(environ, start_response)
        return self._go_wrong(fault, environ, start_response)

    def _go_wrong(self, fault: Fault, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if fault.mode is FaultMode.down:
            _hang_up(environ)
        if fault.mode is FaultMode.dripping:
            return self._drip(environ, start_response)
        status, headers, body = self._answer(fault)
        origin = environ.get("HTTP_ORIGIN") if environ.get("PATH_INFO", "").startswith(SDK) else None
        start_response(status, [*headers, *readable_by(origin, self._emulator.switches).items()])
        return body

    def _answer(self, fault: Fault) -> tuple[str, list[Header], Iterable[bytes]]:
        match fault.mode:
            case FaultMode.redirecting:
                return "302 Found", [("Location", fault.location)], [b""]
            case FaultMode.huge:
                return "200 OK", [JSON], self._huge(fault.size)
            case FaultMode.gzip_bomb:
                bomb = gzip_bomb()
                return "200 OK", [JSON, ("Content-Encoding", "gzip"), ("Content-Length", str(len(bomb)))], [bomb]
            case _:
                status, headers, body = ANSWERS[fault.mode]
                return status, list(headers), [body]

    def _huge(self, size: int) -> Iterator[bytes]:
        """A key set of `size` bytes that never closes; no Content-Length gives it away."""
        yield b'{"keys":['[:size]
        left = size - len(b'{"keys":[')
        block = HUGE_ENTRY * 512
        while left > 0 and not self._stopping.is_set():
            yield block[:left]
            left -= len(block)

    def _drip(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The true answer a byte at a time, for a minute at most: the headers too where we hold the connection."""
        body, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        connection = environ.get("werkzeug.socket")
        if isinstance(connection, socket):
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.to_wsgi_list())
            for drop in self._drops(f"HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n".encode() + b"".join(body)):
                connection.sendall(drop)
            _hang_up(environ)
        start_response(status, headers.to_wsgi_list())
        return self._drops(b"".join(body))

    def _drops(self, data: bytes) -> Iterator[bytes]:
        for position in range(min(len(data), DRIPS)):
            if self._stopping.wait(DRIP_SECONDS):
                return
            yield data[position : position + 1]


def _hang_up(environ: WSGIEnvironment) -> NoReturn:
    """End the connection without another byte; the server takes the exception for a client that went away."""
    connection = environ.get("werkzeug.socket")
    if isinstance(connection, socket):
        with suppress(OSError):
            connection.shutdown(SHUT_RDWR)
    raise ConnectionAbortedError("the fault ended this connection")


@cache
def gzip_bomb() -> bytes:
    """About 50 kB that inflate to 50 MB of a well-formed, empty key set.

    A full flush forgets what came before, so one packed megabyte repeats as it is: packing all fifty would take longer
    than a caller waits, and the caller would then have met a slow answer and no bomb.
    """
    blank, start, end = b" " * 2**20, b'{"keys":[', b"]}"
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    middle = packer.compress(blank) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = packer.compress(end) + packer.flush()
    checksum = zlib.crc32(start)
    for _ in range(BOMB_MEGABYTES):
        checksum = zlib.crc32(blank, checksum)
    size = len(start) + len(blank) * BOMB_MEGABYTES + len(end)
    return GZIP_HEADER + head + middle * BOMB_MEGABYTES + tail + struct.pack("<LL", zlib.crc32(end, checksum), size)
