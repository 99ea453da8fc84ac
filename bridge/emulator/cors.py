"""Dynamic's API answers pages: each app's page calls it from the app's own origin."""

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from bridge.emulator.faults import BASE
from bridge.emulator.world import Emulator

SDK = f"{BASE}/sdk/"
METHODS = "GET, POST, PUT, PATCH, DELETE"


def answer_pages(app: Flask, emulator: Emulator) -> None:
    """CORS (Fetch, section 3.3) for every path of the SDKs', one that does not exist too: to any page, or to those of
    `allowed_origins` if there are any. Whatever headers the SDK sends, it may."""

    @app.before_request
    def preflight() -> ResponseReturnValue | None:
        return ("", 204) if request.method == "OPTIONS" and request.path.startswith(SDK) else None

    @app.after_request
    def allow(answer: Response) -> Response:
        if not request.path.startswith(SDK):
            return answer
        origin, switches = request.headers.get("Origin"), emulator.switches
        answer.vary.add("Origin")
        if origin is None or (switches.allowed_origins and origin not in switches.allowed_origins):
            return answer
        answer.headers["Access-Control-Allow-Origin"] = origin
        if switches.cookie_mode:
            answer.headers["Access-Control-Allow-Credentials"] = "true"
        if request.method == "OPTIONS":
            answer.headers["Access-Control-Allow-Methods"] = METHODS
            answer.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "")
        return answer
