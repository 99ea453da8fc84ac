"""The emulator's sign-in page, by a browser of our own: a stock HTTP client and the standard library's HTML parser."""

import logging
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from click.testing import CliRunner
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.cli.emulator import emulator as emulator_command
from bridge.emulator import Emulator, NewEmail, NewWallet, RunningEmulator, User, run

NOW = 1_800_000_000
COMPLETE = "http://localhost:8080/id/signin/complete"
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
EMBEDDED = "7qvWUFx2yJzGAWhWNQ6ae51TRTrEPYGadByHXpQienKF"


@dataclass
class Hand:
    """A clock that moves when it is told to."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """An answer as a browser sees it: `shape` is its tags and the names of their attributes, in order."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__()
        self.answer = answer
        self.shape: list[tuple[str, list[str]]] = []
        self.forms: list[Form] = []
        self.by_id: dict[str, dict[str, str | None]] = {}
        self.alert = self.text = ""
        self._in_alert = False
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), "an attribute came twice"
        self.shape.append((tag, [name for name, _ in attrs]))
        if given.get("id"):
            assert given["id"] not in self.by_id
            self.by_id[str(given["id"])] = given
        if tag == "form":
            action = urljoin(self.answer.url, given["action"])
            self.forms.append(Form(action, str(given["method"])))
        if tag == "input":
            self.forms[-1].fields[str(given["name"])] = given.get("value") or ""
        if tag == "button":
            self.forms[-1].buttons.append(str(given["id"]))
        self._in_alert = given.get("role") == "alert" or (self._in_alert and tag == "code")

    def handle_endtag(self, tag: str) -> None:
        self._in_alert = self._in_alert and tag == "code"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_alert:
            self.alert += data

    def form(self, button: str) -> Form:
        (found,) = [form for form in self.forms if button in form.buttons]
        return found

    @property
    def token(self) -> str:
        return self.form("login-continue").fields["token"]


class Browser:
    """One browser, with its own cookies."""

    def __init__(self, running: RunningEmulator) -> None:
        self.url = running.signin_url
        self.http = requests.Session()

    def open(self, path: str = "", **params: Any) -> Page:
        return self.send("GET", f"{self.url}{path}", params={"request": "R", "client_id": "web", **params})

    def sign_in(self, page: Page, password: str = "any", **typed: str) -> Page:
        form = page.form("login-submit")
        return self.send(form.method, form.action, data={**form.fields, **typed, "password": password})

    def send(self, method: str, url: str, **kwargs: Any) -> Page:
        return Page(self.http.request(method, url, timeout=5, allow_redirects=False, **kwargs))


