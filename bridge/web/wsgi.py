"""WSGI's door (PEP 3333) for any server: the endpoints for machines in front of the Flask application."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from bridge.oauth.notes import Notes
from bridge.oauth.request import MAX_BODY_BYTES, Answer, HttpRequest
from bridge.web.endpoints import READ_HEADERS, Routes, answer_to
from bridge.web.peers import peer_of
from bridge.web.watch import NOTES, REQUEST_ID, Watch

Environ = dict[str, Any]

_KEYS = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in READ_HEADERS} | {"content-type": "CONTENT_TYPE"}
_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class WsgiDoor:
    """What Flask's own `wsgi_app` is replaced with. `proxies`: how many of ours stand before this server."""

    def __init__(self, routes: Routes, pages: Any, watch: Watch, *, proxies: int) -> None:
        self.routes = routes
        self.pages = pages
        self.watch = watch
        self._proxies = proxies

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        forwarded, method = environ.get("HTTP_X_FORWARDED_FOR"), environ["REQUEST_METHOD"]
        environ["REMOTE_ADDR"] = peer = peer_of(environ.get("REMOTE_ADDR") or "", forwarded, self._proxies)
        notes = self.watch.begin(method, peer, environ.get("HTTP_X_REQUEST_ID"), environ.get("HTTP_TRACEPARENT"))
        route = self.routes.find(environ.get("PATH_INFO") or "")
        if route is None:
            return self._page(environ, start_response, notes)
        notes.endpoint = route.name
        headers = {name: value for name, key in _KEYS.items() if (value := environ.get(key))}
        request = HttpRequest(method, headers, _body(environ, method), peer, self.routes.clock(), notes)
        answer = answer_to(route, request)
        notes.why = answer.why
        body = b"" if method == "HEAD" else answer.body
        told = [*answer.headers.items(), (REQUEST_ID, notes.request_id), *_length(answer, body)]
        start_response(_STATUS[answer.status], told)
        self.watch.end(notes, answer.status)
        return [body]

    def _page(self, environ: Environ, start_response: Any, notes: Notes) -> Iterable[bytes]:
        environ[NOTES] = notes

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            begun = start_response(status, [*headers, (REQUEST_ID, notes.request_id)], *more)
            self.watch.end(notes, int(status[:3]))
            return begun

        found: Iterable[bytes] = self.pages(environ, start)
        return found


def _body(environ: Environ, method: str) -> bytes:
    """The body, cut off behind the longest that is read at all."""
    if method != "POST":
        return b""
    stream, limit = environ["wsgi.input"], MAX_BODY_BYTES + 1
    if not environ.get("wsgi.input_terminated"):
        limit = min(limit, int(environ.get("CONTENT_LENGTH") or 0))
    read: bytes = stream.read(limit)
    return read


def _length(answer: Answer, body: bytes) -> list[tuple[str, str]]:
    return [] if answer.status in (204, 304) else [("Content-Length", str(len(body)))]
