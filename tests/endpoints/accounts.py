"""The users' own page for tests: somebody who signs in at the operator's page, and the forms of the page."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from browsing import WEB, Browser
from conftest import Bridge
from werkzeug.test import TestResponse

from bridge.emulator import User
from bridge.oauth.site import seal_of
from bridge.store import sessions

OPERATORS_PAGE = "https://login.example.com/signin"
OPERATORS_ORIGIN = "https://login.example.com"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36"
)
APP: dict[str, Any] = {**WEB, "signin_url": None, "name": "Northwind", "client_uri": "https://northwind.example.com"}
"""An app whose users sign in on the operator's page."""


def at_the_operators(make_bridge: Any) -> Bridge:
    """A bridge with such an app, and with the operator's page."""
    made: Bridge = make_bridge(BRIDGE_SIGNIN_URL=OPERATORS_PAGE)
    made.add_client(**APP)
    return made


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"action": found.get("action", "")})
        if tag == "input" and self.forms:
            self.forms[-1][found["name"]] = found.get("value", "")


def forms_of(page: TestResponse) -> list[dict[str, str]]:
    """Every form of the page: its fields, and its `action`."""
    parser = _Forms()
    parser.feed(page.text)
    return parser.forms


def forms_to(page: TestResponse, deed: str) -> Iterator[dict[str, str]]:
    """The fields of the forms that do this."""
    for form in forms_of(page):
        if form.get("do") == deed:
            yield {name: value for name, value in form.items() if name != "action"}


class Person(Browser):
    """A browser of somebody who signs in at the operator's page."""

    def enter(self, user: User, path: str = "/account") -> TestResponse:
        """Go to the page, by way of the sign-in page if it asks for that."""
        answer = self.follow(self.get(path))
        if answer.status_code == 303 and answer.headers["Location"].startswith(OPERATORS_PAGE):
            answer = self.hand_back(answer, self.bridge.assertion(user, origin=OPERATORS_ORIGIN), OPERATORS_ORIGIN)
        return answer

    def open_app(self, user: User, client_id: str = "app", **asked: Any) -> dict[str, Any]:
        """Sign in to an app, up to its tokens."""
        answer = self.follow(self.authorize(client_id, **asked))
        if answer.headers.get("Location", "").startswith(OPERATORS_PAGE):
            answer = self.hand_back(answer, self.bridge.assertion(user, origin=OPERATORS_ORIGIN), OPERATORS_ORIGIN)
        if answer.status_code == 200:  # the consent page
            answer = self.follow(self.post("/consent", {**forms_of(answer)[0], "decision": "allow"}))
        code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
        tokens = self.redeem(code, client_id)
        assert tokens.status_code == 200, tokens.json
        return dict(tokens.json)

    def do(self, form: dict[str, str]) -> TestResponse:
        """Send a form of the page, and go where that leads."""
        return self.follow(self.post("/account", form))

    @property
    def cookie(self) -> str:
        """The value of the session's cookie."""
        return next(value for name, value in self.cookies.items() if "session" in name)

    @property
    def session_id(self) -> str:
        """The id of this browser's session."""
        with self.bridge.database.reading() as tx:
            found = sessions.find(tx, self.cookie, self.bridge.clock())
        assert found is not None
        return found[0].session_id

    def sealed(self, deed: str, target: str = "") -> dict[str, str]:
        """A form that the page did not show, with a seal that fits: users hold the key of their own seals."""
        seal = seal_of(self.cookie, "account", self.session_id, deed, target)
        return {"do": deed, "target": target, "seal": seal}


def person(bridge: Bridge, user_agent: str = MAC) -> Person:
    return Person(bridge, user_agent=user_agent)
