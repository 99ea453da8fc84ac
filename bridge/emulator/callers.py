"""Who calls Dynamic's API, and what a caller is shown of itself."""

import hmac
from collections.abc import Callable

from flask import jsonify, request
from flask.wrappers import Response

from bridge.emulator.errors import NotAuthenticatedError
from bridge.emulator.model import Session
from bridge.emulator.profile import sdk_user
from bridge.emulator.world import DEMO_ORIGIN, Emulator

COOKIE = "DYNAMIC_JWT_TOKEN"


def page_origin() -> str:
    """The origin of the page that calls; a server's call has none, and is taken for one of the demo's."""
    return request.headers.get("Origin", DEMO_ORIGIN)


def require_api_token(emulator: Emulator) -> None:
    """NotAuthenticatedError to all but the customer's own server."""
    if not hmac.compare_digest(_bearer().encode(), emulator.api_token.encode()):
        raise NotAuthenticatedError("an API token is needed")


def caller(emulator: Emulator) -> Session:
    """The session of the token that came along. NotAuthenticatedError."""
    cookie = request.cookies.get(COOKIE, "") if emulator.switches.cookie_mode else ""
    return emulator.authenticate(_bearer() or cookie)


def shown(emulator: Emulator, session: Session) -> dict[str, object]:
    """The session's user, as `SdkUser`."""
    user = emulator.get_user(session.user_id)
    return sdk_user(user, session, emulator.switches, emulator.environment_id)


def verify_response(emulator: Emulator, session: Session) -> Response:
    """Dynamic's VerifyResponse: with both tokens, or in cookie mode with none and the small one as a cookie."""
    lifetime = emulator.switches.token_lifetime
    issued_at, origin = emulator.clock(), request.headers.get("Origin")
    mint: Callable[..., str] = emulator.mint
    minified = mint(session, shape="small", origin=origin, lifetime=lifetime, issued_at=issued_at)
    body: dict[str, object] = {"user": shown(emulator, session), "expiresAt": issued_at + lifetime}
    if emulator.switches.cookie_mode:
        answer = jsonify(body)
        answer.set_cookie(COOKIE, minified, max_age=lifetime, secure=True, httponly=True, samesite="Lax")
        return answer
    full = mint(session, shape="large", origin=origin, lifetime=lifetime, issued_at=issued_at)
    return jsonify({**body, "jwt": full, "minifiedJwt": minified})


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
