"""What operators and load balancers ask: are you there, and can you work?"""

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, jsonify

HealthCheck = Callable[[], str | None]
"""What is wrong with one part, in a word; None if nothing."""


def ops_blueprint(checks: Mapping[str, HealthCheck]) -> Blueprint:
    """/readyz says that every part that we need does its work, and names the ones that do not.

    (/healthz, which says that the process answers, stands with the endpoints for machines: it never waits.)

    Dynamic is no such part: with its keys remembered we work without it, and a restart would only forget them.
    """
    blueprint = Blueprint("ops", __name__)

    @blueprint.get("/readyz")
    def readyz() -> Response:
        found = {name: check() for name, check in checks.items()}
        ready = not any(found.values())
        parts = {name: problem or "ok" for name, problem in found.items()}
        return _uncached({"status": "ready" if ready else "not ready", "parts": parts}, 200 if ready else 503)

    return blueprint


def _uncached(document: Mapping[str, object], status: int) -> Response:
    response = jsonify(document)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
