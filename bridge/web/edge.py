"""The outermost edge: what no endpoint answered, and the one place where a bug becomes an answer."""

import logging
import secrets

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from bridge.web.answers import uncached

log = logging.getLogger(__name__)


def guard_edge(app: Flask) -> None:
    """Every error as JSON with a fixed text: Werkzeug's own would be HTML, and some repeat the request."""

    @app.before_request
    def no_redirect_of_werkzeugs_own() -> None:
        """It would lead to a URL made from the Host header (threats O19)."""
        if isinstance(request.routing_exception, RequestRedirect):
            abort(404)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        response = _error("invalid_request" if status < 500 else "server_error", error.name, status)
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        request_id = secrets.token_hex(8)
        log.error("bug", exc_info=error, extra={"request_id": request_id})
        response = _error("server_error", "Internal error", 500)
        response.headers["X-Request-Id"] = request_id
        return response


def _error(error: str, description: str, status: int) -> Response:
    return uncached({"error": error, "error_description": description}, status)
