"""A user signs in at examples/nextauth on the app's own page: Dynamic's React widget there, a code by e-mail.

The widget knows Dynamic by the name dynamic.test, which leads the test's browser to its own emulator.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nextauth_app
import pytest
from browser import chromium
from browser.chromium import running_chromium
from nextauth_app import running_app
from not_tested import REQUIRE, is_required, leave_out
from served import Command, free_port
from test_nextauth import Stage

from bridge.emulator import DEMO_ENVIRONMENT_ID, Emulator, run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]  # the app may have to be built first

DYNAMIC = "dynamic.test"
EMAIL = "demo@example.com"
PIN = ".pin-field__container input"
FIND = """
const found = (root) => root.querySelector(arguments[0])
  ?? [...root.querySelectorAll("*")].reduce((so_far, e) => so_far ?? (e.shadowRoot && found(e.shadowRoot)), null);
return found(document);
"""
SIGN_IN = """
const [action, done] = arguments;
fetch("/api/auth/csrf").then((answer) => answer.json()).then(({ csrfToken }) => {
  const form = Object.assign(document.createElement("form"), { method: "post", action });
  form.append(Object.assign(document.createElement("input"), { name: "csrfToken", value: csrfToken }));
  document.body.append(form);
  done();
  form.submit();
});
"""


class Widget(Stage):
    """The stage, with the app's own page in place of the emulator's."""

    def wait_until(self, condition: Callable[[], Any], otherwise: str) -> Any:
        """What the condition answers in the end. An element that went away in between counts as not there yet."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(self.browser.driver, 20, 0.05, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _: condition(), otherwise)

    def in_widget(self, selector: str) -> Any:
        """What is shown within the widget, which is in a shadow tree, and can be used; awaited."""

        def usable() -> Any:
            found = self.browser.driver.execute_script(FIND, selector)
            return found if found is not None and found.is_displayed() and found.is_enabled() else None

        return self.wait_until(usable, f"no {selector} in the widget")

    def ask_for_code(self) -> str:
        """The code that the widget has sent to the address typed into it."""
        field = self.in_widget("#email_field")
        field.send_keys(EMAIL)
        field.submit()
        self.in_widget(PIN)
        return self.dynamic.emulator.email_codes.latest(EMAIL)

    def type_code(self, code: str) -> None:
        """A digit to a box; the last one sends them off. While the view slides in, a digit can be lost."""
        boxes = [f"{PIN}[data-testid='{place}']" for place in range(len(code))]

        def filled() -> bool:
            for box, digit in zip(boxes[:-1], code, strict=False):
                if self.in_widget(box).get_attribute("value") != digit:
                    self.in_widget(box).send_keys(digit)
            return "".join(self.in_widget(box).get_attribute("value") for box in boxes) == code[:-1]

        self.wait_until(filled, "the boxes do not take the code")
        self.in_widget(boxes[-1]).send_keys(code[-1])

    def sign_in_at_dynamic(self) -> None:
        self.type_code(self.ask_for_code())

    def ask_app(self, prompt: str) -> None:
        """As the app's signIn("dynamic", {}, {prompt}) does it."""
        self.open()
        self.browser.driver.execute_async_script(SIGN_IN, f"/api/auth/signin/dynamic?prompt={prompt}")

    def called(self, line: str) -> int:
        """How often the widget called this path of Dynamic's, preflights left out."""
        method, _, path = line.partition(" ")
        whole = f"{method} /api/v0/sdk/{DEMO_ENVIRONMENT_ID}{path}"
        return self.dynamic.emulator.requests.count(whole)

    def forget_all_cookies(self) -> None:
        """The app's and the bridge's: a cookie of localhost goes to every port. What the page stored stays."""
        self.settles()
        self.browser.driver.delete_all_cookies()
        assert self.session() is None


