"""Attacks on the way through the browser: each of these went through once, or would without its guard."""

from dataclasses import replace
from typing import Any

import pytest
from browsing import CALLBACK, SIGNIN_ORIGIN, WEB, Browser, answered, form_of, ids_of, parameters
from conftest import Bridge

from bridge.history import OPERATOR
from bridge.lifecycle.endings import disable_user, enable_user, revoke_user
from bridge.model import JWT_BEARER, TOKEN_EXCHANGE
from bridge.store import clients

EVIL = "https://evil.example.com"
CHALLENGE = {"code_challenge": "A" * 43, "code_challenge_method": "S256"}
NATIVE = {**WEB, "redirect_uris": ("http://127.0.0.1/cb",), "public": True}


@pytest.fixture
def site(bridge: Bridge) -> Bridge:
    bridge.add_client(**WEB)
    return bridge


@pytest.fixture
def browser(site: Bridge) -> Browser:
    return Browser(site)


def allow(browser: Browser, page: Any) -> Any:
    return browser.follow(browser.post("/consent", {**form_of(page).fields, "decision": "allow"}))


# Consent


def test_claims_by_name_need_consent_like_their_scope(bridge: Bridge) -> None:
    bridge.add_client(**WEB, consent="ask")
    browser, claims = Browser(bridge), '{"userinfo": {"email": null}}'
    page = browser.hand_back(browser.authorize(scope="openid"), bridge.assertion())
    assert "code" in parameters(allow(browser, page).headers["Location"])
    assert answered(browser, scope="openid", prompt="none", claims=claims)["error"] == "consent_required"
    page = browser.follow(browser.authorize(scope="openid", claims=claims))
    assert "e-mail" in page.text
    allow(browser, page)
    assert "code" in answered(browser, scope="openid", prompt="none", claims=claims)


def test_what_waits_at_a_loopback_address_is_allowed_each_time_anew(bridge: Bridge) -> None:
    bridge.add_client(**NATIVE)
    browser = Browser(bridge)
    for port in (49152, 49152, 50000):
        uri = f"http://127.0.0.1:{port}/cb"
        silent = answered(browser, redirect_uri=uri, prompt="none", **CHALLENGE)
        assert silent["error"] in ("login_required", "consent_required")
        answer = browser.authorize(redirect_uri=uri, **CHALLENGE)
        if "request=" in answer.headers["Location"] and "/consent" not in answer.headers["Location"]:
            answer = browser.hand_back(answer, bridge.assertion())
        assert "code" in parameters(allow(browser, browser.follow(answer)).headers["Location"])


def test_consent_needs_a_session_that_the_client_trusts(bridge: Bridge) -> None:
    bridge.add_client(**WEB, consent="ask")
    evil = {**WEB, "signin_url": f"{EVIL}/in", "redirect_uris": (f"{EVIL}/cb",), "assertion_origins": (EVIL,)}
    bridge.add_client("evil", **evil)
    browser = Browser(bridge)
    as_victim = bridge.assertion(bridge.user(), origin=EVIL)
    browser.hand_back(browser.authorize("evil", redirect_uri=f"{EVIL}/cb"), as_victim, EVIL)
    request = parameters(browser.authorize(scope="openid email").headers["Location"])["request"]
    page = browser.get(f"/consent?request={request}")
    assert page.status_code == 303
    assert "demo@example.com" not in page.text
    browser.post("/consent", {"request": request, "decision": "allow", "seal": "x"})
    assert bridge.rows("SELECT count(*) FROM consents") == [(0,)]


def test_one_users_consent_is_not_anothers(bridge: Bridge) -> None:
    bridge.add_client(**WEB, consent="ask")
    bridge.add_client("b", **WEB, consent="skip")
    victim, other = bridge.user(), bridge.user(email="a@example.com", wallets=[])
    browser = Browser(bridge)
    page = browser.hand_back(browser.authorize(scope="openid"), bridge.assertion(other))
    fields = form_of(page).fields
    browser.post("/consent", {**fields, "decision": "allow"})
    browser.hand_back(browser.authorize("b", prompt="select_account"), bridge.assertion(victim))
    again = browser.follow(browser.get(f"/consent?request={fields['request']}"))
    assert "consent-allow" in ids_of(again)