@dataclass
class Room:
    running: RunningEmulator
    clock: Hand
    user: User
    browser: Browser

    @property
    def emulator(self) -> Emulator:
        return self.running.emulator

    def claims(self, token: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(self.emulator.served_jwks())
        return jwt.decode(token, keys, algorithms=["RS256"]).claims

    def lives(self, sid: str) -> bool:
        return self.emulator.session(sid).revoked_at is None

    def admin(self, method: str, path: str, body: Any) -> requests.Response:
        return requests.request(method, f"{self.running.origin}/admin{path}", json=body, timeout=5)


@pytest.fixture
def room() -> Iterator[Room]:
    clock = Hand()
    emulator = Emulator(clock=clock, signin_complete_url=COMPLETE)
    user = emulator.create_user(
        email="demo@example.com",
        username="Demo",
        alias="dé",
        given_name="Demo",
        family_name="User",
        wallets=[NewWallet(address=ADDRESS), NewWallet("solana", EMBEDDED, wallet_provider="embeddedWallet")],
        credentials=[NewEmail("second@example.com")],
    )
    with run(emulator) as running:
        yield Room(running, clock, user, Browser(running))
    emulator.release_keys()


# Signing in


def test_the_form_has_what_a_person_and_a_program_look_for(room: Room) -> None:
    page = room.browser.open(login_hint="demo@example.com")
    assert page.answer.status_code == 200
    assert {"login-title", "login-username", "login-password", "login-submit", "login-cancel"} <= set(page.by_id)
    assert page.by_id["login-username"]["value"] == "demo@example.com"
    assert page.by_id["login-password"]["type"] == "password"
    assert page.form("login-submit").action == room.running.signin_url
    assert "web" in page.text
    assert page.alert == ""


def test_signing_in_hands_the_token_to_the_bridge(room: Room) -> None:
    page = room.browser.sign_in(room.browser.open(request="R1"), username="demo@example.com")
    assert page.answer.status_code == 200
    (form,) = page.forms
    assert (form.action, form.method, form.buttons) == (COMPLETE, "post", ["login-continue"])
    assert form.fields == {"request": "R1", "token": page.token}
    assert "autofocus" in page.by_id["login-continue"]
    claims = room.claims(page.token)
    assert (claims["sub"], claims["aud"], claims["iat"]) == (room.user.id, room.running.origin, NOW)
    assert claims["sid"] == claims["originalSid"]
    assert len(claims["verified_credentials"]) == 4
    assert claims["exp"] - claims["iat"] == 7200


def test_the_audience_is_the_origin_in_the_address_bar(room: Room) -> None:
    room.browser.url = room.browser.url.replace("127.0.0.1", "localhost")
    page = room.browser.sign_in(room.browser.open(), username="demo")
    assert room.claims(page.token)["aud"] == room.running.origin.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize(
    ("name", "credential"),
    [
        ("DEMO@example.COM", 0),
        ("  demo@example.com ", 0),
        ("Second@example.com", 1),
        ("demo", 0),
        ("DÉ", 0),
        (ADDRESS.lower(), 2),
        (ADDRESS.upper(), 2),
        (EMBEDDED, 0),
    ],
)
def test_a_user_goes_by_several_names(room: Room, name: str, credential: int) -> None:
    page = room.browser.sign_in(room.browser.open(), username=name)
    assert room.claims(page.token)["signin_credential_id"] == room.user.credentials[credential].id


@pytest.mark.parametrize("name", ["", " ", "nobody@example.com", "demo@example.com.evil", "None", "0x"])
def test_an_unknown_name_is_told_so_and_nothing_typed_is_lost(room: Room, name: str) -> None:
    opened = room.browser.open(prompt="login", login_hint="hint", ui_locales="de en")
    page = room.browser.sign_in(opened, "secret-typed", username=name)
    assert (page.answer.status_code, page.alert) == (401, "The emulator has no user of that name.")
    assert page.form("login-submit").fields == {**opened.form("login-submit").fields, "username": name, "password": ""}
    assert page.by_id["login-username"]["aria-describedby"] == "login-error"
    assert "secret-typed" not in page.answer.text
    assert room.browser.http.cookies.get_dict() == {}


def test_an_emulator_without_users_says_so(room: Room) -> None:
    with run(signin_complete_url=COMPLETE) as empty:
        page = Browser(empty).sign_in(Browser(empty).open(), username="demo")
        assert page.alert == "The emulator has no users yet. Create one: POST /admin/users"
    empty.emulator.release_keys()


def test_a_password_is_asked_of_those_who_have_one(room: Room) -> None:
    for given, typed, status in (
        (None, "any", 200),
        (None, "", 401),
        ("Right ü", "wrong", 401),
        ("Right ü", "right ü", 401),
        ("Right ü", "", 401),
        ("Right ü", "Right ü", 200),
    ):
        room.emulator.update_user(room.user.id, password=given)
        page = room.browser.sign_in(room.browser.open(prompt="select_account"), typed, username="demo")
        assert (page.answer.status_code, bool(page.alert)) == (status, status == 401), (given, typed)
        if status == 401:
            assert page.by_id["login-username"]["value"] == "demo"
            assert page.by_id["login-password"]["aria-describedby"] == "login-error"


def test_a_password_is_set_by_the_admin_api_and_never_shown(room: Room) -> None:
    made = room.admin("POST", "/users", {"username": "pat", "password": "hush-1"})
    changed = room.admin("PATCH", f"/users/{made.json()['user']['id']}", {"password": "hush-2"})
    for answer in (made, changed, room.admin("GET", "/users", None)):
        assert "hush" not in answer.text
    assert "hush" not in repr(room.emulator.users())
    assert room.browser.sign_in(room.browser.open(), "hush-1", username="pat").answer.status_code == 401
    page = room.browser.sign_in(room.browser.open(), "hush-2", username="pat")
    assert "hush" not in page.answer.text + str(room.claims(page.token))
    for bad in ("", 7):
        assert room.admin("POST", "/users", {"password": bad}).status_code == 400


def test_half_a_character_in_a_name_or_password_breaks_no_page(room: Room) -> None:
    half = room.emulator.create_user(username="half", given_name="\ud83d", password="\ud83d")
    assert room.browser.sign_in(room.browser.open(), username="half").answer.status_code == 401
    room.emulator.update_user(half.id, password=None)
    assert "as ?" in room.browser.sign_in(room.browser.open(), username="half").text


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("complete", "user:basic"),
        ("mfa_owed", "requiresAdditionalAuth"),
        ("profile_incomplete", "userDataForm"),
        ("device_unconfirmed", "device:register"),
    ],
)
def test_a_user_who_owes_a_step_signs_in_and_the_token_says_so(room: Room, state: str, word: str) -> None:
    assert room.admin("PATCH", f"/users/{room.user.id}", {"state": state}).status_code == 200
    page = room.browser.sign_in(room.browser.open(), username="demo")
    assert (page.answer.status_code, room.claims(page.token)["scope"]) == (200, word)


