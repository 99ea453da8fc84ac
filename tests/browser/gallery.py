"""Every page with what it shows on a good day and on a bad one, served on this machine; and apps for forms to go to."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from browser.account_pages import ERASURE, account_page, bare, crowded, told
from flask import Flask, Response, redirect, request
from werkzeug.serving import WSGIRequestHandler, make_server

from bridge.assets import TEMPLATES
from bridge.reasons import Reason
from bridge.web import account, render

ISSUER = "https://id.example.com"
LOGOS = "logos.example"
CALLBACK = "https://app.example.com/api/auth/callback/dynamic"

LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="#0b1f3a"/>'
    '<path d="M14 44 32 14l18 30h-9l-9-15-9 15z" fill="#5eead4"/></svg>'
)

ACME = render.App(
    "Northwind Ledger",
    logo_uri=f"https://{LOGOS}/northwind.svg",
    client_uri="https://northwind.example.com",
    policy_uri="https://northwind.example.com/privacy",
    tos_uri="https://northwind.example.com/terms",
)
LONG = (
    "The Consolidated International Association of Wallet-Holding Amateur Astronomers and Beekeepers of the Lower Rhine"
)
UNBROKEN = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
RTL = "دفتر الأستاذ الشمالي"
SUBDOMAINS = f"https://{'sub.' * 20}example.com/"
WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"
SCOPES = ("openid", "profile", "email", "phone", "address", "wallets", "groups", "offline_access")
FIELDS = {"request": "kQ2mXv", "proof": "d9c1"}

CONSENT = render.Consent(
    app=ACME,
    user="maya.lindqvist@example.com",
    scopes=("openid", "profile", "email", "wallets"),
    action="http://127.0.0.1/authorize",
    fields=FIELDS,
    redirect_uri=CALLBACK,
    switch_url=f"{ISSUER}/authorize?prompt=select_account",
)
LOGOUT = render.Logout(
    action="http://127.0.0.1/logout",
    fields=FIELDS,
    user="maya.lindqvist@example.com",
    app_name="Northwind Ledger",
    stay_url="https://northwind.example.com/",
)
ERROR = render.Error(
    title="This sign-in link has run out",
    sentence="It was good for ten minutes. Begin again from the app, or try once more from here.",
    code="request_expired",
    request_id="5f2b9c0d1e7a4386",
    reason_url=f"{ISSUER}/reasons/request_expired",
    retry_url=f"{ISSUER}/authorize?client_id=northwind",
    back_url="https://northwind.example.com/",
    app_name="Northwind Ledger",
)
FORM_POST = render.FormPost(
    redirect_uri="http://127.0.0.1/nowhere",
    fields={"code": "SplxlOBeZQQYbYS6WxSbIA", "state": "af0ifjsldkj", "iss": ISSUER},
    app_name="Northwind Ledger",
)
ACCOUNT = account_page(ACME, WALLET)

Page = Callable[[], Response]

PAGES: Mapping[str, Page] = {
    "consent": lambda: render.consent(_here(CONSENT)),
    "consent-bare": lambda: render.consent(
        _here(
            render.Consent(
                app=render.App("Fieldnotes"), user="0x5290…9EE7", scopes=("openid",), action=CONSENT.action, fields={}
            )
        )
    ),
    "consent-nothing": lambda: render.consent(_here(replace(CONSENT, scopes=(), app=render.App("")))),
    "consent-twelve": lambda: render.consent(
        _here(
            replace(
                CONSENT,
                app=render.App("Quarterly", tos_uri=ACME.tos_uri),
                scopes=(*SCOPES, "invoices:read", "invoices:write", "https://api.example.com/ledger.all", "x" * 90),
            )
        )
    ),
    "consent-long": lambda: render.consent(
        _here(replace(CONSENT, app=replace(ACME, name=LONG, logo_uri=None), user=f"{UNBROKEN.lower()}@example.com"))
    ),
    "consent-unbroken": lambda: render.consent(
        _here(replace(CONSENT, app=render.App(UNBROKEN), user=WALLET, redirect_uri=SUBDOMAINS))
    ),
    "consent-rtl": lambda: render.consent(
        _here(replace(CONSENT, app=replace(ACME, name=RTL, logo_uri=None), user="مايا"))
    ),
    "consent-broken-logo": lambda: render.consent(
        _here(replace(CONSENT, app=replace(ACME, logo_uri=f"https://{LOGOS}/gone.svg")))
    ),
    "logout": lambda: render.logout(_here(LOGOUT)),
    "logout-bare": lambda: render.logout(_here(render.Logout(action=LOGOUT.action, fields={}))),
    "logout-long": lambda: render.logout(_here(replace(LOGOUT, app_name=LONG, user=UNBROKEN))),
    "logged-out": lambda: render.logged_out(render.LoggedOut("Northwind Ledger", "https://northwind.example.com/")),
    "logged-out-bare": lambda: render.logged_out(render.LoggedOut()),
    "logged-out-long": lambda: render.logged_out(render.LoggedOut(UNBROKEN, "https://northwind.example.com/")),
    "error": lambda: render.error(ERROR),
    "error-bare": lambda: render.error(
        render.Error("Something went wrong here", "The fault is ours, and it was noted.", "server_error", "9d41", 500)
    ),
    "error-long": lambda: render.error(
        replace(ERROR, sentence=f"{LONG}. " * 3, code="a_very_long_code_" * 6, retry_url=None, app_name=LONG)
    ),
    "signin-missing": lambda: render.signin_missing(
        render.SigninMissing("northwind", "Northwind Ledger", "https://northwind.example.com/")
    ),
    "signin-missing-bare": lambda: render.signin_missing(render.SigninMissing("c" * 80)),
    "account": lambda: account.account(_here(ACCOUNT)),
    "account-bare": lambda: account.account(_here(bare(ACCOUNT))),
    "account-told": lambda: account.account(_here(told(ACCOUNT))),
    "account-crowded": lambda: account.account(_here(crowded(ACCOUNT, LONG, UNBROKEN))),
    "account-erase": lambda: account.erasure(_here(ERASURE)),
    "account-erased": account.erased,
    "form-post": lambda: render.form_post(_here(FORM_POST)),
    "form-post-long": lambda: render.form_post(_here(replace(FORM_POST, app_name=LONG))),
    "index": lambda: render.index(
        render.Index(
            ISSUER,
            {
                "Discovery document": f"{ISSUER}/.well-known/openid-configuration",
                "Signing keys": f"{ISSUER}/jwks",
                "Reasons for refusals": f"{ISSUER}/reasons",
            },
        )
    ),
    "reasons": lambda: render.reasons(ISSUER),
    "reason": lambda: render.reason(ISSUER, Reason.GRANT_ENDED),
    "reason-long": lambda: render.reason(ISSUER, Reason.CLIENT_AUTHENTICATION_AMBIGUOUS),
}
"""Each page by the name under which the gallery serves it."""


def _here(page: Any) -> Any:
    """The same page with a form that is posted to the gallery, which answers nothing: the browser stays."""
    target = f"http://{request.host}/stay"
    return replace(page, redirect_uri=target) if isinstance(page, render.FormPost) else replace(page, action=target)


@dataclass
class Gallery:
    """The gallery as it runs: its origin, two apps' origins, and the forms that were posted to any of them."""

    origin: str = ""
    app: str = ""
    elsewhere: str = ""
    logos: str = ""
    posted: list[tuple[Mapping[str, str], Mapping[str, str]]] = field(default_factory=list)
    more: dict[str, Page] = field(default_factory=dict)  # pages that a test adds

    def url(self, name: str) -> str:
        return f"{self.origin}/{name}"


