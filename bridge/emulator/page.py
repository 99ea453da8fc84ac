"""A page of the emulator's own: a template, under headers that let it do nothing but post its forms."""

import secrets

from flask import render_template
from flask.wrappers import Response


def page(template: str, *, form_to: str = "'none'", **values: object) -> Response:
    """The page; its forms may lead to the sources in `form_to`."""
    nonce = secrets.token_urlsafe(16)
    answer = Response(render_template(template, nonce=nonce, **values), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {form_to}; base-uri 'none'; frame-ancestors 'none'"
    )
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    # The origin must go along: under no-referrer and same-origin a browser posts `Origin: null`, and the bridge could
    # not tell whose form it is. The rest of the URL must not.
    answer.headers["Referrer-Policy"] = "strict-origin"
    return answer
