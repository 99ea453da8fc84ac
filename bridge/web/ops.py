"""What operators and load balancers ask: are you there, and can you work?"""

from collections.abc import Callable, Mapping

from flask import Blueprint, Response

from bridge.web.answers import uncached

HealthCheck = Callable[[], str | None]
"""What is wrong with one part, in a word; None if nothing."""


def ops_blueprint(checks: Mapping[str, HealthCheck]) -> Blueprint:
    """/healthz says that the process answers; /readyz that every part it needs does, and names the ones that do not.

    Dynamic is no such part: with its keys remembered we work without it, and a restart would only forget them.
    """
    blueprint = Blueprint("ops", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return uncached({"status": "ok"}, 200)

    @blueprint.get("/readyz")
    def readyz() -> Response:
        found = {name: check() for name, check in checks.items()}
        ready = not any(found.values())
        parts = {name: problem or "ok" for name, problem in found.items()}
        return uncached({"status": "ready" if ready else "not ready", "parts": parts}, 200 if ready else 503)

    return blueprint
