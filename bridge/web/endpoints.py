"""The protocol's endpoints: its functions behind a thin door that reads a request and sends an answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flask import Blueprint, Response, request

from bridge.clock import Clock
from bridge.errors import Unavailable
from bridge.oauth.request import MAX_BODY_BYTES, Answer, HttpRequest
from bridge.web.answers import log_refusal

_READ_HEADERS = ("authorization", "content-type", "origin")


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


def endpoint_blueprint(
    endpoints: Sequence[Endpoint], *, clock: Clock, cors_origins: Callable[[int], frozenset[str]]
) -> Blueprint:
    """The blueprint of the protocol endpoints. `cors_origins` tells which origins are registered at a moment."""
    blueprint = Blueprint("endpoints", __name__)
    for endpoint in endpoints:
        _add(blueprint, endpoint, clock, cors_origins)
    return blueprint


def _add(
    blueprint: Blueprint,
    endpoint: Endpoint,
    clock: Clock,
    cors_origins: Callable[[int], frozenset[str]],
) -> None:
    def view() -> Response:
        now = clock()
        allowed = _cors_headers(endpoint, now, cors_origins)
        if request.method == "OPTIONS":
            return Response(status=204, headers=allowed)
        return _response(endpoint.respond(_read_request(now)), allowed)

    methods = [*endpoint.methods, *(["OPTIONS"] if endpoint.cors else [])]
    blueprint.add_url_rule(
        endpoint.path, endpoint=endpoint.metadata, view_func=view, methods=methods, provide_automatic_options=False
    )


def _read_request(now: int) -> HttpRequest:
    headers = {name: value for name in _READ_HEADERS if (value := request.headers.get(name)) is not None}
    return HttpRequest(request.method, headers, request.stream.read(MAX_BODY_BYTES + 1), request.remote_addr or "", now)


def _response(answer: Answer, more: Mapping[str, str]) -> Response:
    headers = {**answer.headers, **more}
    if answer.why is not None:
        headers["X-Request-Id"] = log_refusal(answer.why)
    return Response(answer.body, status=answer.status, headers=headers)


def _cors_headers(endpoint: Endpoint, now: int, cors_origins: Callable[[int], frozenset[str]]) -> Mapping[str, str]:
    origin = request.headers.get("origin")
    if not endpoint.cors or origin is None:
        return {}
    try:
        registered = origin in cors_origins(now)
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