@pytest.mark.parametrize("grant_type", [TOKEN_EXCHANGE, JWT_BEARER])
def test_there_is_no_way_round_the_page(bridge: Bridge, grant_type: str) -> None:
    bridge.add_client(**{**WEB, "grants": (*WEB["grants"], TOKEN_EXCHANGE, JWT_BEARER)}, consent="ask")
    user = bridge.user()
    kind = "urn:ietf:params:oauth:token-type:jwt"

    def taken() -> Any:
        form = {"subject_token_type": kind, "scope": "openid email"}
        sent = bridge.assertion(user)
        return bridge.token({"grant_type": grant_type, "subject_token": sent, "assertion": sent, **form})

    refused = taken()
    assert (refused.status_code, refused.json["error"]) == (400, "consent_required")
    browser = Browser(bridge)
    allow(browser, browser.hand_back(browser.authorize(scope="openid email"), bridge.assertion(user)))
    bridge.clock.forward(1)
    assert taken().status_code == 200


# A proof, and what happens before it is used


@pytest.mark.parametrize("how", ["revoke", "disable and enable"])
def test_a_proof_does_not_outlive_a_sign_out_everywhere(site: Bridge, browser: Browser, how: str) -> None:
    user = site.user()
    request = parameters(browser.authorize().headers["Location"])["request"]
    form = {"request": request, "token": site.assertion(user)}
    posted = browser.post("/signin/complete", form, origin=SIGNIN_ORIGIN)
    site.clock.forward(5)
    with site.database.writing() as tx:
        if how == "revoke":
            revoke_user(tx, user.id, actor=OPERATOR, now=site.clock())
        else:
            disable_user(tx, user.id, actor=OPERATOR, now=site.clock())
            enable_user(tx, user.id, actor=OPERATOR, now=site.clock())
    site.clock.forward(5)
    assert "code" not in parameters(browser.follow(posted).headers["Location"])


def test_a_proof_does_not_outlive_a_sign_out_in_another_tab(site: Bridge, browser: Browser) -> None:
    emulator = site.dynamic.emulator
    token = emulator.mint(emulator.sign_in(site.user().id, origin=SIGNIN_ORIGIN))
    told = parameters(browser.hand_back(browser.authorize(), token).headers["Location"])
    hint = browser.redeem(told["code"]).json["id_token"]
    request = parameters(browser.authorize(prompt="select_account").headers["Location"])["request"]
    posted = browser.post("/signin/complete", {"request": request, "token": token}, origin=SIGNIN_ORIGIN)
    assert "proof" in posted.headers["Location"]
    assert "logged-out-title" in ids_of(browser.get(f"/logout?id_token_hint={hint}"))
    site.clock.forward(300)
    assert "code" not in parameters(browser.follow(posted).headers["Location"])


def test_a_browser_without_cookies_is_told_so_instead_of_going_round(site: Bridge, browser: Browser) -> None:
    request = parameters(browser.authorize().headers["Location"])["request"]
    form = {"request": request, "token": site.assertion(site.user())}
    posted = browser.post("/signin/complete", form, origin=SIGNIN_ORIGIN)
    browser.cookies.clear()
    answer = browser.follow(posted)
    assert answer.status_code == 400
    assert "cookies_off" in answer.text


# Freshness


def test_somebody_elses_fresh_sign_in_does_not_count(bridge: Bridge) -> None:
    bridge.add_client(**WEB, consent="ask")
    bridge.add_client("b", **WEB, consent="skip")
    victim, other = bridge.user(), bridge.user(email="a@example.com", wallets=[])
    browser, old = Browser(bridge), bridge.assertion(victim)
    browser.hand_back(browser.authorize("b"), old)
    bridge.clock.forward(1000)
    page = browser.hand_back(browser.authorize(prompt="login", scope="openid"), bridge.assertion(other))
    fields = form_of(page).fields
    browser.hand_back(browser.authorize("b", prompt="select_account"), old)
    answer = browser.follow(browser.get(f"/consent?request={fields['request']}"))
    assert parameters(answer.headers["Location"])["prompt"] == "login"
    answer = browser.follow(browser.post("/consent", {**fields, "decision": "allow"}))
    assert "code" not in parameters(answer.headers["Location"])


