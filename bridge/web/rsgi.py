"""RSGI's door: what our own server, granian, calls for each request (docs/decisions/0019).

One event loop reads bodies, so that a slow one holds up nobody, and answers what needs nobody else there and then.
Pages, what has to wait for others, and everything that asks a database server go to a few threads.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from typing import Any, TypeVar

from bridge.errors import Unavailable
from bridge.oauth.notes import Notes
from bridge.oauth.refusals import error_document
from bridge.oauth.request import MAX_BODY_BYTES, Answer, HttpRequest, json_answer
from bridge.reasons import Reason
from bridge.waiting import MustWait, never_on_this_thread
from bridge.web.endpoints import READ_HEADERS, Route, Routes, answer_to, bug_answer, error_answer
from bridge.web.peers import peer_of
from bridge.web.watch import NOTES, REQUEST_ID, Watch

MAX_LINE = 8190  # characters of path and query
BODY_DEADLINE = 10  # seconds for a body to arrive in
THREADS = 32  # as many as may ask a database server at once
GONE = 499  # what logs and metrics say of who went away in the middle of a body: there is nobody to answer
PATIENCE = 4.0  # seconds in line for a thread: whoever asked may have gone
_SWITCH_INTERVAL = 0.001  # seconds that a thread may keep the loop waiting
_TOO_LARGE = bytes(MAX_BODY_BYTES + 1)

_Headers = list[tuple[str, str]]
T = TypeVar("T")


class RsgiDoor:
    """The bridge as an RSGI application. `pages`: what is for people, as a WSGI application.

    `at_once`: the database is a file, so that the loop itself may ask it. `proxies`: how many of ours stand before us.
    `patience`: seconds that a request may stand in line for a thread.
    """

    def __init__(
        self,
        routes: Routes,
        pages: Any,
        watch: Watch,
        *,
        reasons_url: str,
        at_once: bool,
        proxies: int,
        patience: float = PATIENCE,
    ) -> None:
        self._routes = routes
        self._pages = pages
        self._watch = watch
        self._reasons_url = reasons_url
        self._at_once = at_once
        self._proxies = proxies
        self._patience = patience
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="answer")
        self._broken_off: tuple[type[Exception], ...] = ()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called once, on the thread of the loop."""
        # Loaded by now; what serves by another server does without.
        from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # noqa: PLC0415

        self._broken_off = (ProtocolClosed,)
        self._loop = loop
        sys.setswitchinterval(_SWITCH_INTERVAL)
        never_on_this_thread()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called when the last request has been answered."""
        del loop
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        method, read = scope.method, scope.headers.get
        # All of its lines: a proxy may add one of its own below what the client wrote.
        forwarded = ",".join(scope.headers.get_all("x-forwarded-for")) if self._proxies else None
        peer = peer_of(scope.client.rpartition(":")[0].strip("[]"), forwarded, self._proxies)
        notes = self._watch.begin(method, peer, read("x-request-id"), read("traceparent"))
        if len(scope.path) + len(scope.query_string) > MAX_LINE:
            self._send(protocol, error_answer(414), notes)
            return
        route = self._routes.find(scope.path)
        if route is not None:
            notes.endpoint = route.name
        body = b""
        if method not in ("GET", "HEAD"):
            try:
                body = await _body(scope, protocol, notes)
            except TimeoutError:
                self._send(protocol, error_answer(408), notes)
                return
            except self._broken_off:
                self._watch.end(notes, GONE)
                return
        if route is None:
            found = await self._on_a_thread(self._page, _environ(scope, body, notes))
            if found is None:
                self._send(protocol, self._too_late(), notes)
                return
            status, headers, page = found
            protocol.response_bytes(status, [*headers, (REQUEST_ID, notes.request_id)], page)
            self._watch.end(notes, status)
            return
        headers_read = {name: value for name in READ_HEADERS if (value := read(name)) is not None}
        request = HttpRequest(method, headers_read, body, peer, self._routes.clock(), notes)
        self._send(protocol, await self._answered(route, request), notes)

    def _send(self, protocol: Any, answer: Answer, notes: Notes) -> None:
        headers = [*answer.headers.items(), (REQUEST_ID, notes.request_id)]
        if answer.body and notes.method != "HEAD":
            protocol.response_bytes(answer.status, headers, answer.body)
        else:
            protocol.response_empty(answer.status, headers)
        notes.why = answer.why
        self._watch.end(notes, answer.status)

    async def _answered(self, route: Route, request: HttpRequest) -> Answer:
        if self._at_once or route.quick:
            try:
                return answer_to(route, request)
            except MustWait:
                pass
        return await self._on_a_thread(answer_to, route, request) or self._too_late()

    async def _on_a_thread(self, work: Callable[..., T], *arguments: Any) -> T | None:
        """What `work` answers; None if its turn came too late, for those before it had to wait for others too long."""
        asked_at = time.monotonic()

        def in_turn() -> T | None:
            return None if time.monotonic() - asked_at > self._patience else work(*arguments)

        return await self._loop.run_in_executor(self._threads, in_turn)

    def _too_late(self) -> Answer:
        why = Unavailable(Reason.TOO_BUSY)
        answer = json_answer(503, error_document(why, self._reasons_url))
        return replace(answer, headers={**answer.headers, "Retry-After": str(why.retry_after)}, why=why)

    def _page(self, environ: dict[str, Any]) -> tuple[int, _Headers, bytes]:
        """What Flask answers."""
        begun: list[Any] = []

        def start_response(status: str, headers: _Headers, *_: object) -> None:
            begun[:] = [int(status[:3]), headers]

        try:
            parts: Iterable[bytes] = self._pages(environ, start_response)
            body = b"".join(parts)
            status, headers = begun
        except Exception as error:  # noqa: BLE001 - nothing else stands above it
            answer = bug_answer(error, environ[NOTES].request_id)
            return answer.status, list(answer.headers.items()), answer.body
        return status, headers, body


async def _body(scope: Any, protocol: Any, notes: Notes) -> bytes:
    """The body; what is longer than may be is not read to its end. Raises TimeoutError, and what granian does."""
    length = scope.headers.get("content-length")
    if length is not None:
        if int(length) > MAX_BODY_BYTES:
            return _TOO_LARGE
        if int(length) == 0:
            return b""
    try:
        async with asyncio.timeout(BODY_DEADLINE):
            if length is not None:
                whole: bytes = await protocol()
                return whole
            read = bytearray()
            async for chunk in protocol:
                read += chunk
                if len(read) > MAX_BODY_BYTES:
                    break
            return bytes(read)
    finally:
        notes.began = time.perf_counter()  # what a slow client took is not ours, whatever comes of it


def _environ(scope: Any, body: bytes, notes: Notes) -> dict[str, Any]:
    """The request as WSGI has it (PEP 3333): bytes as Latin-1, repeated headers joined."""
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _latin(scope.path),
        "QUERY_STRING": _latin(scope.query_string),
        "SERVER_NAME": host or "localhost",
        "SERVER_PORT": port or "0",
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": notes.peer,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        NOTES: notes,
    }
    for name, value in scope.headers.items():
        if name == "content-type":
            environ["CONTENT_TYPE"] = _latin(value)
        elif name != "content-length" and "_" not in name:  # x_y would pass for x-y
            key = f"HTTP_{name.upper().replace('-', '_')}"
            joint = "; " if name == "cookie" else ","
            environ[key] = f"{environ[key]}{joint}{_latin(value)}" if key in environ else _latin(value)
    return environ


def _latin(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