# Being signed in


def signed_in(room: Room) -> dict[str, Any]:
    return room.claims(room.browser.sign_in(room.browser.open(), username="demo").token)


def test_who_is_signed_in_continues_with_a_silently_refreshed_token(room: Room) -> None:
    first = signed_in(room)
    room.clock.now += 60
    page = room.browser.open(request="R2")
    assert "Continue as Demo User" in page.text
    assert {"login-continue", "login-other", "login-cancel"} <= set(page.by_id)
    assert page.form("login-continue").action == COMPLETE
    assert page.form("login-continue").fields["request"] == "R2"
    second = room.claims(page.token)
    assert (second["iat"], second["sub"], second["originalSid"]) == (NOW + 60, room.user.id, first["sid"])
    assert second["sid"] != first["sid"]
    assert [room.lives(each["sid"]) for each in (first, second)] == [False, True]
    third = room.claims(room.browser.open().token)
    assert third["originalSid"] == first["sid"] != second["sid"] != third["sid"]


def test_the_switches_rule_the_silent_refresh(room: Room) -> None:
    room.emulator.switch(sid_changes_on_refresh=False, jwt_duration_minutes=5)
    first = signed_in(room)
    room.clock.now += 60
    second = room.claims(room.browser.open().token)
    assert (second["sid"], second["iat"], second["exp"]) == (first["sid"], NOW + 60, NOW + 360)


def test_prompt_login_ends_the_session_and_a_fresh_sign_in_makes_another(room: Room) -> None:
    first = signed_in(room)
    page = room.browser.open(prompt="login")
    assert "login-submit" in page.by_id
    assert not room.lives(first["sid"])
    again = room.claims(room.browser.sign_in(page, username="demo").token)
    assert again["sid"] == again["originalSid"] != first["sid"]
    assert "login-submit" in room.browser.open(prompt="consent login").by_id
    assert "login-submit" in room.browser.open().by_id


def test_select_account_shows_the_form_and_ends_nothing_until_somebody_signs_in(room: Room) -> None:
    room.emulator.create_user(username="other")
    first = signed_in(room)
    page = room.browser.open(prompt="select_account")
    assert "login-submit" in page.by_id
    assert room.lives(first["sid"])
    other = room.claims(room.browser.sign_in(page, username="other").token)
    assert other["sub"] != first["sub"]
    assert not room.lives(first["sid"])


def test_another_account_can_be_chosen_on_the_way(room: Room) -> None:
    signed_in(room)
    page = room.browser.open(request="R&2", login_hint="a b", ui_locales="de")
    other = room.browser.send("GET", urljoin(page.answer.url, page.by_id["login-other"]["href"]))
    sent = {"request": "R&2", "client_id": "web", "prompt": "select_account", "login_hint": "a b", "ui_locales": "de"}
    assert other.form("login-submit").fields == {**sent, "username": "a b", "password": ""}