@pytest.mark.parametrize("shape", ["large", "small"])
def test_a_silent_refresh_of_a_session_never_seen_here_is_not_fresh(site: Bridge, browser: Browser, shape: Any) -> None:
    emulator, user = site.dynamic.emulator, site.user()
    emulator.switch(sid_changes_on_refresh=False)
    session = emulator.sign_in(user.id, origin=SIGNIN_ORIGIN)
    site.clock.forward(3 * 3600)
    to_page = browser.authorize(prompt="login", max_age=60)
    answer = browser.hand_back(to_page, emulator.mint(emulator.refresh(session.sid), shape=shape))
    assert parameters(answer.headers["Location"])["prompt"] == "login"


# What was taken from a client, or from a session


def test_claims_by_name_go_with_the_clients_right_to_them(site: Bridge, browser: Browser) -> None:
    asked = '{"userinfo": {"email": null}, "id_token": {"email": null}}'
    tokens = browser.tokens(site.user(), scope="openid offline_access", claims=asked)
    assert "email" in site.userinfo(tokens["access_token"]).json
    with site.database.writing() as tx:
        found = clients.find(tx, "app")
        assert found is not None
        clients.change(tx, replace(found, scopes=("openid", "offline_access")), site.clock())
    site.forget_cache()
    again = site.refresh(tokens["refresh_token"]).json
    assert "email" not in site.userinfo(again["access_token"]).json


def test_an_id_token_of_an_earlier_session_only_asks(site: Bridge, browser: Browser) -> None:
    user = site.user()
    earlier = browser.tokens(user)["id_token"]
    browser.get(f"/logout?id_token_hint={earlier}")
    site.clock.forward(60)
    browser.sign_in(user)
    assert "logout-confirm" in ids_of(browser.get(f"/logout?id_token_hint={earlier}"))
    assert "code" in answered(browser, prompt="none")


# Odd input


@pytest.mark.both_databases
@pytest.mark.parametrize("path", ["/authorize", "/logout", "/signin/complete", "/consent"])
@pytest.mark.parametrize(
    "body",
    [
        "client_id=app&%0a=1",
        "client_id=app&\n=1",
        "client_id=app&%00=1&x=" + "y" * 5000,
        "%ff=1",
        "=",
        "&&",
        "a" * 70000,
    ],
)
def test_odd_bodies_are_refused(site: Bridge, path: str, body: str) -> None:
    answer = site.http.post(path, data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code in (303, 400, 413)


@pytest.mark.parametrize("mode", ["query", "form_post"])
@pytest.mark.parametrize("port", ["99999", "\u0661", "", "-1", "080", "65536", "1e3"])
def test_odd_ports_of_loopback_addresses_never_break_anything(bridge: Bridge, port: str, mode: str) -> None:
    bridge.add_client(**NATIVE)
    answer = Browser(bridge).authorize(redirect_uri=f"http://127.0.0.1:{port}/cb", response_mode=mode, prompt="none")
    assert answer.status_code in (200, 303, 400)
    if port != "080":
        assert answer.status_code == 400


@pytest.mark.parametrize("cookie", ['"\\303\\244"', "ä", "x" * 43 + '"', "\x01", "", "x" * 4000])
@pytest.mark.parametrize("path", ["/authorize?client_id=app&response_type=code&scope=openid&redirect_uri=", "/logout?"])
def test_odd_cookies_count_as_none(site: Bridge, path: str, cookie: str) -> None:
    sent = f"bridge-browser-root={cookie}; bridge-session-root={cookie}".encode().decode("latin-1")
    client = site.http.application.test_client(use_cookies=False)
    answer = client.get(f"{path}{CALLBACK if 'redirect' in path else ''}", headers={"Cookie": sent})
    assert answer.status_code in (200, 303)


def test_a_request_that_is_too_long_is_not_remembered(site: Bridge, browser: Browser) -> None:
    form = {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "x": "y" * 20000}
    assert browser.post("/authorize", form, origin=EVIL).status_code == 413
    assert browser.post("/authorize", {**form, "redirect_uri": EVIL, "x": "y" * 5000}, origin=EVIL).status_code == 400
    assert site.rows("SELECT count(*) FROM requests") == [(0,)]
