"""Public documents (discovery, keys): bytes that are the same for everybody, cached and revalidated."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flask import Blueprint, Response, request

from bridge.clock import Clock
from bridge.keylife import JWKS_MAX_AGE


@dataclass(frozen=True, slots=True)
class Document:
    """A public document: served to anybody, for a while without asking again. `body`: its bytes at a moment."""

    paths: Sequence[str]
    body: Callable[[int], bytes] = field(repr=False)


def document_blueprint(documents: Sequence[Document], clock: Clock) -> Blueprint:
    """The blueprint of the public documents: any origin may read them, credentials play no part."""
    blueprint = Blueprint("documents", __name__)
    for number, document in enumerate(documents):
        view = _document_view(document.body, clock)
        for path in document.paths:
            blueprint.add_url_rule(path, endpoint=f"document-{number}", view_func=view, methods=["GET"])
    return blueprint


def _document_view(body_at: Callable[[int], bytes], clock: Clock) -> Callable[[], Response]:
    def view() -> Response:
        body = body_at(clock())
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {
            "Content-Type": "application/json",
            "Cache-Control": f"public, max-age={JWKS_MAX_AGE}",
            "ETag": etag,
            "Access-Control-Allow-Origin": "*",
            "X-Content-Type-Options": "nosniff",
        }
        if etag in request.headers.get("if-none-match", ""):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)

    return view
