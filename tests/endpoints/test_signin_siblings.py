"""Siblings of attacks on the sign-in: the same holes in another session, tab, door or moment."""

from typing import Any

import pytest
from browsing import CALLBACK, SIGNIN_ORIGIN, WEB, Browser, form_of, ids_of, parameters
from conftest import Bridge, decoded
from werkzeug.test import create_environ, run_wsgi_app

from bridge.history import OPERATOR
from bridge.lifecycle.endings import revoke_user, sign_out
from bridge.lifecycle.signin import SessionPolicy, open_or_renew
from bridge.model import TOKEN_EXCHANGE
from bridge.store import clients, sessions
from bridge.store.sessions import SignIn
from bridge.store.sweep import sweep

OTHER = "https://other.example.com"


def location(answer: Any) -> dict[str, str]:
    return parameters(answer.headers.get("Location", ""))


@pytest.fixture
def two_apps(bridge: Bridge) -> Bridge:
    """`app` asks for consent, `b` does not; both trust the same page."""
    bridge.add_client(**WEB, consent="ask")
    bridge.add_client("b", **WEB, consent="skip")
    return bridge


def test_a_fresh_sign_in_does_not_count_for_an_older_session_of_the_same_user(two_apps: Bridge) -> None:
    browser, user = Browser(two_apps), two_apps.user()
    old = two_apps.assertion(user)
    browser.hand_back(browser.authorize("b"), old)
    two_apps.clock.forward(1000)
    to_page = browser.authorize(prompt="login", max_age=60, scope="openid")
    fields = form_of(browser.hand_back(to_page, two_apps.assertion(user))).fields
    browser.hand_back(browser.authorize("b", prompt="select_account"), old)
    answer = browser.follow(browser.post("/consent", {**fields, "decision": "allow"}))
    assert location(answer)["prompt"] == "login"


def test_a_fresh_sign_in_does_not_outlive_a_sign_out_on_the_consent_page(two_apps: Bridge) -> None:
    browser, user = Browser(two_apps), two_apps.user()
    old = two_apps.assertion(user)
    browser.hand_back(browser.authorize("b"), old)
    two_apps.clock.forward(1000)
    page = browser.hand_back(browser.authorize(prompt="login", scope="openid"), two_apps.assertion(user))
    request = form_of(page).fields["request"]
    assert "logged-out-title" in ids_of(browser.post("/logout", form_of(browser.get("/logout")).fields))
    browser.hand_back(browser.authorize("b"), old)
    assert "consent-allow" not in ids_of(browser.follow(browser.get(f"/consent?request={request}")))


def test_signing_out_reaches_every_session_at_dynamic_that_it_rested_on(bridge: Bridge) -> None:
    bridge.add_client(**WEB)
    bridge.add_client("b", **{**WEB, "signin_url": f"{OTHER}/in"}, assertion_origins=(OTHER,))
    emulator, user, browser = bridge.dynamic.emulator, bridge.user(), Browser(bridge)
    at_a, at_b = (emulator.sign_in(user.id, origin=origin) for origin in (SIGNIN_ORIGIN, OTHER))
    browser.hand_back(browser.authorize(), emulator.mint(at_a))
    told = location(browser.hand_back(browser.authorize("b"), emulator.mint(at_b), OTHER))
    hint = browser.redeem(told["code"], "b").json["id_token"]
    assert "logged-out-title" in ids_of(browser.get(f"/logout?id_token_hint={hint}"))
    bridge.clock.forward(300)
    assert location(browser.hand_back(browser.authorize(), emulator.mint(at_a)))["prompt"] == "login"


def test_a_sign_out_is_remembered_as_long_as_its_session_could_be_renewed(bridge: Bridge) -> None:
    bridge.add_client(**WEB)
    emulator, browser = bridge.dynamic.emulator, Browser(bridge)
    session = emulator.sign_in(bridge.user().id, origin=SIGNIN_ORIGIN)
    told = location(browser.hand_back(browser.authorize(), emulator.mint(session, without=("refreshExp",))))
    hint = browser.redeem(told["code"]).json["id_token"]
    browser.get(f"/logout?id_token_hint={hint}")
    bridge.clock.forward(3 * 3600)
    sweep(bridge.database, bridge.clock(), audit_retention=10**7)
    silent = emulator.mint(emulator.refresh(session.sid), without=("refreshExp",))
    assert "code" not in location(browser.hand_back(browser.authorize(), silent))


def test_a_proof_from_before_a_sign_out_everywhere_does_not_enter_a_newer_session(bridge: Bridge) -> None:
    bridge.add_client(**WEB)
    user, browser = bridge.user(), Browser(bridge)
    request = location(browser.authorize(prompt="login"))["request"]
    form = {"request": request, "token": bridge.assertion(user)}
    posted = browser.post("/signin/complete", form, origin=SIGNIN_ORIGIN)
    bridge.clock.forward(5)
    with bridge.database.writing() as tx:
        revoke_user(tx, user.id, actor=OPERATOR, now=bridge.clock())
    bridge.clock.forward(5)
    browser.sign_in(user)
    kept = bridge.rows("SELECT session_key, auth_time FROM sessions WHERE closed_at IS NULL")
    assert "code" not in location(browser.follow(posted))
    assert bridge.rows("SELECT session_key, auth_time FROM sessions WHERE closed_at IS NULL") == kept