@contextmanager
def running_gallery() -> Iterator[Gallery]:
    """Four servers on ports, that is origins, of their own; the logos' speaks TLS."""
    gallery = Gallery()
    app = _gallery_app(gallery)
    with ExitStack() as held:
        gallery.origin, gallery.app, gallery.elsewhere = (f"http://{held.enter_context(_serving(app))}" for _ in "123")
        gallery.logos = held.enter_context(_serving(app, ssl_context="adhoc"))
        yield gallery


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Not every request of a gallery is news."""


@contextmanager
def _serving(app: Flask, **how: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet, **how)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _gallery_app(gallery: Gallery) -> Flask:
    app = Flask("gallery", template_folder=str(TEMPLATES), static_folder=None)

    @app.get("/<name>")
    def page(name: str) -> Response:
        return {**PAGES, **gallery.more}[name]()

    @app.get("/northwind.svg")
    def logo() -> Response:
        return Response(LOGO, content_type="image/svg+xml")

    @app.get("/gone.svg")
    @app.get("/favicon.ico")
    def gone() -> Response:
        return Response(status=404)

    @app.post("/stay")
    def stay() -> Response:
        return Response(status=204)

    @app.post("/take")
    def take() -> Response:
        """An endpoint of the bridge, or of an app: it notes the form and sends the browser from app to app."""
        gallery.posted.append((request.form.to_dict(), dict(request.headers)))
        return redirect(f"{gallery.app}/onward", 303)  # type: ignore[return-value]

    @app.get("/onward")
    def onward() -> Response:
        return redirect(f"{gallery.elsewhere}/arrived", 303)  # type: ignore[return-value]

    @app.get("/arrived")
    def arrived() -> Response:
        return Response("<!doctype html><title>arrived</title>", content_type="text/html")

    @app.get("/framing/<name>")
    def framing(name: str) -> Response:
        return Response(f"<!doctype html><iframe id=framed src='{gallery.origin}/{name}'></iframe>")

    return app