@pytest.mark.parametrize("how", ["revoked", "past its window", "unknown cookie"])
def test_a_session_that_has_ended_asks_again(room: Room, how: str) -> None:
    first = signed_in(room)
    if how == "revoked":
        room.emulator.revoke(first["sid"])
    elif how == "past its window":
        room.clock.now = first["refreshExp"]
    else:
        room.browser.http.cookies.set("emulator_browser", "guessed", domain="127.0.0.1", path="/signin")
    for _ in range(2):
        assert "login-submit" in room.browser.open().by_id


def test_signing_out_ends_the_session_and_the_cookie(room: Room) -> None:
    first = signed_in(room)
    page = room.browser.open("/out")
    assert (page.answer.status_code, page.forms) == (200, [])
    assert "signed out" in page.text
    assert not room.lives(first["sid"])
    assert room.browser.http.cookies.get_dict() == {}
    assert room.browser.open("/out").answer.status_code == 200


def test_two_users_in_two_browsers_stay_apart(room: Room) -> None:
    other = room.emulator.create_user(username="other")
    second = Browser(room.running)
    signed_in(room)
    assert "login-submit" in second.open().by_id
    second.sign_in(second.open(), username="other")
    assert room.claims(room.browser.open().token)["sub"] == room.user.id
    assert room.claims(second.open().token)["sub"] == other.id
    room.browser.open("/out")
    assert room.claims(second.open().token)["sub"] == other.id


def test_tabs_that_open_at_once_all_carry_on(room: Room) -> None:
    first = signed_in(room)
    url, cookies = room.browser.url, room.browser.http.cookies.get_dict()
    with ThreadPoolExecutor(8) as pool:
        opened = [pool.submit(requests.get, url, {"request": "R"}, cookies=cookies, timeout=5) for _ in range(16)]
    claims = [room.claims(Page(each.result()).token) for each in opened]
    assert {each["originalSid"] for each in claims} == {first["sid"]}
    assert sum(room.lives(each["sid"]) for each in claims) == 1


def test_the_cookie_is_the_emulators_alone_and_new_at_each_sign_in(room: Room) -> None:
    values = set()
    for _ in range(2):
        page = room.browser.sign_in(room.browser.open(prompt="select_account"), username="demo")
        value, *attributes = page.answer.headers["Set-Cookie"].split("; ")
        values.add(value)
        assert re.fullmatch(r"emulator_browser=[\w-]{43}", value)
        assert {"HttpOnly", "SameSite=Lax", "Path=/signin", "Max-Age=2592000"} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)
    assert len(values) == 2


# Going back


def test_cancelling_is_a_form_to_the_bridge(room: Room) -> None:
    expected = Form(COMPLETE, "post", {"request": "R", "error": "access_denied"}, ["login-cancel"])
    assert room.browser.open().form("login-cancel") == expected
    signed_in(room)
    assert room.browser.open().form("login-cancel") == expected


def test_the_bridge_is_where_the_configuration_says_whatever_the_request_says(room: Room) -> None:
    evil = "https://evil.example/signin/complete"
    headers = {"X-Forwarded-Host": "evil.example", "Referer": evil, "Forwarded": "host=evil.example"}
    room.browser.http.headers.update(headers)
    page = room.browser.open(signin_complete_url=evil, action=evil, complete_url=evil, bridge=evil)
    assert [form.action for form in page.forms] == [room.running.signin_url, COMPLETE]
    page = room.browser.sign_in(page, username="demo", action=evil, complete_url=evil)
    assert [form.action for form in page.forms] == [COMPLETE]
    assert "evil.example" not in page.answer.text
    room.emulator.signin_complete_url = "https://id.example.com/signin/complete"
    assert room.browser.open().form("login-continue").action == "https://id.example.com/signin/complete"


def test_without_a_bridge_the_page_says_what_is_missing(room: Room) -> None:
    room.emulator.signin_complete_url = None
    for page in (room.browser.open(), room.browser.send("POST", room.browser.url, data={"username": "demo"})):
        assert page.answer.status_code == 503
        assert "--bridge" in page.text
        assert page.answer.headers["Content-Type"].startswith("text/html")
    assert room.browser.open("/out").answer.status_code == 200


