"""The page without a framework of docs/own-sign-in-page.md, as it stands there, in a browser and with a real bridge."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from browser import chromium
from browser.chromium import Chromium, running_chromium
from not_tested import REQUIRE, is_required, leave_out
from provider import Provider, running_provider

pytestmark = pytest.mark.browser

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Sign in</title><body>
{snippet}</body></html>
"""
CALLBACK = "<!doctype html><title>Callback</title>"
VERIFIER = "a-verifier-of-the-tests-own-which-is-as-long-as-one-has-to-be"


@dataclass
class AppSite:
    """An app on this machine, on another site than the bridge: its sign-in page, and its callback."""

    page: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    origin: str = ""


def serve(site: AppSite) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = {"/signin": site.page, "/callback": CALLBACK}.get(urlsplit(self.path).path)
            self.send_response(404 if known is None else 200)
            self.send_header("Content-Type", "text/html")
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write((known or "").encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Nothing."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@dataclass
class Stage:
    provider: Provider
    site: AppSite
    browser: Chromium
    secret: str

    def authorize(self, **asked: str) -> None:
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        query = {
            "client_id": "app",
            "redirect_uri": f"{self.site.origin}/callback",
            "response_type": "code",
            "scope": "openid email",
            "state": "the state of this sign-in",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **asked,
        }
        self.browser.open(f"{self.provider.issuer}/authorize?{urlencode(query)}")
        self.browser.arrives("Sign in")

    def token(self, **how: int) -> str:
        """What Dynamic issues to the page, for a new session."""
        return self.provider.dynamic.emulator.mint(self.provider.user, origin=self.site.origin, **how)

    def old_token(self) -> str:
        """One of before the sign-in that it is used for."""
        return self.token(issued_at=self.provider.dynamic.emulator.clock() - 600)

    def hand_back(self, token: str) -> None:
        """What the app's own code does."""
        self.browser.driver.execute_script("window.isOld = true; handBack(arguments[0])", token)

    def page_opens_again(self) -> None:
        self._wait_until(f"!window.isOld && location.href.startsWith('{self.site.origin}/signin?')")

    def refused_with(self) -> str:
        """The code on the bridge's page."""
        self._wait_until(f"!window.isOld && location.href.startsWith('{self.provider.issuer}/')")
        return str(self.browser.element("error-code").text)

    def shown(self) -> dict[str, str]:
        """The parameters in the address bar."""
        query = parse_qs(urlsplit(self.browser.driver.current_url).query)
        return {name: values[0] for name, values in query.items()}

    def email_of(self, code: str) -> str:
        """What the app learns for its code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{self.site.origin}/callback",
            "code_verifier": VERIFIER,
        }
        answer = requests.post(f"{self.provider.issuer}/token", data=form, auth=("app", self.secret), timeout=5)
        claims = answer.json()["id_token"].split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["email"])

    def _wait_until(self, condition: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        whole = f"document.readyState === 'complete' && {condition}"
        WebDriverWait(self.browser.driver, 10, 0.05).until(lambda _: self.browser.tell(whole), condition)


@pytest.fixture
def stage(repository: Callable[[str], str], pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Stage]:
    if problem := chromium.missing():
        if is_required("browser"):
            pytest.fail(f"{problem}, and {REQUIRE} asks for it")
        leave_out(pytestconfig, f"The sign-in page without a framework: {problem}.")
        pytest.skip(problem)
    document = repository("docs/own-sign-in-page.md")
    (snippet,) = re.findall(r"```html\n(.*?)```", document, re.DOTALL)
    assert snippet.count("https://id.example.com/") == 1
    with ExitStack() as stack:
        site = AppSite()
        server = serve(site)
        stack.callback(server.server_close)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        stack.callback(server.shutdown)
        site.origin = f"http://127.0.0.1:{server.server_port}"
        provider = stack.enter_context(running_provider(tmp_path))
        site.page = PAGE.format(snippet=snippet.replace("https://id.example.com", provider.issuer))
        secret = provider.add_client(
            "app", f"--redirect-uri={site.origin}/callback", f"--signin-url={site.origin}/signin"
        )
        yield Stage(provider, site, stack.enter_context(running_chromium({})), secret)


def test_the_code_arrives_at_the_app_once_the_page_has_handed_back_the_token(stage: Stage) -> None:
    stage.authorize()
    assert stage.browser.driver.current_url.startswith(f"{stage.site.origin}/signin?request=")
    assert stage.shown()["client_id"] == "app"
    stage.hand_back(stage.token())
    stage.browser.arrives("Callback")
    assert stage.shown()["state"] == "the state of this sign-in"
    assert stage.email_of(stage.shown()["code"]) == "demo@example.com"


def test_a_page_that_sends_an_old_token_for_prompt_login_gets_the_browser_back(stage: Stage) -> None:
    old = stage.old_token()
    stage.authorize(prompt="login")
    assert stage.shown()["prompt"] == "login"
    stage.hand_back(old)
    stage.page_opens_again()
    assert stage.shown()["prompt"] == "login"
    stage.hand_back(stage.token())
    stage.browser.arrives("Callback")
    assert stage.email_of(stage.shown()["code"]) == "demo@example.com"


def test_a_page_that_never_sends_another_token_ends_at_the_bridges_error_page(stage: Stage) -> None:
    old = stage.old_token()
    stage.authorize(prompt="login")
    for _ in range(3):
        stage.hand_back(old)
        stage.page_opens_again()
    stage.hand_back(old)
    assert stage.refused_with() == "sign_in_not_fresh"


def test_a_page_that_hides_its_origin_ends_at_the_bridges_error_page(stage: Stage) -> None:
    stage.site.headers["Referrer-Policy"] = "no-referrer"
    stage.authorize()
    stage.hand_back(stage.token())
    assert stage.refused_with() == "sign_in_page_unknown"
