"""Dynamic's own paths, below /api/v0."""

import base64

from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from bridge.emulator.callers import caller, require_api_token, shown, verify_response
from bridge.emulator.device import check_device
from bridge.emulator.environment import project_settings
from bridge.emulator.errors import NotAuthenticatedError, SessionEndedError
from bridge.emulator.faults import BASE
from bridge.emulator.management_api import management_api
from bridge.emulator.sdk import browser_sdk
from bridge.emulator.world import Emulator


def dynamic_api(emulator: Emulator) -> Blueprint:
    """The blueprint over `emulator`. Every answer is JSON or empty."""
    api = Blueprint("dynamic", __name__, url_prefix=BASE)
    _guard(api, emulator)
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
        switches, origin = emulator.switches, request.headers.get("Origin")
        if not switches.sdk_requires_origin or not request.path.startswith(f"{BASE}/sdk/"):
            return
        if "/.well-known/" in request.path:
            return
        if origin is None or (switches.allowed_origins and origin not in switches.allowed_origins):
            abort(403, "origin not allowed")

    @api.errorhandler(NotAuthenticatedError)
    @api.errorhandler(SessionEndedError)
    def refused(error: Exception) -> ResponseReturnValue:
        return {"error": str(error), "code": "unauthorized"}, 401


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
        return project_settings(emulator.switches)

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
    def revoke(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        emulator.revoke(caller(emulator).sid)
        return "", 204

    @api.post("/sdk/<environment>/refresh")
    def refresh(environment: str) -> Response:  # noqa: ARG001
        check_device(request.headers, emulator.nonces)
        return verify_response(emulator, emulator.refresh(caller(emulator).sid))
