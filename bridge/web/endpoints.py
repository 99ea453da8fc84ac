"""The endpoints for machines: the protocol's functions and the public documents, by path, without any framework.

They are what is asked for most, so no framework stands before them (docs/decisions/0019). Two thin doors bring requests
here: `rsgi` from our own server, `wsgi` from any other and from the tests.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from bridge.clock import Clock
from bridge.errors import Unavailable
from bridge.keylife import JWKS_MAX_AGE
from bridge.oauth.request import Answer, HttpRequest

log = logging.getLogger(__name__)

READ_HEADERS = ("authorization", "content-type", "origin", "if-none-match")
"""What an endpoint may look at."""

CorsOrigins = Callable[[int], frozenset[str]]
"""Which origins are registered at a moment. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One protocol endpoint: its name in our metadata, its path, its methods, and who answers.

    `cors`: whether pages of registered origins may read the answers (threats O15).
    """

    metadata: str
    path: str
    methods: Sequence[str]
    respond: Callable[[HttpRequest], Answer] = field(repr=False)
    cors: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A public document: served to anybody, for a while without asking again. `body`: its bytes at a moment."""

    name: str
    paths: Sequence[str]
    body: Callable[[int], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Route:
    """What stands at one path. `name`: what logs and metrics call it, whatever the issuer's path.

    `quick`: it takes no time worth a thread, whatever the database is doing.
    """

    name: str
    path: str
    methods: frozenset[str]
    respond: Callable[[HttpRequest], Answer] = field(repr=False)
    quick: bool = False


class Routes:
    """The endpoints for machines by path. `prefix`: the path of the issuer; `own`: what operators ask, without it."""

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        documents: Iterable[Document],
        own: Iterable[Route],
        *,
        prefix: str,
        clock: Clock,
        cors_origins: CorsOrigins,
    ) -> None:
        self.clock = clock
        routes = [_endpoint_route(endpoint, prefix, cors_origins) for endpoint in endpoints]
        routes += [_document_route(document, path) for document in documents for path in document.paths]
        routes += own
        self._by_path = {route.path: route for route in routes}

    @property
    def paths(self) -> frozenset[str]:
        """Every path that something stands at."""
        return frozenset(self._by_path)

    def find(self, path: str) -> Route | None:
        """What stands at a path, if it is for machines."""
        return self._by_path.get(path)


def answer_to(route: Route, request: HttpRequest) -> Answer:
    """The answer to a request, whatever happens: a bug of ours is logged, and is status 500.

    HEAD is answered as GET; its body is the door's to leave out.
    """
    try:
        method = "GET" if request.method == "HEAD" else request.method
        if method not in route.methods:
            return _method_not_allowed(route)
        return route.respond(request)
    except Exception as error:  # noqa: BLE001 - the edge, as web/edge is for Flask's part
        return bug_answer(error, request.notes.request_id)


def error_answer(status: int, description: str | None = None) -> Answer:
    """An error that is no refusal of the protocol's: fixed words, nothing of the request."""
    error = "invalid_request" if status < 500 else "server_error"
    document = {"error": error, "error_description": description or HTTPStatus(status).phrase}
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Answer(status, headers, json.dumps(document, separators=(",", ":")).encode())


def bug_answer(error: Exception, request_id: str) -> Answer:
    """The answer after a bug of ours, which is logged whole."""
    log.error("bug", exc_info=error, extra={"request_id": request_id})
    return error_answer(500, "Internal error")


def _method_not_allowed(route: Route) -> Answer:
    answer = error_answer(405)
    allowed = sorted(route.methods | ({"HEAD"} if "GET" in route.methods else set()))
    return replace(answer, headers={**answer.headers, "Allow": ", ".join(allowed)})


def _endpoint_route(endpoint: Endpoint, prefix: str, cors_origins: CorsOrigins) -> Route:
    name, path = endpoint.path.strip("/"), f"{prefix}{endpoint.path}"
    if not endpoint.cors:
        return Route(name, path, frozenset(endpoint.methods), endpoint.respond)

    def respond(request: HttpRequest) -> Answer:
        allowed = _cors_headers(endpoint, request, cors_origins)
        if request.method == "OPTIONS":
            return Answer(204, allowed, b"")
        answer = endpoint.respond(request)
        return replace(answer, headers={**answer.headers, **allowed}) if allowed else answer

    return Route(name, path, frozenset({*endpoint.methods, "OPTIONS"}), respond)


def _cors_headers(endpoint: Endpoint, request: HttpRequest, cors_origins: CorsOrigins) -> Mapping[str, str]:
    origin = request.headers.get("origin")
    if origin is None:
        return {}
    try:
        registered = origin in cors_origins(request.now)
    except Unavailable:
        registered = False
    if not registered:
        return {"Vary": "Origin"}
    headers = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = ", ".join(endpoint.methods)
        headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        headers["Access-Control-Max-Age"] = "600"
    return headers


def _document_route(document: Document, path: str) -> Route:
    """Any origin may read it, credentials play no part. The answer is made anew only when the bytes are others."""
    whole = _document_answer(b"")

    def respond(request: HttpRequest) -> Answer:
        nonlocal whole
        body = document.body(request.now)
        if body is not whole.body:
            whole = _document_answer(body)
        answer = whole
        known = request.headers.get("if-none-match")
        if known is not None and answer.headers["ETag"] in known:
            return replace(answer, status=304, body=b"")
        return answer

    return Route(document.name, path, frozenset({"GET"}), respond, quick=True)


def _document_answer(body: bytes) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": f"public, max-age={JWKS_MAX_AGE}",
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
    }
    return Answer(200, headers, body)
