"""/.well-known/security.txt: where to report a vulnerability of this installation (RFC 9116)."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort

from bridge.clock import Clock

PATH = "/.well-known/security.txt"
GOOD_FOR = 180  # days that a copy counts, of the year that section 2.5.5 recommends at most
_DAY = 86400


def security_txt_blueprint(contact: str | None, *, issuer: str, clock: Clock) -> Blueprint:
    """The blueprint of the file; 404 without a `contact`, which is a mailto: or https URI.

    It stands at the top of the issuer's host, whatever the issuer's path (section 3).
    """
    blueprint = Blueprint("security_txt", __name__)

    @blueprint.get(PATH, endpoint="security-txt")
    def security_txt() -> Response:
        if contact is None:
            abort(404)
        response = Response(security_txt_at(clock(), contact, issuer), content_type="text/plain; charset=utf-8")
        response.headers["Cache-Control"] = f"public, max-age={_DAY}"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return blueprint


def security_txt_at(now: int, contact: str, issuer: str) -> str:
    """The file as it is at a moment: Contact, Expires and Canonical (sections 2.5.2, 2.5.3, 2.5.5)."""
    midnight = now - now % _DAY  # the same bytes all day
    expires = datetime.fromtimestamp(midnight + GOOD_FOR * _DAY, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    host = urlsplit(issuer)
    return f"Contact: {contact}\nExpires: {expires}\nCanonical: {host.scheme}://{host.netloc}{PATH}\n"
