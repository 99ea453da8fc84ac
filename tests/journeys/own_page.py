"""The bridge's own sign-in page on this machine: the real server, the emulator as Dynamic, an app, and a browser."""

import fcntl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from browser.chromium import Chromium
from flask import Flask, Response
from served import Command, free_port
from werkzeug.serving import WSGIRequestHandler, make_server

from bridge.assets import default_login_page
from bridge.cli.login_page import is_current
from bridge.emulator import Emulator, RunningEmulator, run

TOP = Path(__file__).parents[2]
EMAIL = "maya@example.com"
VERIFIER = "v" * 43
VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (violation) =>
  console.error(`Content Security Policy: ${violation.effectiveDirective} ${violation.blockedURI}`));
"""
"""Some violations (of code that is compiled) the browser reports without a word in its log."""

SCOPES = ("openid", "profile", "email", "wallets")


def built() -> Path:
    """The directory of the page, built from the sources as they are; once for all runs that find them so."""
    directory = default_login_page()
    (TOP / "build").mkdir(exist_ok=True)
    with (TOP / "build" / "login-page.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # two test runs at once do not build into each other
        if not is_current(directory):
            done = Command(TOP, {}).for_long("login-page", "build")
            assert done.returncode == 0, done.stderr
    return directory


@dataclass
class Stage:
    """A bridge with its own page, an app `app` at `origin` and a browser. What the app got is in `arrived`."""

    dynamic: RunningEmulator
    command: Command
    issuer: str
    origin: str
    secret: str
    browser: Chromium
    arrived: list[str] = field(default_factory=list)

    def begin(self, client_id: str = "app", **parameters: str) -> None:
        """The app sends the browser to the bridge."""
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": f"{self.origin}/callback",
            "scope": " ".join(SCOPES),
            "state": "s",
            "nonce": "n",
            "code_challenge": create_s256_code_challenge(VERIFIER),
            "code_challenge_method": "S256",
            **parameters,
        }
        self.browser.driver.get(f"{self.issuer}/authorize?{urlencode(asked)}")

    def wait(self, condition: Callable[[], Any], otherwise: str, seconds: float = 15) -> Any:
        """What the condition answers in the end. An element that went away in between counts as not there yet."""
        from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        passing = [StaleElementReferenceException, NoSuchElementException]
        wait = WebDriverWait(self.browser.driver, seconds, 0.03, ignored_exceptions=passing)
        try:
            return wait.until(lambda _: condition())
        except TimeoutException:
            here, said = self.browser.driver.current_url, self.browser.complaints()
            raise AssertionError(f"{otherwise}; at {here} the page says: {self.text()}\n{said}") from None

    def shown(self, selector: str) -> Any:
        """The element, as soon as it can be seen."""

        def there() -> Any:
            element = self.browser.driver.find_element("css selector", selector)
            return element if element.is_displayed() else None

        return self.wait(there, f"no {selector}")

    def text(self) -> str:
        return str(self.browser.tell("document.body.innerText"))

    def press(self, selector: str) -> None:
        self.shown(selector).click()

    def type(self, selector: str, text: str) -> None:
        self.shown(selector).send_keys(text)

    def says(self, words: str) -> None:
        """Wait until the page says so."""
        self.wait(lambda: words in self.text(), f"the page does not say: {words}")

    def ask_for_code(self, email: str = EMAIL) -> str:
        """The code that the page has sent to that address."""
        field = self.shown("#email")
        field.clear()
        field.send_keys(email)
        self.press("#email-send")
        self.shown("#code")
        return str(self.dynamic.emulator.email_codes.latest(email))

    def sign_in_by_email(self, email: str = EMAIL) -> None:
        self.type("#code", self.ask_for_code(email))

    def back_at_app(self, path: str = "/callback") -> Mapping[str, str]:
        """What the app got in its URL."""
        self.wait(lambda: self.browser.driver.title == f"app {path}", f"not at the app's {path}")
        return {name: values[0] for name, values in parse_qs(urlsplit(self.arrived[-1]).query).items()}

    def claims(self) -> Mapping[str, Any]:
        """What userinfo says, with the tokens for the code that the app got."""
        code = self.back_at_app()["code"]
        callback = f"{self.origin}/callback"
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "code_verifier": VERIFIER}
        with requests.Session() as wire:
            wire.trust_env = False
            tokens = wire.post(f"{self.issuer}/token", data=form, auth=("app", self.secret), timeout=10).json()
            bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
            told = wire.get(f"{self.issuer}/userinfo", headers=bearer, timeout=10).json()
        return {**told, "id_token": tokens["id_token"]}

    def called(self, line: str) -> int:
        """How often the page called this path of Dynamic's, preflights left out."""
        method, _, path = line.partition(" ")
        whole = f"{method} /api/v0/sdk/{self.dynamic.emulator.environment_id}{path}"
        return self.dynamic.emulator.requests.count(whole)

    def forget(self, *, storage: bool = True) -> None:
        """A browser that was never here; with `storage` off, only the bridge has forgotten it."""
        kinds = "all" if storage else "cookies"
        self.browser.driver.execute_cdp_cmd(
            "Storage.clearDataForOrigin", {"origin": self.issuer_origin, "storageTypes": kinds}
        )
        self.browser.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    @property
    def issuer_origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    def complaints(self) -> list[str]:
        """What the browser has said since it was asked last, against policies and hosts that nobody may call."""
        words = ("Content Security Policy", "ERR_NAME_NOT_RESOLVED", "ERR_BLOCKED", "Uncaught")
        return [line for line in self.browser.complaints() if any(word in line for word in words)]


@contextmanager
def running_stage(folder: Path, browser: Chromium, *, path: str = "", **settings: str) -> Iterator[Stage]:
    """A stage whose issuer has `path`, with more `settings` in the bridge's environment."""
    port = free_port()
    issuer = f"http://localhost:{port}{path}"
    world = Emulator()
    arrived: list[str] = []
    with run(world) as dynamic, _running_app(arrived) as origin:
        environ = {"DYNAMIC_API_BASE_URL": dynamic.base_url, "BRIDGE_LOGIN_PAGE": str(built()), **settings}
        command = Command(folder, environ)
        made = command("init", "--environment-id", world.environment_id, "--issuer", issuer, "--client-id", "other")
        assert made.returncode == 0, made.stderr
        stage = Stage(dynamic, command, issuer, origin, "", browser, arrived)
        browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": VIOLATIONS})
        stage.secret = add_client(stage, "app", "--name=Northwind Ledger")
        with command.serving("--port", str(port), url=f"http://localhost:{port}"):
            yield stage
    world.release_keys()


def add_client(stage: Stage, client_id: str, *words: str) -> str:
    """Register a client as an operator does; its secret."""
    uris = (f"--redirect-uri={stage.origin}/callback", f"--post-logout-redirect-uri={stage.origin}/bye")
    grants = ("--grant=authorization_code", "--consent=skip", *(f"--scope={scope}" for scope in SCOPES))
    added = stage.command("client", "add", client_id, *uris, *grants, *words)
    assert added.returncode == 0, added.stderr
    return added.stdout.strip()


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Not every request is news."""


@contextmanager
def _running_app(arrived: list[str]) -> Iterator[str]:
    """An app whose every page says where it is."""
    app = Flask("app", static_folder=None)

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status=204)

    @app.get("/<path:path>")
    def page(path: str) -> Response:
        from flask import request

        arrived.append(request.url)
        return Response(f"<!doctype html><title>app /{path}</title>", content_type="text/html")

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
