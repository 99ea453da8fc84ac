"""A browser signs in at the apps of examples/, through the real bridge and the emulator's sign-in page."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nextauth_app
import pytest
from browser import chromium
from browser.chromium import Chromium, running_chromium
from nextauth_app import App, running_app
from not_tested import REQUIRE, is_required, leave_out
from served import Command, free_port

from bridge.emulator import Emulator, NewWallet, RunningEmulator, User, run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]  # an app may have to be built first

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
UPDATE_FIVE_TIMES = """
const update = (csrf) => fetch("/api/auth/session", {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(csrf),
}).then((answer) => answer.json());
fetch("/api/auth/csrf").then((answer) => answer.json())
  .then((csrf) => Promise.all(Array.from({ length: 5 }, () => update(csrf)))).then(arguments[0]);
"""
"""Five at once of what update() of useSession does: it renews the tokens, whatever the time."""


@dataclass
class Stage:
    """A user of Dynamic's, a bridge, an app, and a browser before it."""

    dynamic: RunningEmulator
    command: Command
    issuer: str
    app: App
    browser: Chromium
    user: User

    def open(self, path: str = "/") -> None:
        self.browser.open(f"{self.app.url}{path}")

    def awaited(self, element_id: str) -> Any:
        from selenium.webdriver.support.expected_conditions import visibility_of_element_located
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser.driver, 20, 0.05).until(visibility_of_element_located(("id", element_id)))

    def press(self, element_id: str) -> None:
        self.awaited(element_id).click()

    def text(self, element_id: str) -> str:
        return str(self.awaited(element_id).text)

    def sign_in_at_dynamic(self) -> None:
        """On the emulator's page."""
        self.awaited("login-username").send_keys("demo@example.com")
        self.awaited("login-password").send_keys("any")
        self.press("login-submit")
        self.press("login-continue")

    def sign_in(self) -> None:
        """From the app's first page back to it."""
        self.open()
        self.press("sign-in")
        self.sign_in_at_dynamic()
        self.awaited("sign-out")

    def arrives(self, url: str) -> None:
        """Wait until the browser is there; what follows a question mark is not looked at."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser.driver, 20, 0.05).until(
            lambda driver: driver.current_url.partition("?")[0] == url, f"not at {url}"
        )

    def settles(self) -> None:
        """Wait until the page has fetched what it wanted to. Any answer of NextAuth's sets the cookie anew, one that is
        late even after the cookie was deleted."""
        fetched, since = -1, time.monotonic()
        while time.monotonic() < since + 1:
            now = self.browser.tell("performance.getEntriesByType('resource').length")
            fetched, since = now, since if now == fetched else time.monotonic()
            time.sleep(0.1)

    def session(self) -> Any:
        """What NextAuth tells the browser of its session, asked for as useSession asks."""
        self.open("/api/auth/session")
        return json.loads(self.browser.tell("document.body.textContent"))

    def happened(self) -> list[str]:
        """The events of the user's grants, the oldest first."""
        told = self.command("audit", "why", self.user.id, "--json")
        assert told.returncode == 0, told.stderr
        return [entry["event"] for entry in json.loads(told.stdout)["entries"]]


Staged = Callable[..., Stage]


