"""The pages people see: what each shows.

Every page runs no script (form_post's one line apart), loads nothing (the app's logo apart), and may not be framed.
Apps' texts and URLs are strangers' words: made fit to show by `untrusted`, and escaped by the templates.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import Response

from bridge.model import Client
from bridge.reasons import Explained
from bridge.signin_reasons import REASONS
from bridge.web import untrusted
from bridge.web.page import page as _page

SCOPES: Mapping[str, str] = {
    "openid": "Recognise you by an identifier, and see when and how you signed in",
    "profile": "See your name, username, picture and other details of your profile",
    "email": "See your verified e-mail address",
    "phone": "See your verified phone number",
    "address": "See the country that you gave in your profile",
    "wallets": "See your verified wallets and their public addresses, with no power to sign or spend",
    "groups": "See which groups and access lists you belong to",
    "offline_access": "Keep this access while you are away, until it ends or is taken back",
}
"""What each scope hands over, in the words of the consent page. A word that is not here is shown as it is."""


@dataclass(frozen=True, slots=True)
class App:
    """The app that a page speaks of, as its client is registered."""

    name: str
    logo_uri: str | None = None
    client_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """May this app have that? The answer is `decision`, allow or deny, posted to `action` with `fields`.

    `user`: how people know their account (e-mail, name, short address). `redirect_uri`: whose host is shown as where
    the browser goes next. `switch_url`: where one signs in as somebody else.
    """

    app: App
    user: str
    scopes: tuple[str, ...]
    action: str
    fields: Mapping[str, str] = field(repr=False)
    redirect_uri: str | None = None
    switch_url: str | None = None


@dataclass(frozen=True, slots=True)
class Logout:
    """Really sign out? Yes is `decision` logout, posted to `action` with `fields`; no is a link to `stay_url`."""

    action: str
    fields: Mapping[str, str] = field(repr=False)
    user: str | None = None
    app_name: str | None = None
    stay_url: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """Signed out. `back_url` leads back to the app."""

    app_name: str | None = None
    back_url: str | None = None


@dataclass(frozen=True, slots=True)
class Error:
    """A request that cannot be answered at the app. `title` and `sentence` for people, the rest to find the cause.

    `code` is stable, `reason_url` explains it. `retry_url` begins again, `back_url` leads back to the app.
    """

    title: str
    sentence: str
    code: str
    request_id: str
    status: int = 400
    reason_url: str | None = None
    retry_url: str | None = None
    back_url: str | None = None
    app_name: str | None = None


@dataclass(frozen=True, slots=True)
class SigninMissing:
    """No sign-in page is configured for this client."""

    client_id: str
    app_name: str | None = None
    back_url: str | None = None


@dataclass(frozen=True, slots=True)
class FormPost:
    """An authorization response, posted to the app by the browser (OAuth 2.0 Form Post Response Mode)."""

    redirect_uri: str
    fields: Mapping[str, str] = field(repr=False)
    app_name: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """The first page: the issuer, and named links to its documents."""

    issuer: str
    links: Mapping[str, str]


def consent(page: Consent) -> Response:
    """The consent page. Raises ValueError if `action` is not http(s)."""
    app = shown(page.app)
    scopes = [{"word": untrusted.line(word), "sentence": SCOPES.get(word)} for word in page.scopes]
    return _page(
        "consent.html",
        posts_to=page.action,
        logos=filter(None, [app["logo_uri"]]),
        app=app,
        user=untrusted.line(page.user),
        scopes=scopes,
        fields=page.fields.items(),
        goes_to=untrusted.host(page.redirect_uri),
        switch_url=untrusted.link(page.switch_url),
    )


def logout(page: Logout) -> Response:
    """The question before a logout. Raises ValueError if `action` is not http(s)."""
    return _page(
        "logout.html",
        posts_to=page.action,
        fields=page.fields.items(),
        user=untrusted.line(page.user or ""),
        app_name=untrusted.line(page.app_name or ""),
        stay_url=untrusted.link(page.stay_url),
    )


def logged_out(page: LoggedOut) -> Response:
    """The page after a logout."""
    return _page("logged_out.html", app_name=untrusted.name(page.app_name), back_url=untrusted.link(page.back_url))


def error(page: Error) -> Response:
    """The page for what cannot be answered by a redirect, with the page's status."""
    return _page(
        "error.html",
        status=page.status,
        title=page.title,
        sentence=page.sentence,
        code=page.code,
        request_id=page.request_id,
        reason_url=untrusted.link(page.reason_url),
        retry_url=untrusted.link(page.retry_url),
        back_url=untrusted.link(page.back_url),
        app_name=untrusted.name(page.app_name),
    )


def signin_missing(page: SigninMissing) -> Response:
    """Status 503: kind words for the user, the missing setting for the developer."""
    return _page(
        "signin_missing.html",
        status=503,
        client_id=untrusted.line(page.client_id),
        app_name=untrusted.name(page.app_name),
        back_url=untrusted.link(page.back_url),
    )


def form_post(page: FormPost) -> Response:
    """A form that posts itself to the app. Raises ValueError if `redirect_uri` is not http(s)."""
    return _page(
        "form_post.html",
        posts_to=page.redirect_uri,
        # The app sees who posts, and no path. Under no-referrer it would see Origin: null, as from a sandbox.
        referrer="origin",
        script=True,
        app_name=untrusted.name(page.app_name),
        fields=page.fields.items(),
    )


def index(page: Index) -> Response:
    """What this server is."""
    links = [(name, url) for name, url in page.links.items() if untrusted.link(url)]
    return _page("index.html", public=True, issuer=page.issuer, links=links)


def reasons(issuer: str) -> Response:
    """Every reason for a refusal."""
    return _page("reasons.html", public=True, issuer=untrusted.link(issuer) or "", reasons=list(REASONS.values()))


def reason(issuer: str, which: Explained) -> Response:
    """What one reason means and what mends it."""
    return _page("reason.html", public=True, issuer=untrusted.link(issuer) or "", reason=which)


def app_of(client: Client) -> App:
    """The app as its client is registered."""
    return App(client.name or client.client_id, client.logo_uri, client.client_uri, client.policy_uri, client.tos_uri)


def shown(app: App) -> Mapping[str, str | None]:
    """An app's registration as a page may show it."""
    name = untrusted.name(app.name)
    initial = next((letter.upper()[0] for letter in name if letter.isalnum()), "•")
    return {
        "name": name,
        "initial": initial,
        "tint": str(zlib.crc32(name.encode()) % 6),
        "logo_uri": untrusted.logo_url(app.logo_uri),
        "client_uri": untrusted.link(app.client_uri),
        "site": untrusted.host(app.client_uri),
        "policy_uri": untrusted.link(app.policy_uri),
        "tos_uri": untrusted.link(app.tos_uri),
    }
