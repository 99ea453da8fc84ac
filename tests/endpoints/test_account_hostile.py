"""Attacks on the users' own page: forged forms, others' sessions, links that lie, words that would like to run."""

from typing import Any
from urllib.parse import quote

import pytest
from accounts import APP, IPHONE, OPERATORS_ORIGIN, Person, at_the_operators, forms_of, forms_to, person
from browsing import answered, ids_of
from conftest import Bridge

from bridge.emulator import NewWallet
from bridge.oauth.site import seal_of

EVIL = "https://evil.example.com"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def site(make_bridge: Any) -> Bridge:
    return at_the_operators(make_bridge)


@pytest.fixture
def mac(site: Bridge) -> Person:
    return person(site)


@pytest.fixture
def victim(site: Bridge) -> Person:
    """Somebody else, signed in to an app for good."""
    browser = person(site, IPHONE)
    browser.open_app(site.user(email="victim@example.com", wallets=[]), scope="openid offline_access")
    return browser


def endings(site: Bridge) -> list[tuple[Any, ...]]:
    """Whatever has ended: sessions, grants, users' rights."""
    closed = "SELECT closed_cause FROM {} WHERE closed_at IS NOT NULL"
    return [
        *site.rows(closed.format("sessions")),
        *site.rows(closed.format("grants")),
        *site.rows("SELECT revoked_at FROM users WHERE revoked_at IS NOT NULL"),
    ]


def test_a_foreign_page_brings_about_nothing(site: Bridge, mac: Person) -> None:
    page = mac.enter(user := site.user())
    mac.open_app(user)
    forms = [*forms_of(page), *forms_of(mac.get("/account/erase"))]
    for form in forms:
        for path in ("/account", "/account/erase"):
            answer = mac.post(path, form, origin=EVIL)
            assert answer.status_code in (303, 400)
    assert endings(site) == []


def test_a_foreign_origin_is_refused_even_where_cookies_come_along(site: Bridge, mac: Person) -> None:
    page = mac.enter(site.user())
    for path, form in (
        ("/account", next(forms_to(page, "everywhere"))),
        ("/account/erase", forms_of(mac.get("/account/erase"))[0]),
    ):
        for origin in (EVIL, "null"):
            answer = mac._send("POST", path, form, {"Origin": origin}, with_cookies=True)
            assert answer.status_code == 400
    assert endings(site) == []


@pytest.mark.parametrize("seal", ["", "x", "0" * 64, "ü", "9" * 5000])
def test_a_form_without_its_seal_does_nothing(site: Bridge, mac: Person, seal: str) -> None:
    mac.open_app(user := site.user())
    mac.enter(user)
    for deed, target in (("everywhere", ""), ("export", ""), ("end", mac.session_id), ("disconnect", "app")):
        answer = mac.post("/account", {"do": deed, "target": target, "seal": seal})
        assert answer.status_code == 400
        assert f"{site.config.issuer}/account" in answer.text, "the way back to the page"
    assert mac.post("/account/erase", {"seal": seal}).status_code == 400
    assert endings(site) == []


def test_a_seal_is_good_for_its_own_deed_and_target_alone(site: Bridge, mac: Person) -> None:
    site.add_client("other", **APP)
    user = site.user()
    mac.open_app(user)
    mac.open_app(user, "other")
    page = mac.enter(user)
    app = next(form for form in forms_to(page, "disconnect") if form["target"] == "app")
    export = next(forms_to(page, "export"))
    for form in (
        {**app, "target": "other"},
        {**app, "do": "end"},
        {**app, "do": "everywhere"},
        {**export, "do": "everywhere"},
        {**export, "target": "app"},
    ):
        assert mac.post("/account", form).status_code == 400
    assert mac.post("/account/erase", export).status_code == 400
    assert endings(site) == []


def test_a_seal_of_another_session_is_none(site: Bridge, mac: Person) -> None:
    user = site.user()
    other = person(site, IPHONE)
    forms = [next(forms_to(other.enter(user), deed)) for deed in ("everywhere", "export")]
    mac.enter(user)
    for form in forms:
        assert mac.post("/account", form).status_code == 400
    assert endings(site) == []


def test_a_seal_dies_with_the_sign_in_that_it_was_made_for(site: Bridge, mac: Person) -> None:
    form = next(forms_to(mac.enter(user := site.user()), "everywhere"))
    mac.hand_back(
        mac.follow(mac.authorize(prompt="login")), site.assertion(user, origin=OPERATORS_ORIGIN), OPERATORS_ORIGIN
    )
    assert mac.post("/account", form).status_code == 400
    assert endings(site) == []


