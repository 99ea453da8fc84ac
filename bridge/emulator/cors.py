"""Dynamic's API answers pages: each app's page calls it from the app's own origin."""

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from bridge.emulator.faults import BASE
from bridge.emulator.switches import Switches
from bridge.emulator.world import Emulator

SDK = f"{BASE}/sdk/"
METHODS = "GET, POST, PUT, PATCH, DELETE"


def may_call(origin: str, switches: Switches) -> bool:
    """Whether pages of this origin may."""
    return not switches.allowed_origins or origin in switches.allowed_origins


def readable_by(origin: str | None, switches: Switches) -> dict[str, str]:
    """The headers that let the page of this origin read an answer, if it may."""
    if origin is None or not may_call(origin, switches):
        return {}
    credentials = {"Access-Control-Allow-Credentials": "true"} if switches.cookie_mode else {}
    return {"Access-Control-Allow-Origin": origin, **credentials}


def answer_pages(app: Flask, emulator: Emulator) -> None:
    """CORS (Fetch, section 3.3) for every path of the SDKs', one that does not exist too: to any page, or to those of
    `allowed_origins` if there are any. Whatever headers the SDK sends, it may."""

    @app.before_request
    def preflight() -> ResponseReturnValue | None:
        if request.method != "OPTIONS" or not request.path.startswith(SDK):
            return None
        return "", 204 if may_call(request.headers.get("Origin", ""), emulator.switches) else 403

    @app.after_request
    def allow(answer: Response) -> Response:
        if not request.path.startswith(SDK):
            return answer
        answer.vary.add("Origin")
        headers = readable_by(request.headers.get("Origin"), emulator.switches)
        answer.headers.update(headers)
        if headers and request.method == "OPTIONS":
            answer.headers["Access-Control-Allow-Methods"] = METHODS
            answer.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "")
        return answer
