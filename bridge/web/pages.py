"""The pages for people: what this server is, and what a refusal means."""

import secrets
from collections.abc import Mapping

from flask import Blueprint, Response, abort, make_response, render_template

from bridge.reasons import Reason

_BY_CODE: Mapping[str, Reason] = {reason.code: reason for reason in Reason}


def page_blueprint(*, issuer: str, links: Mapping[str, str]) -> Blueprint:
    """The blueprint of the pages. `links` names the documents that the first page points to."""
    blueprint = Blueprint("pages", __name__)

    @blueprint.get("/")
    def index() -> Response:
        return _page("index.html", issuer=issuer, links=links)

    @blueprint.get("/reasons")
    def reasons() -> Response:
        return _page("reasons.html", issuer=issuer, reasons=list(Reason))

    @blueprint.get("/reasons/<code>")
    def reason(code: str) -> Response:
        if code not in _BY_CODE:
            abort(404)
        return _page("reason.html", issuer=issuer, reason=_BY_CODE[code])

    return blueprint


def _page(template: str, **values: object) -> Response:
    """A page under a policy that lets it load nothing and run nothing."""
    nonce = secrets.token_urlsafe(16)
    response = make_response(render_template(template, nonce=nonce, **values))
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-cache"
    return response
