"""The endpoints for people: what the protocol room tells a browser to do, as responses with cookies and pages."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, request

from bridge.clock import Clock
from bridge.errors import Refused
from bridge.lifecycle.signin import origin_of
from bridge.model import Client, Environment, User
from bridge.oauth.account_client import ACCOUNT
from bridge.oauth.refusals import page_status
from bridge.oauth.request import MAX_BODY_BYTES, BrowserRequest
from bridge.oauth.steps import (
    Download,
    Outcome,
    PostForm,
    Redirect,
    ShowAccount,
    ShowConsent,
    ShowErased,
    ShowErasure,
    ShowError,
    ShowLoggedOut,
    ShowLogout,
    ShowSignIn,
    ShowSigningOut,
    ShowSignInMissing,
    Step,
)
from bridge.ratelimit import RateLimits
from bridge.web import render, signin_pages, untrusted
from bridge.web.account_view import account_response
from bridge.web.bundle import Bundle
from bridge.web.bundle_files import PATH
from bridge.web.device import printable
from bridge.web.edge import refused
from bridge.web.page import Bundled
from bridge.web.wording import for_people

_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class BrowserEndpoint:
    """One endpoint for people: its path, its methods, and who answers."""

    path: str
    methods: Sequence[str]
    respond: Callable[[BrowserRequest], Outcome] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cookies:
    """The names of our cookies, and how they are set. `secure`: the issuer is https."""

    browser: str
    session: str
    secure: bool

    @classmethod
    def of(cls, issuer: str) -> "Cookies":
        """Names that no other issuer on the same host uses, and on https no other host can set (`__Host-`)."""
        parts = urlsplit(issuer)
        own = hashlib.sha256(parts.path.encode()).hexdigest()[:8] if parts.path else "root"
        prefix = "__Host-" if parts.scheme == "https" else ""
        return cls(f"{prefix}bridge-browser-{own}", f"{prefix}bridge-session-{own}", parts.scheme == "https")


def browser_blueprint(
    endpoints: Sequence[BrowserEndpoint],
    *,
    issuer: str,
    reasons_url: str,
    bundle: Bundle | None,
    limits: RateLimits,
    clock: Clock,
) -> Blueprint:
    """The blueprint of the endpoints for people. `bundle`: what our own sign-in page runs, if it was built."""
    blueprint = Blueprint("browser", __name__)
    cookies = Cookies.of(issuer)

    def show(step: Step) -> Response:
        if bundle is not None and isinstance(step, ShowSignIn | ShowSigningOut):
            return _with_script(step, issuer, bundle)
        return _response(step, issuer, reasons_url)

    @blueprint.before_request
    def not_too_often() -> Response | None:
        try:
            limits.of_source(request.remote_addr or "")
        except Refused as why:
            return show(ShowError(why))
        return None

    for endpoint in endpoints:
        _add(blueprint, endpoint, cookies, clock, show)
    return blueprint


def _add(
    blueprint: Blueprint, endpoint: BrowserEndpoint, cookies: Cookies, clock: Clock, show: Callable[[Step], Response]
) -> None:
    def view() -> Response:
        if request.method not in endpoint.methods:  # Flask adds HEAD, which would do what GET does
            abort(405)
        sent = request.cookies
        http = BrowserRequest(
            method=request.method,
            query=request.query_string.decode("latin-1"),
            body=request.stream.read(MAX_BODY_BYTES + 1) if request.method == "POST" else b"",
            content_type=request.headers.get("content-type", ""),
            origin=request.headers.get("origin"),
            browser=_ours(sent.get(cookies.browser)),
            session=_ours(sent.get(cookies.session)),
            peer=request.remote_addr or "",
            now=clock(),
            user_agent=printable(request.headers.get("user-agent")),
        )
        outcome = endpoint.respond(http)
        if outcome.why is not None:
            refused(outcome.why)
        response = show(outcome.step)
        _set(response, cookies.browser, outcome.browser, sent, secure=cookies.secure)
        _set(response, cookies.session, outcome.session, sent, secure=cookies.secure)
        return response

    blueprint.add_url_rule(
        endpoint.path,
        endpoint=endpoint.path.strip("/").replace("/", "-"),
        view_func=view,
        methods=list(endpoint.methods),
        provide_automatic_options=False,
    )


def _ours(cookie: str | None) -> str | None:
    """A cookie's value if it can be one of ours: 256 random bits in base64url."""
    return cookie if cookie is not None and _COOKIE.fullmatch(cookie) else None


