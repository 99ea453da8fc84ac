"""The admin API, below /admin: what a developer does to the environment by hand or from another process.

It asks nobody who they are. What keeps it from a web page in the developer's browser is that the server binds to
loopback, that the Host must be a loopback name (DNS rebinding), and that an Origin, if there is one, must be as well.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from bridge.emulator.errors import UnknownCredentialError, UnknownKeyError, UnknownSessionError, UnknownUserError
from bridge.emulator.forms import FAULT, NEW_USER, ROTATION, TOKEN, USER_CHANGES
from bridge.emulator.inputs import BadInputError, Check, body_object, flag, members
from bridge.emulator.loopback import names_loopback
from bridge.emulator.model import Session, User
from bridge.emulator.webhooks_admin import INDEX as WEBHOOKS_INDEX
from bridge.emulator.webhooks_admin import webhooks_admin
from bridge.emulator.world import DEMO_ORIGIN, Emulator

INDEX = {
    "GET /admin/": "this list",
    "GET /admin/users": "every user",
    "POST /admin/users": "create one: email, email_verified, username, password, ..., wallets, credentials, state",
    "PATCH /admin/users/<id>": "change fields or state; link: [credential], unlink: [credential id]",
    "POST /admin/users/<id>/tokens": "mint: shape, origin, lifetime, issued_at, claims, without, header, key, sid",
    "POST /admin/keys/rotate": "keep_old, same_kid",
    "GET /admin/sessions": "every session so far: who signed in, by which credential, from which origin",
    "POST /admin/sessions/<sid>/revoke": "end a session; by_admin: as the customer does it",
    "GET /admin/switches": "what is assumed of Dynamic",
    "PUT /admin/switches": "change some",
    "PUT /admin/faults": "path_prefix, mode, delay, size, location, times",
    "DELETE /admin/faults": "all is well again",
    "GET /admin/email-codes": "the codes that pages had sent by e-mail, the latest first",
    "GET /admin/requests": "the requests to Dynamic's paths so far",
    **WEBHOOKS_INDEX,
}


def admin_api(emulator: Emulator) -> Blueprint:
    """The blueprint over `emulator`. Bad input is 400, an unknown id 404, a foreign host or origin 403."""
    admin = Blueprint("admin", __name__, url_prefix="/admin")
    _guard(admin)
    _users(admin, emulator)
    _environment(admin, emulator)
    _faults(admin, emulator)
    _sign_ins(admin, emulator)
    webhooks_admin(admin, emulator)
    return admin


def _guard(admin: Blueprint) -> None:
    @admin.before_request
    def from_this_machine() -> None:
        origin = request.headers.get("Origin")
        if not names_loopback(f"//{request.host}") or (origin is not None and not names_loopback(origin)):
            abort(403, "the admin API answers this machine only")

    # Below the guard every ValueError comes of what was sent; a RecursionError too: of how deep it was nested.
    @admin.errorhandler(ValueError)
    @admin.errorhandler(RecursionError)
    def bad_input(error: Exception) -> ResponseReturnValue:
        return {"error": str(error), "code": "bad_input"}, 400

    @admin.errorhandler(UnknownUserError)
    @admin.errorhandler(UnknownSessionError)
    @admin.errorhandler(UnknownCredentialError)
    @admin.errorhandler(UnknownKeyError)
    def not_found(error: Exception) -> ResponseReturnValue:
        return {"error": str(error), "code": "not_found"}, 404

    @admin.get("/")
    def index() -> ResponseReturnValue:
        return INDEX


def _users(admin: Blueprint, emulator: Emulator) -> None:
    @admin.get("/users")
    def everyone() -> ResponseReturnValue:
        return {"users": [_shown(user) for user in emulator.users()]}

    @admin.post("/users")
    def create() -> ResponseReturnValue:
        return {"user": _shown(emulator.create_user(**_sent(NEW_USER)))}, 201

    @admin.patch("/users/<user_id>")
    def change(user_id: str) -> ResponseReturnValue:
        return {"user": _shown(emulator.update_user(user_id, **_sent(USER_CHANGES)))}

    @admin.post("/users/<user_id>/tokens")
    def mint(user_id: str) -> ResponseReturnValue:
        wanted = _sent(TOKEN)
        session = _session(emulator, user_id, wanted)
        return {"token": emulator.mint(session, **wanted), "sid": session.sid}, 201


def _environment(admin: Blueprint, emulator: Emulator) -> None:
    @admin.post("/keys/rotate")
    def rotate() -> ResponseReturnValue:
        return {"kid": emulator.rotate_key(**_sent(ROTATION))}

    @admin.post("/sessions/<sid>/revoke")
    def revoke(sid: str) -> ResponseReturnValue:
        by_admin = _sent({"by_admin": flag}).get("by_admin", False)
        (emulator.management.revoke_session if by_admin else emulator.revoke)(sid)
        return {"revoked": sid}

    @admin.get("/switches")
    def switches() -> ResponseReturnValue:
        return asdict(emulator.switches)

    @admin.put("/switches")
    def switch() -> ResponseReturnValue:
        return asdict(emulator.switch(**body_object(request.get_data())))

    @admin.get("/requests")
    def requests() -> ResponseReturnValue:
        return {"requests": emulator.requests}


def _faults(admin: Blueprint, emulator: Emulator) -> None:
    @admin.put("/faults")
    def fault() -> ResponseReturnValue:
        emulator.faults.set(**_sent(FAULT, "path_prefix", "mode"))
        return {"faults": {prefix: asdict(met) for prefix, met in emulator.faults.in_force().items()}}

    @admin.delete("/faults")
    def no_faults() -> ResponseReturnValue:
        emulator.faults.clear()
        return {"faults": {}}


def _sign_ins(admin: Blueprint, emulator: Emulator) -> None:
    @admin.get("/sessions")
    def sessions() -> ResponseReturnValue:
        return {"sessions": [asdict(session) for session in emulator.sessions()]}

    @admin.get("/email-codes")
    def email_codes() -> ResponseReturnValue:
        return {"email_codes": [asdict(sent) for sent in emulator.email_codes.sent()]}


def _sent(checks: Mapping[str, Check], *required: str) -> dict[str, Any]:
    return members(body_object(request.get_data()), checks, required=required)


def _shown(user: User) -> dict[str, Any]:
    return {name: value for name, value in asdict(user).items() if name != "password"}


def _session(emulator: Emulator, user_id: str, wanted: dict[str, Any]) -> Session:
    """The session that `wanted` names by sid, else a new one; what only concerns the session leaves `wanted`."""
    sid, credential_id = wanted.pop("sid", None), wanted.pop("credential_id", None)
    if sid is None:
        origin = wanted.get("origin", DEMO_ORIGIN)
        return emulator.sign_in(user_id, origin=origin, credential_id=credential_id)
    session = emulator.session(sid)
    if session.user_id != user_id:
        raise BadInputError("the session is another user's")
    return session
