"""What operators and load balancers ask: can you work? (/healthz, which never waits, is among the endpoints.)"""

from collections.abc import Callable, Mapping

from flask import Blueprint, Response

from bridge.oauth.request import json_answer
from bridge.web.answers import response_of

HealthCheck = Callable[[], str | None]
"""What is wrong with one part, in a word; None if nothing."""


def ops_blueprint(checks: Mapping[str, HealthCheck]) -> Blueprint:
    """/readyz says that every part that we need does its work, and names the ones that do not.

    Dynamic is no such part: with its keys remembered we work without it, and a restart would only forget them.
    """
    blueprint = Blueprint("ops", __name__)

    @blueprint.get("/readyz")
    def readyz() -> Response:
        found = {name: check() for name, check in checks.items()}
        ready = not any(found.values())
        parts = {name: problem or "ok" for name, problem in found.items()}
        document = {"status": "ready" if ready else "not ready", "parts": parts}
        return response_of(json_answer(200 if ready else 503, document))

    return blueprint