def _set(response: Response, name: str, value: str | None, sent: Mapping[str, str], *, secure: bool) -> None:
    """Both cookies end with the browser; how long they count, the database knows.

    One is taken away only if it came: a foreign page's post brings none, and must not be able to sign anybody out.
    """
    if value:
        response.set_cookie(name, value, path="/", secure=secure, httponly=True, samesite="Lax")
    elif value is not None and name in sent:
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")


def _response(step: Step, issuer: str, reasons_url: str) -> Response:
    match step:
        case Redirect(url):
            return Response(status=303, headers={"Location": url, **_SECRETIVE})
        case PostForm(url, client, fields):
            return render.form_post(render.FormPost(url, fields, _known_as(client)[0]))
        case ShowConsent():
            return _consent(step, issuer)
        case ShowLogout(client, user, fields):
            name, home = _known_as(client)
            return render.logout(render.Logout(f"{issuer}/logout", fields, _shown_user(user), name, home))
        case ShowLoggedOut(client) | ShowSigningOut(client):
            return render.logged_out(render.LoggedOut(*_known_as(client)))
        case ShowSignInMissing(client) | ShowSignIn(client):
            return render.signin_missing(render.SigninMissing(_registered_id(client), *_known_as(client)))
        case ShowError():
            return _error(step, reasons_url)
        case ShowAccount() | ShowErasure() | ShowErased() | Download():
            return account_response(step, issuer, _shown_user)


def _registered_id(client: Client) -> str:
    """The id under which a client's settings can be changed; empty for our own page, which has none."""
    return "" if client.client_id == ACCOUNT else client.client_id


def _with_script(step: ShowSignIn | ShowSigningOut, issuer: str, bundle: Bundle) -> Response:
    name, home = _known_as(step.client)
    told: dict[str, object] = {"appName": untrusted.name(name)}
    if isinstance(step, ShowSigningOut):
        told |= {"page": "signout", "next": step.target}
        return signin_pages.signing_out(
            signin_pages.SigningOut(
                _bundled(bundle, issuer, step.environment, told), step.target, name, home, erased=step.erased
            )
        )
    told |= {"page": "signin", "request": step.request_id, "prompt": step.prompt, "loginHint": step.login_hint}
    told["restartUrl"] = step.restart
    bundled = _bundled(bundle, issuer, step.environment, told)
    page = signin_pages.SignIn(render.app_of(step.client), f"{issuer}/signin/complete", step.request_id, bundled)
    return signin_pages.sign_in(page)


def _bundled(bundle: Bundle, issuer: str, environment: Environment, told: Mapping[str, object]) -> Bundled:
    at = {"environmentId": environment.environment_id, "apiBaseUrl": environment.api_base_url}
    calls = origin_of(environment.api_base_url)
    return Bundled(bundle.script, bundle.style, f"{issuer}{PATH}/", calls, {**at, **told})


def _consent(step: ShowConsent, issuer: str) -> Response:
    client = step.request.client
    page = render.Consent(
        app=render.app_of(client),
        user=_shown_user(step.user),
        scopes=step.request.consent_scope,
        action=f"{issuer}/consent",
        fields=step.fields,
        redirect_uri=step.request.redirect_uri,
        switch_url=step.switch,
    )
    return render.consent(page)


def _known_as(client: Client | None) -> tuple[str | None, str | None]:
    """A client's name and home page."""
    return (None, None) if client is None else (client.name or client.client_id, client.client_uri)


_SECRETIVE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def _error(step: ShowError, reasons_url: str) -> Response:
    why, client = step.why, step.client
    request_id = refused(why)
    name, back = _known_as(client)
    title, sentence = for_people(why)
    page = render.Error(
        title=title,
        sentence=sentence,
        code=why.reason.code,
        request_id=request_id,
        status=page_status(why),
        reason_url=f"{reasons_url}/{why.reason.code}",
        retry_url=step.again,
        back_url=back,
        app_name=name,
    )
    response = render.error(page)
    if why.retry_after is not None:
        response.headers["Retry-After"] = str(why.retry_after)
    return response


def _shown_user(user: User) -> str:
    """How people know their account: by their e-mail address, name or wallet."""
    for claim in ("email", "name"):
        value = user.claims.get(claim)
        if isinstance(value, str) and value:
            return value
    wallet = str(user.claims.get("wallet_address") or user.sub)
    return wallet if len(wallet) <= 20 else f"{wallet[:6]}…{wallet[-4:]}"