BAD_URLS = [
    "",
    "localhost:8080/signin/complete",
    "//localhost/signin/complete",
    "ftp://localhost/signin/complete",
    "javascript:alert(1)",
    "http://localhost:8080",
    "http:///signin/complete",
    "http://user@localhost/x",
    "http://localhost/x?a=b",
    "http://localhost/x#a",
    "http://localhost/a b",
    "http://localhost;script-src/x",
    "http://localhost/x\n",
    "http://*/x",
    "http://[::1]:8080/x",
    'http://localhost/"x',
]
BAD_ORIGINS = [
    "",
    "*",
    "http:",
    "https://*",
    "http://a;b",
    "http://a b",
    "http://a/path",
    "'unsafe-inline'",
    "http://a,b",
]


def test_a_url_or_origin_that_a_policy_cannot_hold_is_refused(room: Room) -> None:
    for url in BAD_URLS:
        with pytest.raises(ValueError, match="signin_complete_url"):
            room.emulator.signin_complete_url = url
    for origin in BAD_ORIGINS:
        with pytest.raises(ValueError, match="origin"):
            Emulator(app_origins=[origin])
    assert room.emulator.signin_complete_url == COMPLETE


# What a page must not do


PAYLOADS = [
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    '" autofocus onfocus=alert(1) x="',
    "</textarea></title></style><svg onload=alert(1)>",
    "javascript:alert(1)//",
    "{{ 7 * 7 }}{% raw %}${7*7}",
    "<!--",
    "&quot;&#x3e;&lt;b",
    "</form><form action=https://evil.example>",
    "\u2028\u202e\ufeff",
    "a\r\nSet-Cookie: evil=1",
    "é\U0001f600",
    "%00%22%3E",
    "x" * 10_000,
    "<" * 1_000,
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_hostile_values_stay_values(room: Room, payload: str) -> None:
    hostile = {"request": payload, "client_id": payload, "login_hint": payload, "ui_locales": payload}
    harmless = {"request": "R", "client_id": "web", "login_hint": "x", "ui_locales": "de"}
    page = room.browser.open(**hostile)
    assert page.shape == room.browser.open(**harmless).shape
    assert page.form("login-submit").fields == {**hostile, "username": payload, "password": ""}
    assert page.form("login-cancel").fields["request"] == payload
    refused = room.browser.sign_in(page, username=payload)
    assert refused.answer.status_code == 401
    assert refused.by_id["login-username"]["value"] == payload
    done = room.browser.sign_in(page, username="demo")
    assert done.form("login-continue").fields["request"] == payload
    again = room.browser.open(**hostile)
    assert again.shape == room.browser.open(**harmless).shape
    other = room.browser.send("GET", urljoin(again.answer.url, again.by_id["login-other"]["href"]))
    assert other.form("login-submit").fields["request"] == payload
    for each in (page, refused, done, again, other):
        assert "Set-Cookie" not in each.answer.headers or each is done
        assert not any(tag == "script" or name.startswith("on") for tag, names in each.shape for name in [*names, ""])


def test_a_hostile_name_of_a_user_stays_text(room: Room) -> None:
    def seen(name: str) -> Page:
        room.emulator.update_user(room.user.id, given_name=name, family_name=None)
        return room.browser.open()

    signed_in(room)
    shape = seen("Demo").shape
    for payload in PAYLOADS:
        assert seen(payload).shape == shape


BAD_REQUESTS = [[], [("request", "")], [("request", "a"), ("request", "b")], [("request", "a"), ("prompt", "")] * 2]


@pytest.mark.parametrize("sent", BAD_REQUESTS)
def test_a_page_without_one_request_says_what_is_wrong(room: Room, sent: list[tuple[str, str]]) -> None:
    typed = [("username", "demo"), ("password", "x")]
    for page in (
        room.browser.send("GET", room.browser.url, params=sent),
        room.browser.send("POST", room.browser.url, data=[*sent, *typed]),
    ):
        assert (page.answer.status_code, page.forms) == (400, [])
        assert "Begin" in page.text
        assert "Set-Cookie" not in page.answer.headers


def test_a_form_larger_than_any_is_413(room: Room) -> None:
    page = room.browser.send("POST", room.browser.url, data={"request": "x" * 2**21})
    assert page.answer.status_code == 413


def test_every_page_has_a_strict_policy(room: Room) -> None:
    forms = "'self' http://localhost:8080 http://localhost:* http://127.0.0.1:*"
    opened = room.browser.open()
    pages = [(opened, forms), (room.browser.sign_in(opened, username="x"), forms)]
    pages += [(room.browser.sign_in(opened, username="demo"), forms), (room.browser.open(), forms)]
    pages += [(room.browser.open("/out"), "'none'"), (room.browser.open(request=""), "'none'")]
    nonces = set()
    for page, form_action in pages:
        headers = page.answer.headers
        (nonce,) = re.findall(r'<style nonce="([\w-]{22})">', page.answer.text)
        nonces.add(nonce)
        assert headers["Content-Security-Policy"] == (
            f"default-src 'none'; style-src 'nonce-{nonce}'; form-action {form_action}; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        # no-referrer and same-origin would make browsers post `Origin: null` to the bridge
        assert headers["Referrer-Policy"] == "strict-origin"
        assert not {"script", "iframe", "img", "link", "base"} & {tag for tag, _ in page.shape}
        assert not any("style" in names for _, names in page.shape)
    assert len(nonces) == len(pages)


def test_an_app_elsewhere_can_be_let_through_the_policy() -> None:
    emulator = Emulator(signin_complete_url="https://ID.example.com/x", app_origins=["https://App.example.com"])
    with run(emulator) as running:
        policy = Browser(running).open().answer.headers["Content-Security-Policy"]
    assert "form-action 'self' https://id.example.com https://app.example.com;" in policy
    emulator.release_keys()


def test_no_token_or_password_is_in_a_url_or_a_log_line(
    room: Room, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        opened = room.browser.open()
        pages = [room.browser.sign_in(opened, "typed-secret", username="demo"), room.browser.open()]
    logged = "\n".join([caplog.text, *capfd.readouterr(), *room.emulator.requests])
    assert "GET /signin" in room.emulator.requests
    for page in pages:
        links = re.findall(r'(?:href|action|src)="([^"]*)"', page.answer.text)
        assert all(part not in url for part in page.token.split(".") for url in [page.answer.url, *links])
        assert all(part not in logged for part in page.token.split("."))
        assert page.form("login-continue").method == "post"
    assert "typed-secret" not in logged


def test_the_page_answers_this_machine_only_and_takes_no_form_but_its_own(room: Room) -> None:
    fields = {"request": "R", "username": "demo", "password": "x"}
    for headers, status in (
        ({}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Origin": room.running.origin}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost:8080"}, 403),
        ({"Origin": "null"}, 403),
    ):
        page = room.browser.send("POST", room.browser.url, data=fields, headers=headers)
        assert page.answer.status_code == status, headers
        assert ("Set-Cookie" in page.answer.headers) is (status == 200)
    assert room.browser.send("GET", room.browser.url, headers={"Host": "evil.example"}).answer.status_code == 403
    assert room.browser.send("GET", f"{room.browser.url}/out", headers={"Host": "a.example"}).answer.status_code == 403


# The command


def test_the_command_is_told_where_the_bridge_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = ["emulator", "--port", str(port), "--bridge", "http://localhost:8080/id/", "--app", "https://app.example"]
    with subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = dict(process.stdout.readline().strip().split("=", 1) for _ in range(4))
            assert lines["BRIDGE_SIGNIN_URL"] == f"http://127.0.0.1:{port}/signin"
            answer = requests.get(lines["BRIDGE_SIGNIN_URL"], params={"request": "R"}, timeout=5)
            assert Page(answer).form("login-cancel").action == COMPLETE
            assert "http://127.0.0.1:* https://app.example;" in answer.headers["Content-Security-Policy"]
        finally:
            process.terminate()


@pytest.mark.parametrize("words", [["--bridge", "localhost:8080"], ["--bridge", ""], ["--app", "app.example"]])
def test_the_command_refuses_an_address_that_is_none(words: list[str]) -> None:
    told = CliRunner().invoke(emulator_command, ["--port", "1", *words])
    assert (told.exit_code, "must be" in told.output or "is scheme" in told.output) == (1, True)