@pytest.fixture
def stage(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Widget]:
    for what, problem in (("browser", chromium.missing()), ("node", nextauth_app.missing())):
        if problem is not None:
            if is_required(what):
                pytest.fail(f"{problem}, and {REQUIRE} asks for it")
            leave_out(pytestconfig, f"Dynamic's widget: {problem}.")
            pytest.skip(problem)
    issuer, origin = f"http://localhost:{free_port()}", f"http://localhost:{free_port()}"
    world = Emulator()
    user = world.create_user(email=EMAIL, given_name="Demo")
    with ExitStack() as stack:
        dynamic = stack.enter_context(run(world))
        command = Command(tmp_path, {"DYNAMIC_API_BASE_URL": dynamic.base_url})
        made = command("init", "--environment-id", world.environment_id, "--issuer", issuer, "--client-id", "other")
        assert made.returncode == 0, made.stderr
        words = ["--grant=authorization_code", "--grant=refresh_token", "--consent=skip"]
        words += [f"--scope={scope}" for scope in ("openid", "profile", "email", "wallets", "offline_access")]
        words += [f"--redirect-uri={origin}/api/auth/callback/dynamic", f"--signin-url={origin}/signin"]
        words += [f"--post-logout-redirect-uri={origin}/signin/out"]
        added = command("client", "add", "app", *words)
        assert added.returncode == 0, added.stderr
        stack.enter_context(command.serving("--port", issuer.rpartition(":")[2], url=issuer))
        settings = {
            "AUTH_DYNAMIC_ISSUER": issuer,
            "AUTH_DYNAMIC_ID": "app",
            "AUTH_DYNAMIC_SECRET": added.stdout.strip(),
            "AUTH_URL": origin,
            "AUTH_SECRET": "for the cookies of one test",
            "DYNAMIC_ENVIRONMENT_ID": DEMO_ENVIRONMENT_ID,
            "DYNAMIC_API_BASE_URL": f"http://{DYNAMIC}/api/v0",
        }
        port = int(origin.rpartition(":")[2])
        app = stack.enter_context(running_app("nextauth", port, settings, tmp_path / "app.log"))
        browser = stack.enter_context(running_chromium({DYNAMIC: dynamic.origin.removeprefix("http://")}))
        yield Widget(dynamic, command, issuer, app, browser, user)
    world.release_keys()


def test_an_email_code_in_the_widget_on_the_apps_own_page_ends_in_the_apps_session(stage: Widget) -> None:
    stage.open()
    stage.press("sign-in")
    code = stage.ask_for_code()
    assert stage.browser.driver.current_url.startswith(f"{stage.app.url}/signin?request=")
    stage.type_code(code)
    stage.arrives(f"{stage.app.url}/")
    assert stage.text("email") == EMAIL
    assert stage.session()["user"] == {"name": "Demo", "email": EMAIL, "id": stage.user.id}


def test_a_wrong_code_is_shown_as_wrong_and_the_right_one_still_signs_in(stage: Widget) -> None:
    stage.open()
    stage.press("sign-in")
    code = stage.ask_for_code()
    stage.type_code(f"{(int(code) + 1) % 10**6:06}")
    assert "incorrect" in stage.in_widget(".error-container").text
    assert stage.called("POST /emailVerifications/signin") == 1
    stage.type_code(code)
    assert stage.text("email") == EMAIL


def test_who_signed_out_of_the_app_alone_is_signed_in_again_without_a_form(stage: Widget) -> None:
    stage.sign_in()
    stage.settles()
    stage.browser.driver.delete_cookie("authjs.session-token")
    stage.open()
    stage.press("sign-in")
    assert stage.text("email") == EMAIL  # the bridge knew who it was
    stage.forget_all_cookies()
    stage.open()
    stage.press("sign-in")
    assert stage.text("email") == EMAIL  # the page's session at Dynamic was enough
    assert stage.called("POST /emailVerifications/create") == 1
    assert stage.called("POST /revoke") == 0


def test_signing_out_ends_the_session_at_the_bridge_and_at_dynamic(stage: Widget) -> None:
    stage.sign_in()
    stage.press("sign-out")
    stage.awaited("sign-in")
    assert stage.called("POST /revoke") == 1
    assert stage.session() is None
    stage.open()
    stage.press("sign-in")
    stage.sign_in_at_dynamic()
    assert stage.text("email") == EMAIL
    assert stage.called("POST /emailVerifications/signin") == 2


def test_prompt_login_ends_the_session_at_dynamic_and_asks_again(stage: Widget) -> None:
    stage.sign_in()
    stage.settles()
    stage.ask_app(prompt="login")
    stage.sign_in_at_dynamic()
    stage.arrives(f"{stage.app.url}/")
    assert stage.text("email") == EMAIL
    assert stage.called("POST /revoke") == 1
    assert stage.called("POST /emailVerifications/signin") == 2
