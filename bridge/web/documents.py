"""Public documents (discovery, keys): prebuilt as bytes, cached and revalidated."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flask import Blueprint, Response, request

MAX_AGE = 300  # seconds that clients may keep a document; key rotation relies on it


@dataclass(frozen=True, slots=True)
class Document:
    """A public document: served from these bytes to anybody, for a while without asking again."""

    paths: Sequence[str]
    body: bytes = field(repr=False)


def document_blueprint(documents: Sequence[Document]) -> Blueprint:
    """The blueprint of the public documents: any origin may read them, credentials play no part."""
    blueprint = Blueprint("documents", __name__)
    for number, document in enumerate(documents):
        view = _document_view(document.body)
        for path in document.paths:
            blueprint.add_url_rule(path, endpoint=f"document-{number}", view_func=view, methods=["GET"])
    return blueprint


def _document_view(body: bytes) -> Callable[[], Response]:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": f"public, max-age={MAX_AGE}",
        "ETag": etag,
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
    }

    def view() -> Response:
        if etag in request.headers.get("if-none-match", ""):
            return Response(status=304, headers=headers)
        return Response(body, headers=headers)

    return view
