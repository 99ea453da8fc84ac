"""The provider that social accounts are at, played by one page: whoever you say you are, you are.

    GET  /identity/<provider>   what an app's page leads to: who are you? (the settings' baseAuthUrl)
    POST /identity/<provider>   the answer; back to redirect_uri with a code, or with access_denied

In HTML without a script. It speaks the authorization code flow (RFC 6749, section 4.1) as far as Dynamic's SDKs do.
"""

from urllib.parse import urlencode

from flask import Blueprint, abort, redirect, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from bridge.emulator.destinations import form_action
from bridge.emulator.errors import SocialError
from bridge.emulator.faults import BASE
from bridge.emulator.model import NewOAuth
from bridge.emulator.page import page
from bridge.emulator.social import CHALLENGE, PROVIDERS, WITH_PKCE, Journey
from bridge.emulator.social_accounts import chosen, known_accounts, typed
from bridge.emulator.world import Emulator

NAMES = {"google": "Google", "github": "GitHub"}
CLIENT_ID = "emulator"
SCOPES = {"google": "openid email profile", "github": "read:user user:email"}
SENT = ("client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method")


def identity_provider(emulator: Emulator) -> Blueprint:
    """The blueprint over `emulator`. A request that no page of Dynamic's SDK sends is a page with 400."""
    routes = Blueprint("identity", __name__, url_prefix="/identity")

    @routes.get("/<provider>")
    def ask(provider: str) -> ResponseReturnValue:
        journey = _journey(emulator, provider, request.args)
        return _asking(emulator, journey, known_accounts(emulator.users(), provider), request.args)

    @routes.post("/<provider>")
    def answer(provider: str) -> ResponseReturnValue:
        if request.headers.get("Origin", _origin()) != _origin():
            abort(403, "This page takes no form but its own.")
        journey = _journey(emulator, provider, request.form)
        if "cancel" in request.form:
            return _back(emulator, journey, error="access_denied")
        known, sent = known_accounts(emulator.users(), provider), request.form
        if "account" in sent:
            account = chosen(known, sent["account"])
        else:
            account = typed(known, provider, sent.get("email", "").strip(), sent.get("name", "").strip())
        if account is None:
            return _asking(emulator, journey, known, sent, wrong=True), 400
        code = emulator.social.grant(journey, sent.get("code_challenge", ""), account)
        return _back(emulator, journey, code=code)

    @routes.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        told = page("message.html", title="That did not work", text=error.description or error.name)
        return told, error.code or 500

    return routes


def redirect_uri(emulator: Emulator, provider: str) -> str:
    """Where this provider sends browsers back to: Dynamic's, not the app's."""
    return f"{_origin()}{BASE}/sdk/{emulator.environment_id}/providers/{provider}/redirect"


def social_settings(emulator: Emulator, enabled_at: str) -> list[dict[str, object]]:
    """The entries of the settings' `providers`."""
    return [
        {
            "provider": provider,
            "enabledAt": enabled_at,
            "clientId": CLIENT_ID,
            "baseAuthUrl": f"{_origin()}/identity/{provider}",
            "redirectUrl": redirect_uri(emulator, provider),
            "scopes": SCOPES[provider],
        }
        for provider in PROVIDERS
    ]


def _journey(emulator: Emulator, provider: str, sent: MultiDict[str, str]) -> Journey:
    """What the request belongs to. It answers 400 or 404 to a request that a provider would not take."""
    if provider not in PROVIDERS:
        abort(404, "There is no such provider.")
    if sent.get("response_type") != "code" or sent.get("client_id") != CLIENT_ID:
        abort(400, "This provider knows one client_id, that of the settings, and one response_type, code.")
    if sent.get("redirect_uri") != redirect_uri(emulator, provider):
        abort(400, "The redirect_uri is not the one in the settings.")
    challenge = sent.get("code_challenge", "")
    if challenge and not (CHALLENGE.fullmatch(challenge) and sent.get("code_challenge_method") == "S256"):
        abort(400, "The code_challenge is none, or not by S256.")
    if not challenge and provider in WITH_PKCE:
        abort(400, "This provider wants a code_challenge.")
    try:
        return emulator.social.under_way(provider, sent.get("state", ""), emulator.clock())
    except SocialError:
        abort(400, "This sign-in never began, or took too long. Begin again in the app.")


def _asking(
    emulator: Emulator, journey: Journey, known: list[NewOAuth], sent: MultiDict[str, str], *, wrong: bool = False
) -> Response:
    return page(
        "identity.html",
        form_to=form_action(journey.redirect_url, emulator.app_origins),
        provider=NAMES[journey.provider],
        kept={name: sent[name] for name in SENT if name in sent},
        accounts=known,
        email=sent.get("email", ""),
        name=sent.get("name", ""),
        wrong=wrong,
    )


def _back(emulator: Emulator, journey: Journey, **members: str) -> ResponseReturnValue:
    query = urlencode({"state": journey.state, **members})
    return redirect(f"{redirect_uri(emulator, journey.provider)}?{query}", 303)


def _origin() -> str:
    return f"{request.scheme}://{request.host}".lower()
