"""Dynamic's own paths, below /api/v0."""

import base64

from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from bridge.emulator.callers import COOKIE, caller, require_api_token, shown, verify_response
from bridge.emulator.cors import SDK, may_call
from bridge.emulator.device import check_device
from bridge.emulator.environment import ENABLED_AT, project_settings
from bridge.emulator.errors import NotAuthenticatedError, RateLimitedError, SessionEndedError
from bridge.emulator.faults import BASE
from bridge.emulator.identity import social_settings
from bridge.emulator.management_api import management_api
from bridge.emulator.sdk import browser_sdk
from bridge.emulator.world import Emulator


def dynamic_api(emulator: Emulator) -> Blueprint:
    """The blueprint over `emulator`. Every answer is JSON or empty."""
    api = Blueprint("dynamic", __name__, url_prefix=BASE)
    _guard(api, emulator)
    _rate(api, emulator)
    _keys(api, emulator)
    _public(api, emulator)
    browser_sdk(api, emulator)
    _own_session(api, emulator)
    management_api(api, emulator)
    return api


def _guard(api: Blueprint, emulator: Emulator) -> None:
    @api.before_request
    def right_environment() -> None:
        environment = (request.view_args or {}).get("environment", emulator.environment_id)
        if environment != emulator.environment_id:
            abort(404, "environment not found")

    @api.before_request
    def right_origin() -> None:
        """A key set is fetched by servers, and a redirect followed by a browser, which says no origin there."""
        switches, origin = emulator.switches, request.headers.get("Origin")
        if not request.path.startswith(SDK) or "/.well-known/" in request.path or request.path.endswith("/redirect"):
            return
        refused = switches.sdk_requires_origin if origin is None else not may_call(origin, switches)
        if refused:
            abort(403, "origin not allowed")

    @api.errorhandler(NotAuthenticatedError)
    @api.errorhandler(SessionEndedError)
    def refused(error: Exception) -> ResponseReturnValue:
        return {"error": str(error), "code": "unauthorized"}, 401


def _rate(api: Blueprint, emulator: Emulator) -> None:
    @api.before_request
    def not_too_often() -> None:
        if emulator.switches.rate_limits and request.path.startswith(SDK):
            seconds = emulator.rate_limits.wait(request.path, emulator.clock())
            if seconds:
                raise RateLimitedError(seconds)

    @api.errorhandler(RateLimitedError)
    def too_often(error: RateLimitedError) -> ResponseReturnValue:
        return {"error": str(error), "code": "too_many_requests"}, 429, {"Retry-After": str(error.seconds)}


def _keys(api: Blueprint, emulator: Emulator) -> None:
    @api.get("/sdk/<environment>/.well-known/jwks")
    @api.get("/sdk/<environment>/.well-known/jwks.json")
    def jwks(environment: str) -> Response:  # noqa: ARG001 - checked before the request
        answer = jsonify(emulator.served_jwks())
        if emulator.switches.jwks_cache_control is not None:
            answer.headers["Cache-Control"] = emulator.switches.jwks_cache_control
        return answer

    @api.get("/environments/<environment>/keys")
    def keys(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        pem = emulator.public_pem(emulator.switches.keys_endpoint_pem)
        return {"key": {"id": emulator.keys_endpoint_id(), "publicKey": base64.b64encode(pem.encode()).decode()}}


def _public(api: Blueprint, emulator: Emulator) -> None:
    @api.get("/sdk/<environment>/settings")
    def settings(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        return project_settings(emulator.switches, social_settings(emulator, ENABLED_AT))

    @api.get("/sdk/<environment>/healthcheck")
    def healthcheck(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        return {"status": "healthy"}


def _own_session(api: Blueprint, emulator: Emulator) -> None:
    @api.get("/sdk/<environment>/session")
    def session(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        try:
            caller(emulator)
        except NotAuthenticatedError as refusal:
            return {"error": str(refusal)}, emulator.switches.session_refused_status
        return "", emulator.switches.session_status

    @api.get("/sdk/<environment>/users")
    def users(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        return shown(emulator, caller(emulator))

    @api.post("/sdk/<environment>/revoke")
    def revoke(environment: str) -> Response:  # noqa: ARG001
        emulator.revoke(caller(emulator).sid)
        answer = Response(status=204)
        if emulator.switches.cookie_mode:
            answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Lax")
        return answer

    @api.post("/sdk/<environment>/refresh")
    def refresh(environment: str) -> Response:  # noqa: ARG001
        check_device(request.headers, emulator.nonces, emulator.switches)
        return verify_response(emulator, emulator.refresh(caller(emulator).sid))
