"""WSGI's door (PEP 3333) for any server: the endpoints for machines in front of the Flask application."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from bridge.oauth.request import MAX_BODY_BYTES, Answer, HttpRequest
from bridge.web.endpoints import READ_HEADERS, Routes, answer_to
from bridge.web.peers import peer_of

Environ = dict[str, Any]

_KEYS = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in READ_HEADERS} | {"content-type": "CONTENT_TYPE"}
_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class WsgiDoor:
    """What Flask's own `wsgi_app` is replaced with. `proxies`: how many of ours stand before this server."""

    def __init__(self, routes: Routes, pages: Any, *, proxies: int) -> None:
        self.routes = routes
        self.pages = pages
        self._proxies = proxies

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        environ["REMOTE_ADDR"] = peer = peer_of(environ.get("REMOTE_ADDR") or "", forwarded, self._proxies)
        route = self.routes.find(environ.get("PATH_INFO") or "")
        if route is None:
            found: Iterable[bytes] = self.pages(environ, start_response)
            return found
        method = environ["REQUEST_METHOD"]
        headers = {name: value for name, key in _KEYS.items() if (value := environ.get(key))}
        request = HttpRequest(method, headers, _body(environ, method), peer, self.routes.clock())
        answer = answer_to(route, request)
        body = b"" if method == "HEAD" else answer.body
        start_response(_STATUS[answer.status], [*answer.headers.items(), *_length(answer, body)])
        return [body]


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
