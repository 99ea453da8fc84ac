"""The endpoints for machines: documents prebuilt as bytes, and the protocol's functions behind a thin door."""

import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from bridge.clock import Clock
from bridge.errors import Refused, Unavailable
from bridge.oauth.refusals import refusal_answer
from bridge.oauth.request import Answer, HttpRequest
from bridge.reasons import Reason

log = logging.getLogger(__name__)

DOCUMENT_MAX_AGE = 300  # seconds; key rotation relies on it

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


@dataclass(frozen=True, slots=True)
class Document:
    """A public document: served from these bytes to anybody, for a while without asking again."""

    paths: Sequence[str]
    body: bytes = field(repr=False)


def endpoint_blueprint(
    endpoints: Sequence[Endpoint], *, clock: Clock, reasons_url: str, cors_origins: Callable[[int], frozenset[str]]
) -> Blueprint:
    """The blueprint of the protocol endpoints. `cors_origins` tells which origins are registered at a moment."""
    blueprint = Blueprint("endpoints", __name__)
    for endpoint in endpoints:
        _add(blueprint, endpoint, clock, reasons_url, cors_origins)
    return blueprint


def document_blueprint(documents: Sequence[Document]) -> Blueprint:
    """The blueprint of the public documents: any origin may read them, credentials play no part."""
    blueprint = Blueprint("documents", __name__)
    for number, document in enumerate(documents):
        view = _document_view(document.body)
        for path in document.paths:
            blueprint.add_url_rule(path, endpoint=f"document-{number}", view_func=view, methods=["GET"])
    return blueprint


def _add(
    blueprint: Blueprint,
    endpoint: Endpoint,
    clock: Clock,
    reasons_url: str,
    cors_origins: Callable[[int], frozenset[str]],
) -> None:
    def view() -> Response:
        now = clock()
        allowed = _cors_headers(endpoint, now, cors_origins)
        if request.method == "OPTIONS":
            return Response(status=204, headers=allowed)
        try:
            http = _read_request(now)
        except RequestEntityTooLarge:
            http = HttpRequest(request.method, {}, b"", "", now)
            answer = refusal_answer(Refused(Reason.BODY_TOO_LARGE), reasons_url, http)
        else:
            answer = endpoint.respond(http)
        return _response(answer, allowed)

    methods = [*endpoint.methods, *(["OPTIONS"] if endpoint.cors else [])]
    blueprint.add_url_rule(
        endpoint.path, endpoint=endpoint.metadata, view_func=view, methods=methods, provide_automatic_options=False
    )


def _read_request(now: int) -> HttpRequest:
    headers = {name: value for name in _READ_HEADERS if (value := request.headers.get(name)) is not None}
    return HttpRequest(request.method, headers, request.get_data(cache=False), request.remote_addr or "", now)


def _response(answer: Answer, more: Mapping[str, str]) -> Response:
    headers = {**answer.headers, **more}
    if answer.why is not None:
        headers["X-Request-Id"] = _logged(answer.why)
    return Response(answer.body, status=answer.status, headers=headers)


def _logged(why: Refused | Unavailable) -> str:
    """Log why the answer is no; the id under which the caller can ask about it."""
    request_id = secrets.token_hex(8)
    level = logging.WARNING if isinstance(why, Unavailable) else logging.INFO
    log.log(
        level,
        "unavailable" if isinstance(why, Unavailable) else "refused",
        extra={
            "request_id": request_id,
            "path": request.path,
            "reason": why.reason.code,
            "detail": why.detail,
            "peer": request.remote_addr,
        },
    )
    return request_id


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


def _document_view(body: bytes) -> Callable[[], Response]:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": f"public, max-age={DOCUMENT_MAX_AGE}",
        "ETag": etag,
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
    }

    def view() -> Response:
        if etag in request.headers.get("if-none-match", ""):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)

    return view
