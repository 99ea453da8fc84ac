"""The emulator's own sign-in page, as an app would have one (docs/own-sign-in-page.md), in HTML without a script.

    GET  /signin       the form; or, for a browser that is signed in, its token and a button
    POST /signin       name and password; then the token and a button
    GET  /signin/out   ends the session

The button posts `request` and `token` to the bridge, whose address is the emulator's configuration.
"""

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response
from werkzeug.exceptions import HTTPException

from bridge.emulator.accounts import shown_name
from bridge.emulator.asked import Asked, asked
from bridge.emulator.browsers import Browsers
from bridge.emulator.destinations import form_action
from bridge.emulator.errors import UnknownUserError, WrongPasswordError
from bridge.emulator.loopback import names_loopback
from bridge.emulator.model import Session
from bridge.emulator.page import page
from bridge.emulator.sessions import REFRESH_WINDOW
from bridge.emulator.world import Emulator

COOKIE = "emulator_browser"
PATH = "/signin"


def signin_page(emulator: Emulator) -> Blueprint:
    """The blueprint over `emulator`. Every answer is a page: 400 without a request, 401 on a wrong name or password,
    403 to a foreign host or origin, 503 while nobody said where the bridge is."""
    routes = Blueprint("signin", __name__, url_prefix=PATH)
    browsers = Browsers(emulator)
    _guard(routes)

    @routes.get("")
    def show() -> ResponseReturnValue:
        _complete_url(emulator)
        wanted = asked(request.args)
        if wanted.ends_session:
            browsers.sign_out(_cookie())
        session = None if wanted.asks_anew else browsers.carry_on(_cookie())
        return _form(emulator, wanted) if session is None else _hand_back(emulator, wanted, session, silent=True)

    @routes.post("")
    def sign_in() -> ResponseReturnValue:
        _complete_url(emulator)
        wanted, name = asked(request.form), request.form.get("username", "")
        try:
            cookie, session = browsers.sign_in(_cookie(), name, request.form.get("password", ""), _origin())
        except UnknownUserError:
            return _form(emulator, wanted, name, wrong="username"), 401
        except WrongPasswordError:
            return _form(emulator, wanted, name, wrong="password"), 401
        answer = _hand_back(emulator, wanted, session, silent=False)
        answer.set_cookie(COOKIE, cookie, max_age=REFRESH_WINDOW, path=PATH, httponly=True, samesite="Lax")
        return answer

    @routes.get("/out")
    def sign_out() -> ResponseReturnValue:
        browsers.sign_out(_cookie())
        answer = page("message.html", title="You are signed out", text="The session at the emulator has ended.")
        answer.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Lax")
        return answer

    return routes


def _guard(routes: Blueprint) -> None:
    @routes.before_request
    def from_here() -> None:
        """The Host becomes `aud`, so it must be ours (DNS rebinding). A form from another page is not our form."""
        if not names_loopback(f"//{request.host}"):
            abort(403, "This page answers this machine only.")
        if request.method == "POST" and request.headers.get("Origin", _origin()) != _origin():
            abort(403, "This page takes no form but its own.")

    @routes.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        return page("message.html", title="That did not work", text=error.description or error.name), error.code or 500


def _form(emulator: Emulator, wanted: Asked, name: str | None = None, wrong: str = "") -> Response:
    return page(
        "login.html",
        form_to=_destinations(emulator),
        complete_url=_complete_url(emulator),
        asked=wanted,
        kept=wanted.sent(),
        name=wanted.login_hint if name is None else name,
        wrong=wrong,
        nobody=not emulator.users(),
    )


def _hand_back(emulator: Emulator, wanted: Asked, session: Session, *, silent: bool) -> Response:
    lifetime = emulator.switches.token_lifetime
    return page(
        "hand_back.html",
        form_to=_destinations(emulator),
        complete_url=_complete_url(emulator),
        asked=wanted,
        name=shown_name(emulator.get_user(session.user_id)),
        token=emulator.mint(session, shape="large", origin=_origin(), lifetime=lifetime),
        others={**wanted.sent(), "prompt": "select_account"} if silent else None,
    )


def _complete_url(emulator: Emulator) -> str:
    url = emulator.signin_complete_url
    if url is None:
        abort(503, "Where is the bridge? Start the emulator with --bridge ISSUER, or set signin_complete_url.")
    return url


def _destinations(emulator: Emulator) -> str:
    return form_action(_complete_url(emulator), emulator.app_origins)


def _origin() -> str:
    """The origin in the address bar, as Dynamic takes `aud` from what the browser says of the page."""
    return f"{request.scheme}://{request.host}".lower()


def _cookie() -> str:
    return request.cookies.get(COOKIE, "")
