"""The two files of the built sign-in page, served to all."""

import gzip

from flask import Blueprint, Response, abort, request

from bridge.web.bundle import Bundle

PATH = "/signin/assets"
_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}


def bundle_blueprint(bundle: Bundle | None) -> Blueprint:
    """The blueprint of the two files; all others are 404. A browser keeps them for ever: a new build has new names."""
    blueprint = Blueprint("bundle", __name__)

    @blueprint.get(f"{PATH}/<name>", endpoint="signin-assets")
    def asset(name: str) -> Response:
        packed = None if bundle is None else bundle.files.get(name)
        if packed is None:
            abort(404)
        response = Response(packed, content_type=_TYPES[name.rpartition(".")[2]])
        if request.accept_encodings.quality("gzip") > 0:
            response.headers["Content-Encoding"] = "gzip"
        else:
            response.set_data(gzip.decompress(packed))
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    return blueprint