@pytest.fixture
def staged(tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[Staged]:
    """Makes a stage for one of the examples; `client` is what `oidc-bridge client add` is told beside the rest."""
    for what, problem in (("browser", chromium.missing()), ("node", nextauth_app.missing())):
        if problem is not None:
            if is_required(what):
                pytest.fail(f"{problem}, and {REQUIRE} asks for it")
            leave_out(pytestconfig, f"The apps of examples/: {problem}.")
            pytest.skip(problem)
    with ExitStack() as stack:

        def make(example: str, *client: str, settings: Callable[[str, str, str], dict[str, str]], back: str) -> Stage:
            issuer, origin = f"http://localhost:{free_port()}", f"http://localhost:{free_port()}"
            world = Emulator(signin_complete_url=f"{issuer}/signin/complete")
            user = world.create_user(email="demo@example.com", given_name="Demo", wallets=[NewWallet(address=ADDRESS)])
            dynamic = stack.enter_context(run(world))
            command = Command(
                tmp_path, {"DYNAMIC_API_BASE_URL": dynamic.base_url, "BRIDGE_SIGNIN_URL": dynamic.signin_url}
            )
            made = command("init", "--environment-id", world.environment_id, "--issuer", issuer, "--client-id", "other")
            assert made.returncode == 0, made.stderr
            words = ["--grant", "authorization_code", "--grant", "refresh_token", "--consent", "skip"]
            words += [f"--redirect-uri={origin}{back}"]
            for scope in ("openid", "profile", "email", "wallets", "offline_access"):
                words += ["--scope", scope]
            added = command("client", "add", "app", *words, *(word.format(origin=origin) for word in client))
            assert added.returncode == 0, added.stderr
            stack.enter_context(command.serving("--port", issuer.rpartition(":")[2], url=issuer))
            environ = settings(issuer, origin, added.stdout.strip())
            app = stack.enter_context(
                running_app(example, int(origin.rpartition(":")[2]), environ, tmp_path / "app.log")
            )
            browser = stack.enter_context(running_chromium({}))
            return Stage(dynamic, command, issuer, app, browser, user)

        yield make


def nextauth(staged: Staged, *client: str) -> Stage:
    """The example for NextAuth v5."""

    def settings(issuer: str, origin: str, secret: str) -> dict[str, str]:
        return {
            "AUTH_DYNAMIC_ISSUER": issuer,
            "AUTH_DYNAMIC_ID": "app",
            "AUTH_DYNAMIC_SECRET": secret,
            "AUTH_URL": origin,
            "AUTH_SECRET": "for the cookies of one test",
        }

    back = "/api/auth/callback/dynamic"
    return staged("nextauth", "--post-logout-redirect-uri={origin}/signin/out", *client, settings=settings, back=back)


def test_who_signs_in_has_a_session_with_email_and_wallet(staged: Staged) -> None:
    stage = nextauth(staged)
    stage.sign_in()
    assert stage.text("email") == "demo@example.com"
    assert stage.text("wallet") == ADDRESS
    stage.open("/client-example")
    shown = json.loads(stage.text("session"))
    del shown["expires"]
    assert shown == {
        "user": {"name": "Demo", "email": "demo@example.com", "id": stage.user.id},
        "wallet": ADDRESS,
    }


def test_a_protected_page_opens_after_the_sign_in_that_it_asks_for(staged: Staged) -> None:
    stage = nextauth(staged)
    stage.open("/middleware-example")
    stage.arrives(f"{stage.app.url}/api/auth/signin")
    stage.browser.driver.find_element("css selector", "form[action$='/signin/dynamic'] button").click()
    stage.sign_in_at_dynamic()
    stage.arrives(f"{stage.app.url}/middleware-example")
    assert stage.text("who") == "demo@example.com"


def test_signing_out_ends_the_session_at_the_bridge_too(staged: Staged) -> None:
    stage = nextauth(staged)
    stage.sign_in()
    stage.settles()
    stage.browser.driver.delete_cookie("authjs.session-token")  # the bridge's stays
    stage.open()
    stage.press("sign-in")
    stage.press("sign-out")  # the bridge knew who it was
    stage.press("sign-in")
    stage.arrives(stage.dynamic.signin_url)


def test_who_does_not_want_to_sign_in_is_back_at_the_app(staged: Staged) -> None:
    stage = nextauth(staged)
    stage.open()
    stage.press("sign-in")
    stage.press("login-cancel")
    stage.arrives(f"{stage.app.url}/api/auth/signin")
    assert stage.session() is None


def test_the_session_is_renewed_until_the_grant_ends(staged: Staged) -> None:
    stage = nextauth(staged)
    stage.sign_in()
    assert stage.happened().count("refreshed") == 0
    sessions = stage.browser.driver.execute_async_script(UPDATE_FIVE_TIMES)
    assert [session["user"]["id"] for session in sessions] == [stage.user.id] * 5
    assert stage.happened().count("refreshed") == 5
    assert stage.session()["user"]["id"] == stage.user.id
    assert stage.command("user", "revoke", stage.user.id).returncode == 0
    assert stage.browser.driver.execute_async_script(UPDATE_FIVE_TIMES) == [None] * 5
    assert stage.session() is None
    stage.open()
    assert stage.text("sign-in")


def test_nextauth_v4_signs_in_by_the_same_provider(staged: Staged) -> None:
    def settings(issuer: str, origin: str, secret: str) -> dict[str, str]:
        return {
            "AUTH_DYNAMIC_ISSUER": issuer,
            "AUTH_DYNAMIC_ID": "app",
            "AUTH_DYNAMIC_SECRET": secret,
            "NEXTAUTH_URL": origin,
            "NEXTAUTH_SECRET": "for the cookies of one test",
        }

    stage = staged("nextauth-v4", settings=settings, back="/api/auth/callback/dynamic")
    stage.sign_in()
    assert stage.text("email") == "demo@example.com"
    assert stage.text("wallet") == ADDRESS


def test_a_single_page_app_signs_in_renews_and_signs_out(staged: Staged) -> None:
    def settings(issuer: str, origin: str, secret: str) -> dict[str, str]:
        assert not secret
        return {"VITE_ISSUER": issuer, "VITE_CLIENT_ID": "app"}

    client = ("--public", "--cors-origin={origin}", "--post-logout-redirect-uri={origin}/")
    stage = staged("spa", *client, settings=settings, back="/")
    stage.sign_in()
    assert stage.text("email") == "demo@example.com"
    assert stage.text("wallet") == ADDRESS
    stage.press("renew")
    time.sleep(2)
    assert stage.browser.element("problem").text == ""
    assert stage.happened().count("refreshed") == 1
    stage.press("sign-out")
    stage.press("sign-in")
    stage.arrives(stage.dynamic.signin_url)
