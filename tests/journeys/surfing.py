"""A browser without a window: pages over HTTP, their forms, and cookies kept and sent by the rules of browsers.

Whoever posts from a page says the page's origin, as far as its Referrer-Policy lets; a post from another site brings no
cookie (SameSite=Lax); a cookie that breaks the rules of its prefix is not taken (RFC 6265bis).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import requests


@dataclass
class _Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)  # ids of inputs, and their names
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[_Form] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.ids.add(told.get("id", ""))
        if tag == "form":
            self.found.append(_Form(told.get("action", ""), told.get("method", "get").upper()))
        if tag == "input" and "name" in told:
            self.found[-1].fields[told["name"]] = told.get("value", "")
            self.found[-1].inputs[told.get("id", "")] = told["name"]
        if tag == "button" and self.found:
            self.found[-1].buttons[told.get("id", "")] = (told.get("name", ""), told.get("value", ""))


@dataclass(frozen=True)
class Page:
    """What the window shows. Of a page of the app nothing is asked: `posted` is what a form brought there."""

    url: str
    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    posted: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        return _Forms(self.text).ids


@dataclass(frozen=True)
class Cookie:
    value: str
    attributes: Mapping[str, str]

    def goes_to(self, url: str) -> bool:
        parts = urlsplit(url)
        path = self.attributes.get("path", "/").rstrip("/")
        below = parts.path == path or parts.path.startswith(f"{path}/")
        return below and (parts.scheme == "https" or "secure" not in self.attributes)


@dataclass(frozen=True)
class Sent:
    """One request, as a server saw it."""

    method: str
    url: str
    cookies: frozenset[str]


@dataclass
class Surfer:
    """One window. Under `app` nobody serves: what leads there has arrived. `trusted` is a certificate to believe."""

    app: str
    trusted: str | None = None
    page: Page = field(default_factory=lambda: Page("about:blank"))
    cookies: dict[str, dict[str, Cookie]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    filled: dict[str, str] = field(default_factory=dict)

    def open(self, url: str) -> Page:
        return self._go("GET", url, {}, None)

    def fill(self, element_id: str, value: str) -> None:
        self.filled[element_id] = value

    def press(self, button_id: str) -> Page:
        """Send the form with that button."""
        form = next(form for form in _Forms(self.page.text).found if button_id in form.buttons)
        fields = dict(form.fields)
        for element_id, name in form.inputs.items():
            if element_id in self.filled:
                fields[name] = self.filled.pop(element_id)
        name, value = form.buttons[button_id]
        if name:
            fields[name] = value
        target = urljoin(self.page.url, form.action)
        if form.method == "GET":
            return self._go("GET", f"{target}?{urlencode(fields)}", {}, None)
        return self.post(target, fields)

    def post(self, url: str, fields: Mapping[str, str]) -> Page:
        """Send a form of the page's own making."""
        return self._go("POST", url, {"Origin": self._origin_told_to(url)}, fields)

    def sign_in(self, name: str = "demo@example.com") -> Page:
        """On the emulator's page, for a user that has no password."""
        self.fill("login-username", name)
        self.fill("login-password", "any")
        self.press("login-submit")
        return self.press("login-continue")

    def cancel(self) -> Page:
        return self.press("login-cancel")

    def _origin_told_to(self, target: str) -> str:
        """The Origin header of a post (Fetch section 3.2): the page's policy may make it null."""
        policy = self.page.headers.get("Referrer-Policy", "strict-origin-when-cross-origin")
        origin = _origin(self.page.url)
        downgrade = self.page.url.startswith("https:") and target.startswith("http:")
        hidden = (
            policy == "no-referrer"
            or (policy == "same-origin" and origin != _origin(target))
            or (policy.startswith("strict-origin") and downgrade)
        )
        return "null" if hidden else origin

    def _go(self, method: str, url: str, headers: Mapping[str, str], fields: Mapping[str, str] | None) -> Page:
        for _ in range(10):
            if url.startswith(self.app):
                self.page = Page(url, posted=fields or {})
                return self.page
            cross_site_post = method == "POST" and _site(url) != _site(self.page.url)
            answer = self._send(method, url, headers, fields, with_cookies=not cross_site_post)
            if answer.status_code not in (302, 303):
                assert not answer.is_redirect, answer.status_code
                self.page = Page(url, answer.status_code, answer.headers, answer.text)
                return self.page
            method, url, headers, fields = "GET", urljoin(url, answer.headers["Location"]), {}, None
        raise AssertionError(f"too many redirects, the last one to {url}")

    def _send(self, method: str, url: str, headers: Mapping[str, str], fields: Any, *, with_cookies: bool) -> Any:
        jar = self.cookies.setdefault(urlsplit(url).hostname or "", {})
        going = {name: cookie.value for name, cookie in jar.items() if with_cookies and cookie.goes_to(url)}
        self.sent.append(Sent(method, url, frozenset(going)))
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in going.items())} if going else {}
        with requests.Session() as wire:
            wire.trust_env = False  # no proxy stands between this machine and itself
            answer = wire.request(
                method,
                url,
                headers={**headers, **cookie},
                data=fields,
                allow_redirects=False,
                timeout=10,
                verify=self.trusted or True,
            )
        for line in answer.raw.headers.getlist("Set-Cookie"):
            self._keep(jar, line, url)
        return answer

    def _keep(self, jar: dict[str, Cookie], line: str, url: str) -> None:
        pair, *rest = line.split("; ")
        name, _, value = pair.partition("=")
        attributes = {key.lower(): told for key, _, told in (attribute.partition("=") for attribute in rest)}
        secure = "secure" in attributes
        if secure and not url.startswith("https:"):
            return
        if name.startswith("__Host-") and not (secure and attributes.get("path") == "/" and "domain" not in attributes):
            return
        if value and attributes.get("max-age") != "0":
            jar[name] = Cookie(value, attributes)
        else:
            jar.pop(name, None)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _site(url: str) -> tuple[str, str | None]:
    """Scheme and host, whatever the port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname
