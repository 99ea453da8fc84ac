"""examples/nextauth twice before one bridge, with sessions in cookies and in a database, and people who visit it."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nextauth_app
import pytest
import requests
from browser import chromium
from nextauth_app import App, running_app
from not_tested import REQUIRE, is_required, leave_out
from provider import Provider, running_provider_with_webhooks
from served import free_port
from surfing import Cookie, Surfer

STRATEGIES = ("jwt", "database")
LOGOUT_PATH = "/api/backchannel-logout"
COOKIE = "authjs.session-token"


def need(config: pytest.Config, *what: str) -> None:
    """Skip, and say so at the end, if the browser or Node.js is not there; fail if they are required."""
    missing = {"browser": chromium.missing, "node": nextauth_app.missing}
    for name in what:
        if (problem := missing[name]()) is not None:
            if is_required(name):
                pytest.fail(f"{problem}, and {REQUIRE} asks for it")
            leave_out(config, f"The apps of examples/: {problem}.")
            pytest.skip(problem)


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    """Twenty seconds at most."""
    give_up_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up_at, otherwise
        time.sleep(0.05)


@dataclass(frozen=True)
class Place:
    """An app whose sessions are of that strategy; its client has the strategy's name."""

    strategy: str
    app: App
    provider: Provider
    settings: Mapping[str, str]
    database: Path

    def add_user(self, email: str) -> str:
        """The sub of somebody new."""
        return self.provider.dynamic.emulator.create_user(email=email).id

    @contextmanager
    def beside(self, folder: Path, **settings: str) -> Iterator[App]:
        """The same app once more, with other settings and a database of its own."""
        with running_app("nextauth", free_port(), {**self.settings, **settings}, folder / "app.log") as app:
            yield app

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """What a statement answers from the app's own database."""
        return _rows(self.database, statement, values)

    def bridge_rows(self, statement: str, *values: Any) -> list[Any]:
        """What a statement answers from the bridge's."""
        return _rows(self.provider.command.folder / "bridge.db", statement, values)

    def age_spent_tokens(self, seconds: int) -> None:
        """As if refresh tokens had been used that much earlier."""
        self.bridge_rows("UPDATE refresh_tokens SET spent_at = spent_at - ? WHERE spent_at IS NOT NULL", seconds)


@dataclass
class Visitor:
    """Somebody at an app, with a browser of their own: a cookie of localhost goes to all its ports."""

    place: Place
    surfer: Surfer = field(default_factory=lambda: Surfer("nowhere:"))

    def sign_in(self, name: str = "demo@example.com") -> None:
        self.begin_sign_in()
        self.surfer.sign_in(name)
        assert self.session() is not None

    def fail_to_sign_in(self) -> None:
        """Prove who one is, and have no session for all that."""
        self.begin_sign_in()
        self.surfer.sign_in()
        assert self.session() is None

    def begin_sign_in(self) -> None:
        """By the button of NextAuth's page for it: as far as the page where one signs in, if it has to be shown."""
        self.surfer.open(f"{self.place.app.url}/api/auth/signin")
        self.surfer.press("")

    def session(self) -> Any:
        """What NextAuth tells the browser of its session, asked for as useSession asks."""
        page = self.surfer.open(f"{self.place.app.url}/api/auth/session")
        assert page.status == 200, page.text
        return json.loads(page.text)

    def sign_out(self) -> None:
        """Of the app alone."""
        self.surfer.open(f"{self.place.app.url}/api/auth/signout")
        self.surfer.press("submitButton")

    def update(self) -> tuple[Any, str | None]:
        """The session and its cookie, as the update() of useSession gets them: the tokens are renewed. Kept is neither,
        as if the answer was lost."""
        csrf = json.loads(self.surfer.open(f"{self.place.app.url}/api/auth/csrf").text)
        jar = {name: cookie.value for name, cookie in self._jar.items()}
        answer = requests.post(f"{self.place.app.url}/api/auth/session", json=csrf, cookies=jar, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json(), answer.cookies.get(COOKIE)

    @property
    def cookie(self) -> str:
        """What stands for the session."""
        return self._jar[COOKIE].value

    def put_back(self, cookie: str) -> None:
        """What stood for a session: by a request that was late, or by a thief."""
        self._jar[COOKIE] = Cookie(cookie, {"path": "/"})

    @property
    def _jar(self) -> dict[str, Cookie]:
        return self.surfer.cookies["localhost"]

    def sid(self) -> str:
        """Of the last sign-in at this app, as the bridge calls it."""
        events = "event = 'code_issued' AND client_id = ? ORDER BY id DESC LIMIT 1"
        return str(self.place.bridge_rows(f"SELECT sid FROM audit WHERE {events}", self.place.strategy)[0][0])

    def renewals(self) -> int:
        """How often the bridge has renewed tokens of this app."""
        events = "event = 'refreshed' AND client_id = ?"
        return int(self.place.bridge_rows(f"SELECT count(*) FROM audit WHERE {events}", self.place.strategy)[0][0])


def _rows(database: Path, statement: str, values: tuple[Any, ...]) -> list[Any]:
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        return connection.execute(statement, values).fetchall()


@contextmanager
def running_places(folder: Path) -> Iterator[Mapping[str, Place]]:
    """Both apps by strategy, until the block ends. Dynamic tells the bridge what happens, and the bridge the apps."""
    with ExitStack() as stack:
        provider = stack.enter_context(running_provider_with_webhooks(folder))
        places = {}
        for strategy in STRATEGIES:
            origin = f"http://localhost:{free_port()}"
            words = [f"--redirect-uri={origin}/api/auth/callback/dynamic"]
            words += [f"--post-logout-redirect-uri={origin}/signin/out"]
            words += [f"--backchannel-logout-uri={origin}{LOGOUT_PATH}"]
            settings = {
                "AUTH_DYNAMIC_ISSUER": provider.issuer,
                "AUTH_DYNAMIC_ID": strategy,
                "AUTH_DYNAMIC_SECRET": provider.add_client(strategy, *words),
                "AUTH_URL": origin,
                "AUTH_SECRET": "for the cookies of one test",
                "SESSION_STRATEGY": strategy,
            }
            port = int(origin.rpartition(":")[2])
            log = folder / f"{strategy}.log"
            app = stack.enter_context(running_app("nextauth", port, settings, log))
            places[strategy] = Place(strategy, app, provider, settings, log.with_suffix(".db"))
        yield places
