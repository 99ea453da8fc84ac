"""A browser for tests: it keeps cookies by site as browsers do, follows redirects, and reads the forms of pages."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from conftest import Bridge
from werkzeug.test import TestResponse

from bridge.emulator import User
from bridge.lifecycle.signin import origin_of
from bridge.model import AUTHORIZATION_CODE, REFRESH_TOKEN

CALLBACK = "https://app.example.com/callback"
SIGNIN_PAGE = "https://app.example.com/signin"
SIGNIN_ORIGIN = "https://app.example.com"

WEB: dict[str, Any] = {
    "grants": (AUTHORIZATION_CODE, REFRESH_TOKEN),
    "scopes": ("openid", "profile", "email", "wallets", "offline_access"),
    "redirect_uris": (CALLBACK,),
    "signin_url": SIGNIN_PAGE,
    "require_pkce": False,
}
"""Settings of a web app with a sign-in page of its own."""


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids.add(found.get("id", ""))
        if tag == "a":
            self.links.append(found.get("href", ""))
        if tag == "form":
            self.action = found.get("action", "")
        if tag == "input" and "name" in found:
            self.fields[found["name"]] = found.get("value", "")


def form_of(page: TestResponse) -> _Form:
    form = _Form()
    form.feed(page.text)
    return form


def ids_of(page: TestResponse) -> set[str]:
    return form_of(page).ids


def links_of(page: TestResponse) -> list[str]:
    return form_of(page).links


def parameters(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@dataclass
class Browser:
    """One browser at one bridge."""

    bridge: Bridge
    cookies: dict[str, str] = field(default_factory=dict)
    user_agent: str = "Test/1.0"

    def get(self, url: str) -> TestResponse:
        return self._send("GET", url, None, {}, with_cookies=True)

    def post(self, url: str, form: dict[str, Any], *, origin: str | None = None) -> TestResponse:
        """A form's post: from a page of ours with our cookies, from another site without them (SameSite=Lax)."""
        here = origin_of(self.bridge.config.issuer)
        headers = {"Origin": origin or here}
        return self._send("POST", url, form, headers, with_cookies=origin in (None, here))

    def authorize(self, client_id: str = "app", **asked: Any) -> TestResponse:
        """GET /authorize with sane parameters; None leaves one out."""
        asked = {
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid profile email",
            "state": "s" * 32,
            **asked,
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None}, doseq=True)
        return self.get(f"/authorize?{query}")

    def hand_back(self, to_page: TestResponse, assertion: str, origin: str = SIGNIN_ORIGIN) -> TestResponse:
        """What the sign-in page does with the user's JWT, and the redirect that follows."""
        request = parameters(to_page.headers["Location"])["request"]
        answer = self.post("/signin/complete", {"request": request, "token": assertion}, origin=origin)
        return answer if answer.status_code != 303 else self.follow(answer)

    def follow(self, answer: TestResponse) -> TestResponse:
        """The next response at the bridge; a redirect elsewhere is the answer itself."""
        while answer.status_code == 303 and answer.headers["Location"].startswith(self.bridge.config.issuer):
            answer = self.get(answer.headers["Location"].removeprefix(self.bridge.config.issuer))
        return answer

    def sign_in(self, user: User, client_id: str = "app", **asked: Any) -> dict[str, str]:
        """A whole sign-in; the parameters that reach the client."""
        answer = self.authorize(client_id, **asked)
        if not answer.headers["Location"].startswith(CALLBACK):
            answer = self.hand_back(answer, self.bridge.assertion(user))
        assert answer.status_code == 303, answer.text
        return parameters(answer.headers["Location"])

    def redeem(self, code: str, client_id: str = "app", **more: Any) -> TestResponse:
        """What the client does with its code, at the token endpoint."""
        form = {"grant_type": AUTHORIZATION_CODE, "code": code, "redirect_uri": CALLBACK, **more}
        return self.bridge.token({name: value for name, value in form.items() if value is not None}, client_id)

    def tokens(self, user: User, client_id: str = "app", **asked: Any) -> dict[str, Any]:
        """A whole sign-in, up to the token answer."""
        answer = self.redeem(self.sign_in(user, client_id, **asked)["code"], client_id)
        assert answer.status_code == 200, answer.json
        return dict(answer.json)

    def _send(
        self, method: str, url: str, form: dict[str, Any] | None, headers: dict[str, str], *, with_cookies: bool
    ) -> TestResponse:
        client = self.bridge.http.application.test_client(use_cookies=False)
        headers = {"User-Agent": self.user_agent, **headers}
        if with_cookies and self.cookies:
            headers = {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        answer = client.open(url, method=method, data=form, headers=headers)
        for line in answer.headers.getlist("Set-Cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer


def answered(browser: Browser, client_id: str = "app", **asked: Any) -> dict[str, str]:
    """What /authorize tells the client at once, without a page."""
    return parameters(browser.authorize(client_id, **asked).headers["Location"])