def test_nobody_ends_anothers_session(site: Bridge, mac: Person, victim: Person) -> None:
    mac.enter(site.user())
    answer = mac.do(mac.sealed("end", victim.session_id))
    assert "account-notice" in ids_of(answer)
    assert "ended already" in answer.text, "the same as for one that never was"
    assert "ended already" in mac.do(mac.sealed("end", "nobody-knows")).text
    assert "code" in answered(victim, prompt="none")
    assert endings(site) == []


def test_nobody_disconnects_anothers_app(site: Bridge, mac: Person, victim: Person) -> None:
    mac.enter(site.user())
    for target in ("app", "bridge-account", "nobody", "", SCRIPT):
        assert "ended already" in mac.do(mac.sealed("disconnect", target)).text
    assert "code" in answered(victim, prompt="none")
    assert endings(site) == []
    assert site.rows("SELECT count(*) FROM audit WHERE event = 'consent_withdrawn'") == [(0,)]


def test_a_link_cannot_say_that_something_was_done(site: Bridge, mac: Person) -> None:
    mac.enter(site.user())
    for query in (
        "notice=disconnected",
        "notice=disconnected&seal=x",
        "notice=ended&notice=ended",
        "notice=x&seal=%C3%BC",
    ):
        assert "account-notice" not in ids_of(mac.get(f"/account?{query}"))
    unknown = seal_of(mac.cookie, "account", mac.session_id, "notice", "pwned")
    assert "account-notice" not in ids_of(mac.get(f"/account?notice=pwned&seal={unknown}"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"do=end",
        b"do=end&do=end",
        b"do=%00",
        b"do=%ff",
        b"do=" + b"x" * 70000,
        b"do=end&target=" + quote("\U0001f600" * 400).encode(),
        b"&".join(b"a%d=1" % number for number in range(100)),
        "do=ü".encode(),
        b"do=erase&target=../../etc/passwd",
    ],
)
def test_no_form_is_a_fault_of_ours(site: Bridge, mac: Person, body: bytes) -> None:
    mac.enter(site.user())
    client = site.http.application.test_client(use_cookies=False)
    cookies = "; ".join(f"{name}={value}" for name, value in mac.cookies.items())
    for path in ("/account", "/account/erase"):
        for content_type in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""):
            for sent in (cookies, ""):
                headers = {"Cookie": sent, "Content-Type": content_type}
                answer = client.post(path, data=body, headers=headers)
                assert answer.status_code in (303, 400, 413), answer.text
    assert endings(site) == []


@pytest.mark.parametrize("query", ["%ff", "notice=%00", "a=1&" * 100, "notice", "=", "%F0%9F%98%80" * 300])
def test_no_query_is_a_fault_of_ours(site: Bridge, mac: Person, query: str) -> None:
    mac.enter(site.user())
    for path in ("/account", "/account/erase"):
        assert mac.get(f"{path}?{query}").status_code in (200, 303, 400, 413)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/account", "/account/erase"])
def test_other_methods_are_refused(bridge: Bridge, path: str, method: str) -> None:
    assert bridge.http.open(path, method=method).status_code == 405


@pytest.mark.parametrize("user_agent", [SCRIPT, '"><img src=x onerror=alert(1)>', "ü" * 400, "x" * 4000, "", "\t"])
def test_what_a_browser_calls_itself_is_kept_short_and_never_shown(site: Bridge, user_agent: str) -> None:
    browser, user = person(site, user_agent), site.user()
    page = browser.enter(user)
    assert page.status_code == 200
    [(kept,)] = site.rows("SELECT user_agent FROM sessions")
    assert kept is None or (kept.isascii() and kept.isprintable() and len(kept) <= 256)
    other = person(site).enter(user)
    for text in (page.text, other.text):
        assert "<script" not in text
        assert "<img" not in text
        assert "A browser that is not known" in text


def test_strangers_words_are_escaped(site: Bridge, mac: Person) -> None:
    nasty = {
        "name": f"{SCRIPT}\u202e",
        "client_uri": "javascript:alert(1)",
        "logo_uri": "https://x.example/';script-src *",
    }
    site.add_client("nasty", **{**APP, **nasty, "scopes": ("openid", f"{SCRIPT}x")})
    user = site.user(wallets=[NewWallet(address=SCRIPT, chain="solana")])
    mac.open_app(user, "nasty", scope=f"openid {SCRIPT}x")
    page = mac.enter(user)
    assert "<script" not in page.text
    assert "javascript:" not in page.text
    assert "\u202e" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]


def test_no_session_counts_whose_cookie_was_made_up(site: Bridge, mac: Person) -> None:
    mac.enter(site.user())
    name = next(name for name in mac.cookies if "session" in name)
    for value in ("x" * 43, "x", "", f"{mac.cookie}x", mac.session_id):
        stranger = Person(site, {**mac.cookies, name: value})
        assert stranger.get("/account").status_code == 303
        assert stranger.get("/account/erase").status_code == 303
