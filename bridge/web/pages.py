"""The pages that anybody may read: what this server is, and what a refusal means."""

from collections.abc import Mapping

from flask import Blueprint, Response, abort

from bridge.signin_reasons import REASONS
from bridge.web import render


def page_blueprint(*, issuer: str, links: Mapping[str, str]) -> Blueprint:
    """The blueprint of the pages. `links` names the documents that the first page points to."""
    blueprint = Blueprint("pages", __name__)

    @blueprint.get("/")
    def index() -> Response:
        return render.index(render.Index(issuer, links))

    @blueprint.get("/reasons")
    def reasons() -> Response:
        return render.reasons(issuer)

    @blueprint.get("/reasons/<code>")
    def reason(code: str) -> Response:
        if code not in REASONS:
            abort(404)
        return render.reason(issuer, REASONS[code])

    return blueprint
