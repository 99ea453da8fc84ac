"""The outermost edge: what no endpoint answered, and the one place where a bug becomes an answer."""

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from bridge.errors import NotServed
from bridge.oauth.notes import Notes
from bridge.web.answers import response_of
from bridge.web.endpoints import bug_answer, error_answer
from bridge.web.watch import NOTES


def guard_edge(app: Flask) -> None:
    """Every error as JSON with a fixed text: Werkzeug's own would be HTML, and some repeat the request."""

    @app.before_request
    def name_the_route() -> None:
        notes().endpoint = (request.endpoint or "none").rpartition(".")[2]

    @app.before_request
    def no_redirect_of_werkzeugs_own() -> None:
        """It would lead to a URL made from the Host header (threats O19)."""
        if isinstance(request.routing_exception, RequestRedirect):
            abort(404)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        response = response_of(error_answer(error.code or 500, error.name))
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        return response_of(bug_answer(error, notes().request_id))


def notes() -> Notes:
    """What the door knows of the request under way."""
    found: Notes = request.environ[NOTES]
    return found


def refused(why: NotServed) -> str:
    """Have the log tell why the answer to the request under way is no; the id under which one can ask about it."""
    noted = notes()
    noted.why = why
    return noted.request_id