def test_after_a_proof_that_counts_for_nothing_one_sign_in_is_enough(bridge: Bridge) -> None:
    bridge.add_client(**WEB)
    emulator, browser, user = bridge.dynamic.emulator, Browser(bridge), bridge.user()
    token = emulator.mint(emulator.sign_in(user.id, origin=SIGNIN_ORIGIN))
    told = location(browser.hand_back(browser.authorize(), token))
    hint = browser.redeem(told["code"]).json["id_token"]
    request = location(browser.authorize(prompt="select_account"))["request"]
    posted = browser.post("/signin/complete", {"request": request, "token": token}, origin=SIGNIN_ORIGIN)
    browser.get(f"/logout?id_token_hint={hint}")
    again = browser.follow(posted)
    bridge.clock.forward(20)
    assert "code" in location(browser.hand_back(again, bridge.assertion(user)))


def test_a_session_that_is_closed_in_this_very_moment_is_not_opened_again(bridge: Bridge) -> None:
    bridge.add_client(**WEB)
    browser = Browser(bridge)
    browser.sign_in(bridge.user())
    now = bridge.clock()
    with bridge.database.writing() as tx:
        held = sessions.find(tx, browser.cookies["bridge-session-root"], now)
        client = clients.find(tx, "app")
        assert held is not None
        assert client is not None
        session = held[0]
        sign_out(tx, session, actor=OPERATOR, now=now)  # as another transaction would, after we looked
        who = SignIn(
            session.sub, session.environment_id, "another", session.origin, session.auth_time, (), now + 1000, now
        )
        assert open_or_renew(tx, who, held, SessionPolicy(1000, 1000), client=client, user_agent=None, now=now) is None


def test_a_consent_counts_for_what_was_shown(bridge: Bridge) -> None:
    bridge.add_client(**{**WEB, "scopes": ("openid",)}, consent="ask")
    browser = Browser(bridge)
    page = browser.hand_back(browser.authorize(scope="openid email wallets"), bridge.assertion())
    back = browser.post("/consent", {**form_of(page).fields, "decision": "allow"})
    bridge.change_client(scopes=("openid", "email", "wallets"))
    answer = browser.follow(back)
    assert "consent-allow" in ids_of(answer)
    assert "wallets" in answer.text


def test_consent_is_asked_of_the_user_whom_the_hint_names(two_apps: Bridge) -> None:
    first = Browser(two_apps)
    page = first.hand_back(first.authorize(scope="openid"), two_apps.assertion())
    answer = first.follow(first.post("/consent", {**form_of(page).fields, "decision": "allow"}))
    hint = first.redeem(location(answer)["code"]).json["id_token"]
    second = Browser(two_apps)
    another = two_apps.user(email="a@example.com", wallets=[])
    second.hand_back(second.authorize("b"), two_apps.assertion(another))
    request = location(second.authorize(id_token_hint=hint, scope="openid email"))["request"]
    assert "consent-allow" not in ids_of(second.get(f"/consent?request={request}"))


def test_an_assertion_that_is_taken_once_is_taken_once_at_every_door(bridge: Bridge) -> None:
    bridge.add_client(**{**WEB, "grants": (*WEB["grants"], TOKEN_EXCHANGE)}, assertion_once=True)
    token = bridge.assertion(bridge.user())
    assert bridge.exchange(token).status_code == 200
    browser = Browser(bridge)
    answer = browser.hand_back(browser.authorize(), token)
    assert answer.status_code == 400
    assert "assertion_replayed" in answer.text


def test_without_the_end_of_its_window_no_token_is_fresh(bridge: Bridge) -> None:
    bridge.add_client(**WEB)
    emulator = bridge.dynamic.emulator
    emulator.switch(sid_changes_on_refresh=False)
    session = emulator.sign_in(bridge.user().id, origin=SIGNIN_ORIGIN)
    bridge.clock.forward(3 * 3600)
    browser = Browser(bridge)
    silent = emulator.mint(emulator.refresh(session.sid), without=("refreshExp",))
    assert location(browser.hand_back(browser.authorize(prompt="login"), silent))["prompt"] == "login"


def test_a_long_request_is_not_remembered_by_get_either(bridge: Bridge) -> None:
    bridge.add_client(**WEB)
    answer = Browser(bridge).authorize(x="y" * 20000)
    assert location(answer)["error"] == "invalid_request"
    assert bridge.rows("SELECT count(*) FROM requests") == [(0,)]


def test_a_disabled_client_sends_nobody_anywhere(bridge: Bridge) -> None:
    bridge.add_client(**WEB, post_logout_redirect_uris=(CALLBACK,))
    bridge.change_client(disabled=True)
    for answer in (
        bridge.http.get(f"/logout?client_id=app&post_logout_redirect_uri={CALLBACK}"),
        Browser(bridge).authorize(),
    ):
        assert answer.status_code == 400
        assert "error-code" in ids_of(answer)


def test_no_redirect_is_made_of_the_host_header(bridge: Bridge) -> None:
    environ = create_environ("/", base_url="http://evil.example/")
    environ["PATH_INFO"] = ""
    _, status, headers = run_wsgi_app(bridge.http.application, environ)
    assert status.startswith("404")
    assert "Location" not in headers


def test_a_key_of_a_newer_version_is_passed_over(bridge: Bridge) -> None:
    bridge.add_client()
    with bridge.database.writing() as tx:
        tx.exec_driver_sql(
            "INSERT INTO signing_keys (kid, alg, state, private_key, created_at)"
            " SELECT 'new', 'ES384', 'pending', private_key, created_at FROM signing_keys WHERE alg = 'ES256'"
        )
    bridge.clock.forward(31)
    assert bridge.http.get("/jwks").status_code == 200
    assert decoded(bridge, bridge.exchange(bridge.assertion()).json["id_token"])
