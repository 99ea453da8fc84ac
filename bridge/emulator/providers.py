"""Sign-in by social account, below /api/v0/sdk/<environment>/providers/<provider>.

POST /initAuth    the page says where it wants to be when it comes back, and goes to the provider (identity)
GET  /redirect    where the provider sends the browser: on to that page, with the provider's code
POST /signIn      the code for a session
POST /verify      the code for one more credential of who is signed in
"""

from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, abort, redirect, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from bridge.emulator.arrivals import Arrivals
from bridge.emulator.callers import caller, page_origin, verify_response
from bridge.emulator.captcha import check_captcha
from bridge.emulator.destinations import checked_return, without_query
from bridge.emulator.device import check_device
from bridge.emulator.errors import SocialError
from bridge.emulator.inputs import BadInputError, body_object, text, texts_of
from bridge.emulator.model import NewOAuth
from bridge.emulator.social import PROVIDERS
from bridge.emulator.social_accounts import profile
from bridge.emulator.switches import Switches
from bridge.emulator.world import Emulator

PATH = "/sdk/<environment>/providers/<provider>"


def social_sign_in(api: Blueprint, emulator: Emulator, arrivals: Arrivals) -> None:
    """Adds these endpoints. A provider that is not enabled is 404, a code or state that does not hold 422."""
    _errors(api)
    _on_the_way(api, emulator)

    @api.post(f"{PATH}/signIn")
    def signin_by_account(environment: str, provider: str) -> Response:  # noqa: ARG001 - checked before the request
        body = body_object(request.get_data())
        check_captcha(body, emulator.switches)
        account = _redeemed(emulator, provider, body)
        return verify_response(emulator, arrivals.sign_in(account, page_origin(), **profile(account)))

    @api.post(f"{PATH}/verify")
    def link_account(environment: str, provider: str) -> Response:  # noqa: ARG001
        session = caller(emulator)
        check_device(request.headers, emulator.nonces, emulator.switches)
        account = _redeemed(emulator, provider, body_object(request.get_data()))
        return verify_response(emulator, arrivals.link(account, session))


def _errors(api: Blueprint) -> None:
    @api.errorhandler(SocialError)
    def does_not_hold(error: SocialError) -> ResponseReturnValue:
        return {"error": str(error), "code": "invalid_verification"}, 422


def _on_the_way(api: Blueprint, emulator: Emulator) -> None:
    @api.post(f"{PATH}/initAuth")
    def begin_at_provider(environment: str, provider: str) -> ResponseReturnValue:  # noqa: ARG001
        _known(provider)
        state, redirect_url = texts_of(body_object(request.get_data()), "state", "redirectUrl")
        _check_return(redirect_url, emulator.switches)
        emulator.social.begin(provider, state, redirect_url, emulator.clock())
        return "", 204

    @api.get(f"{PATH}/redirect")
    def back_from_provider(environment: str, provider: str) -> ResponseReturnValue:  # noqa: ARG001
        _known(provider)
        state = request.args.get("state", "")
        journey = emulator.social.under_way(provider, state, emulator.clock())
        members = {"dynamicOauthState": state}
        if "error" in request.args:
            members["error"] = request.args["error"]
        else:
            members["dynamicOauthCode"] = request.args.get("code", "")
        return redirect(_with_query(journey.redirect_url, members))


def _known(provider: str) -> None:
    if provider not in PROVIDERS:
        abort(404, "the provider is not enabled")


def _check_return(url: str, switches: Switches) -> None:
    """BadInputError unless pages may come back to this URL."""
    try:
        checked_return(url)
    except ValueError as problem:
        raise BadInputError(str(problem)) from None
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    if switches.allowed_origins and origin not in switches.allowed_origins:
        raise BadInputError("redirectUrl is of an origin that is not allowed")
    listed = switches.social_redirect_urls
    if listed and without_query(url) not in listed:
        raise BadInputError("redirectUrl is none of the social redirect URLs")


def _redeemed(emulator: Emulator, provider: str, body: dict[str, Any]) -> NewOAuth:
    _known(provider)
    code, state = texts_of(body, "code", "state")
    verifier = text("codeVerifier", body.get("codeVerifier") or "")
    return emulator.social.redeem(provider, code, state, verifier, emulator.clock())


def _with_query(url: str, members: dict[str, str]) -> str:
    parts = urlsplit(url)
    return parts._replace(query="&".join(filter(None, (parts.query, urlencode(members))))).geturl()
