"""The users' own page: who gets to see it, what it shows, and what its forms do."""

import json
from typing import Any

import pytest
from accounts import APP, IPHONE, OPERATORS_ORIGIN, OPERATORS_PAGE, Person, at_the_operators, forms_of, forms_to, person
from browsing import CALLBACK, WEB, Browser, answered, ids_of, links_of, parameters
from conftest import ADDRESS, Bridge, refusal
from sqlalchemy import text
from werkzeug.test import TestResponse

from bridge.history import OPERATOR, Cause
from bridge.lifecycle.closing import Ending
from bridge.lifecycle.endings import end_dynamic_session, revoke_user
from bridge.model import AUTHORIZATION_CODE
from bridge.store import devices, users


@pytest.fixture
def site(make_bridge: Any) -> Bridge:
    return at_the_operators(make_bridge)


@pytest.fixture
def mac(site: Bridge) -> Person:
    return person(site)


@pytest.fixture
def phone(site: Bridge) -> Person:
    return person(site, IPHONE)


def shows_account(answer: TestResponse) -> bool:
    return answer.status_code == 200 and "account-title" in ids_of(answer)


# Who gets to see it


def test_who_is_not_signed_in_signs_in_first_and_comes_back_to_a_clean_url(site: Bridge, mac: Person) -> None:
    to_page = mac.follow(mac.get("/account"))
    assert to_page.headers["Location"].startswith(f"{OPERATORS_PAGE}?")
    token = site.assertion(origin=OPERATORS_ORIGIN)
    answer = mac.post(
        "/signin/complete",
        {"request": parameters(to_page.headers["Location"])["request"], "token": token},
        origin=OPERATORS_ORIGIN,
    )
    back = mac.get(answer.headers["Location"].removeprefix(site.config.issuer))
    assert back.headers["Location"] == f"{site.config.issuer}/account"
    page = mac.get("/account")
    assert shows_account(page)
    assert page.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "script-src" not in page.headers["Content-Security-Policy"]


def test_coming_to_the_page_leaves_no_code_no_grant_and_no_consent(site: Bridge, mac: Person) -> None:
    assert shows_account(mac.enter(site.user()))
    for table in ("codes", "grants", "consents"):
        assert site.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_session_that_an_app_brought_about_on_the_operators_page_opens_it_at_once(site: Bridge, mac: Person) -> None:
    mac.open_app(site.user())
    assert shows_account(mac.follow(mac.get("/account")))


def test_a_session_that_was_proven_on_a_clients_own_page_does_not(site: Bridge, mac: Person) -> None:
    site.add_client("evil", **WEB)
    Browser.sign_in(mac, site.user(), "evil")
    assert mac.follow(mac.get("/account")).headers["Location"].startswith(OPERATORS_PAGE)
    assert mac.follow(mac.get("/account/erase")).headers["Location"].startswith(OPERATORS_PAGE)
    answer = mac.follow(mac.post("/account", mac.sealed("everywhere")))
    assert answer.headers["Location"].startswith(OPERATORS_PAGE)
    assert "code" in answered(mac, "evil", prompt="none"), "nothing was done"


def test_without_a_sign_in_page_it_says_what_is_missing(bridge: Bridge) -> None:
    answer = Browser(bridge).follow(Browser(bridge).get("/account"))
    assert answer.status_code == 503
    assert "signin-missing-title" in ids_of(answer)
    assert "bridge-account" not in answer.text, "it cannot be given a page of its own"


def test_who_does_not_want_to_sign_in_is_told_and_may_try_again(site: Bridge, mac: Person) -> None:
    to_page = mac.follow(mac.get("/account"))
    request = parameters(to_page.headers["Location"])["request"]
    form = {"request": request, "error": "access_denied"}
    answer = mac.follow(mac.post("/signin/complete", form, origin=OPERATORS_ORIGIN))
    assert answer.status_code == 400
    assert f"{site.config.issuer}/account" in links_of(answer)


def test_a_disabled_user_is_told_so(site: Bridge, mac: Person) -> None:
    user = site.user()
    mac.enter(user)
    with site.database.writing() as tx:
        tx.execute(text("UPDATE users SET disabled_at = 1"))
    answer = mac.follow(mac.get("/account"))
    assert answer.status_code == 400
    assert "error-code" in ids_of(answer)


def test_a_session_whose_session_at_dynamic_has_ended_opens_nothing(site: Bridge, mac: Person) -> None:
    user = site.user()
    mac.enter(user)
    [(environment, key)] = site.rows("SELECT environment_id, session_key FROM sessions")
    with site.database.writing() as tx:
        ending = Ending(Cause.DYNAMIC_SESSION_ENDED, OPERATOR, site.clock())
        end_dynamic_session(tx, environment, key, user_id=user.id, ended_at=site.clock() + 1, ending=ending)
    assert mac.follow(mac.get("/account")).headers["Location"].startswith(OPERATORS_PAGE)


@pytest.mark.parametrize(
    "ended", ["UPDATE upstream_sessions SET ended_at = 1", "UPDATE users SET revoked_at = 9999999999"]
)
def test_what_is_over_but_not_yet_closed_opens_nothing_and_is_not_shown(
    site: Bridge, mac: Person, phone: Person, ended: str
) -> None:
    phone.open_app(user := site.user())
    mac.enter(user)
    with site.database.writing() as tx:
        tx.execute(text(ended))
        known = users.by_sub(tx, user.id)
        assert known is not None
        assert devices.open_devices(tx, known, site.clock(), limit=9) == []
    assert mac.follow(mac.get("/account")).headers["Location"].startswith(OPERATORS_PAGE)


def test_a_user_of_an_environment_that_is_not_served_any_more_is_told_so(make_bridge: Any) -> None:
    before: Bridge = make_bridge(BRIDGE_SIGNIN_URL=OPERATORS_PAGE)
    mac = person(before)
    mac.enter(before.user())
    after = make_bridge(
        BRIDGE_SIGNIN_URL=OPERATORS_PAGE,
        BRIDGE_SECRET_KEYS=",".join(before.config.secret_keys),
        DYNAMIC_ENVIRONMENT_ID="7d2c6f0e-52a8-4f0f-9d0e-0a4a6f2f9c11",
    )
    assert Person(after, mac.cookies).get("/account").status_code == 400


def test_the_pages_client_can_get_nothing_anywhere_else(site: Bridge, mac: Person) -> None:
    mac.enter(site.user())
    for form in (
        {"grant_type": AUTHORIZATION_CODE, "code": "x", "redirect_uri": f"{site.config.issuer}/account"},
        {"grant_type": "client_credentials"},
        {"grant_type": "client_credentials", "client_secret": ""},
    ):
        assert refusal(site.token(form, "bridge-account"))[1] == "invalid_client"
    hostile = {"redirect_uri": CALLBACK}, {"redirect_uri": f"{site.config.issuer}/account/"}
    for asked in hostile:
        assert mac.authorize("bridge-account", **asked).status_code == 400
    here = {"redirect_uri": f"{site.config.issuer}/account"}
    for asked in ({"response_mode": "form_post"}, {"prompt": "consent"}, {"scope": "openid offline_access"}, {}):
        answer = mac.authorize("bridge-account", **here, **asked)
        assert answer.headers["Location"] == f"{site.config.issuer}/account"
    assert mac.authorize("bridge-account", **here, prompt="junk").status_code == 400
    assert site.rows("SELECT count(*) FROM grants") == [(0,)]


# What it shows


@pytest.mark.both_databases
def test_it_shows_devices_apps_methods_and_what_happened(site: Bridge, mac: Person, phone: Person) -> None:
    user = site.user()
    phone.open_app(user, scope="openid email offline_access")
    site.clock.forward(3600)
    page = mac.enter(user)
    for words in (
        "Chrome on macOS",
        "Safari on iPhone",
        "this browser",
        "1 hour ago",
        "login.example.com",
        "Northwind",
        "See your verified e-mail address",
        "Keep this access while you are away",
        "demo@example.com",
        ADDRESS,
        "You were signed in to ",
        user.id,
    ):
        assert words in page.text, words
    assert "See your verified wallets" not in page.text


@pytest.mark.both_databases
def test_an_app_is_shown_with_the_claims_that_it_asked_for_by_name(site: Bridge, mac: Person) -> None:
    user = site.user()
    mac.open_app(user, scope="openid", claims=json.dumps({"userinfo": {"email": None}}))
    assert "See your verified e-mail address" in mac.enter(user).text


def test_an_app_that_may_act_and_was_removed_can_be_disconnected_all_the_same(site: Bridge, mac: Person) -> None:
    mac.open_app(user := site.user())
    with site.database.writing() as tx:
        tx.execute(text("DELETE FROM clients"))
    site.forget_cache()
    [form] = forms_to(mac.enter(user), "disconnect")
    assert form["target"] == "app"
    assert "account-no-apps" in ids_of(mac.do(form))


@pytest.mark.both_databases
def test_what_is_over_is_not_shown(site: Bridge, mac: Person, phone: Person) -> None:
    user = site.user()
    phone.open_app(user)
    site.clock.forward(1)
    with site.database.writing() as tx:
        revoke_user(tx, user.id, actor=OPERATOR, now=site.clock())
    site.clock.forward(1)
    page = mac.enter(user)
    assert "Safari on iPhone" not in page.text
    assert "account-no-apps" in ids_of(page)


def test_nobody_sees_what_is_anothers(site: Bridge, mac: Person, phone: Person) -> None:
    other = site.user(email="other@example.com", wallets=[])
    phone.open_app(other)
    page = mac.enter(site.user())
    assert "Safari on iPhone" not in page.text
    assert "other@example.com" not in page.text
    assert "account-no-apps" in ids_of(page)
    assert "other@example.com" not in mac.do(next(forms_to(page, "export"))).text


# What its forms do


@pytest.mark.both_databases
def test_a_session_on_another_device_ends_with_all_that_came_of_it_and_its_apps_are_told(site: Bridge) -> None:
    site.add_client("told", **APP, backchannel_logout_uri="https://app.example.com/logout")
    mac, phone, user = person(site), person(site, IPHONE), site.user()
    kept = phone.open_app(user, "told", scope="openid offline_access")
    page = mac.enter(user)
    [form] = forms_to(page, "end")
    page = mac.do(form)
    assert "account-notice" in ids_of(page)
    assert "Safari on iPhone" not in page.text
    assert answered(phone, "told", prompt="none")["error"] == "login_required"
    assert site.refresh(kept["refresh_token"], "told").json["error"] == "invalid_grant"
    assert site.rows("SELECT closed_cause FROM grants") == [("ended_by_user",)]
    assert site.rows("SELECT receiver FROM outbox WHERE kind = 'backchannel_logout'") == [("told",)]
    assert "code" in answered(mac, prompt="none"), "this browser's own session goes on"


def test_the_session_that_was_ended_is_not_opened_again_silently(site: Bridge, mac: Person, phone: Person) -> None:
    user = site.user()
    at_dynamic = site.dynamic.emulator.sign_in(user.id, origin=OPERATORS_ORIGIN)
    phone.hand_back(phone.authorize(), site.dynamic.emulator.mint(at_dynamic), OPERATORS_ORIGIN)
    mac.do(next(forms_to(mac.enter(user), "end")))
    site.clock.forward(60)
    again = phone.hand_back(phone.authorize(), site.dynamic.emulator.mint(at_dynamic), OPERATORS_ORIGIN)
    assert parameters(again.headers["Location"])["prompt"] == "login"


def test_ending_this_very_session_signs_out(site: Bridge, mac: Person) -> None:
    mac.enter(site.user())
    answer = mac.do(mac.sealed("end", mac.session_id))
    assert "logged-out-title" in ids_of(answer)
    assert not any("session" in name for name in mac.cookies)
    assert site.rows("SELECT closed_cause FROM sessions") == [("signed_out",)]


def test_the_page_signs_out_by_the_form_of_the_logout_endpoint(site: Bridge, mac: Person) -> None:
    [form] = [form for form in forms_of(mac.enter(site.user())) if form["action"].endswith("/logout")]
    assert "logged-out-title" in ids_of(mac.post("/logout", form))
    assert mac.follow(mac.get("/account")).headers["Location"].startswith(OPERATORS_PAGE)


@pytest.mark.both_databases
def test_a_disconnected_app_loses_its_access_and_has_to_ask_again(site: Bridge) -> None:
    site.add_client("asks", **APP, consent="ask")
    mac, user = person(site), site.user()
    kept = mac.open_app(user, "asks", scope="openid offline_access")
    other = mac.open_app(user, scope="openid offline_access")
    forms = {form["target"]: form for form in forms_to(mac.enter(user), "disconnect")}
    page = mac.do(forms["asks"])
    assert "account-notice" in ids_of(page)
    assert [form["target"] for form in forms_to(page, "disconnect")] == ["app"]
    assert site.refresh(kept["refresh_token"], "asks").json["error"] == "invalid_grant"
    assert site.refresh(other["refresh_token"]).status_code == 200
    assert answered(mac, "asks", prompt="none")["error"] == "consent_required"


def test_a_consent_without_a_grant_can_be_taken_back(site: Bridge) -> None:
    site.add_client("asks", **APP, consent="ask")
    mac, user = person(site), site.user()
    token = mac.open_app(user, "asks", scope="openid offline_access")["refresh_token"]
    site.call("/revoke", token, "asks")
    [form] = forms_to(mac.enter(user), "disconnect")
    assert "account-no-apps" in ids_of(mac.do(form))
    assert site.rows("SELECT count(*) FROM consents") == [(0,)]


@pytest.mark.both_databases
def test_signing_out_everywhere_ends_every_session_and_leaves_consents(site: Bridge) -> None:
    site.add_client("asks", **APP, consent="ask")
    mac, phone, user = person(site), person(site, IPHONE), site.user()
    kept = phone.open_app(user, "asks", scope="openid offline_access")
    [form] = forms_to(mac.enter(user), "everywhere")
    assert "logged-out-title" in ids_of(mac.do(form))
    for browser in (mac, phone):
        assert browser.follow(browser.get("/account")).headers["Location"].startswith(OPERATORS_PAGE)
    assert site.refresh(kept["refresh_token"], "asks").json["error"] == "invalid_grant"
    assert site.rows("SELECT count(*) FROM consents") == [(1,)]
    assert site.rows("SELECT cause FROM audit WHERE event = 'user_revoked'") == [("signed_out_everywhere",)]


def test_after_signing_out_everywhere_no_session_at_dynamic_that_was_seen_opens_another_silently(
    site: Bridge, mac: Person, phone: Person
) -> None:
    user = site.user()
    at_dynamic = site.dynamic.emulator.sign_in(user.id, origin=OPERATORS_ORIGIN)
    phone.hand_back(phone.authorize(), site.dynamic.emulator.mint(at_dynamic), OPERATORS_ORIGIN)
    mac.do(next(forms_to(mac.enter(user), "everywhere")))
    site.clock.forward(60)
    again = phone.hand_back(phone.authorize(), site.dynamic.emulator.mint(at_dynamic), OPERATORS_ORIGIN)
    assert parameters(again.headers["Location"])["prompt"] == "login"
    fresh = phone.hand_back(again, site.assertion(user, origin=OPERATORS_ORIGIN), OPERATORS_ORIGIN)
    assert "code" in parameters(fresh.headers["Location"])


def test_after_signing_out_everywhere_no_session_at_dynamic_that_began_before_opens_one_silently(
    site: Bridge, mac: Person, phone: Person
) -> None:
    """Also one that never came here before: a thief's, on their own device."""
    user = site.user()
    unseen = site.dynamic.emulator.sign_in(user.id, origin=OPERATORS_ORIGIN)
    site.clock.forward(100)
    mac.do(next(forms_to(mac.enter(user), "everywhere")))
    site.clock.forward(100)
    refreshed = site.dynamic.emulator.refresh(unseen.sid)
    again = phone.hand_back(phone.authorize(), site.dynamic.emulator.mint(refreshed), OPERATORS_ORIGIN)
    assert parameters(again.headers["Location"])["prompt"] == "login"
    later = site.dynamic.emulator.sign_in(user.id, origin=OPERATORS_ORIGIN)
    site.clock.forward(100)
    answer = phone.hand_back(phone.authorize(), site.dynamic.emulator.mint(later), OPERATORS_ORIGIN)
    assert "code" in parameters(answer.headers["Location"]), "one that began since does"


def test_what_is_said_of_a_disconnected_app_is_true_of_one_that_asks_nobody(site: Bridge, mac: Person) -> None:
    user = site.user()
    mac.open_app(user)
    page = mac.do(next(forms_to(mac.enter(user), "disconnect")))
    assert "It can get it again when you next open it" in page.text
    assert "before it gets anything again" not in page.text
    assert "code" in answered(mac, prompt="none")


@pytest.mark.both_databases
def test_the_export_has_everything_and_no_secret(site: Bridge, mac: Person) -> None:
    user = site.user()
    tokens = mac.open_app(user, scope="openid email wallets offline_access")
    answer = mac.do(next(forms_to(mac.enter(user), "export")))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    told = json.loads(answer.text)
    assert told.keys() == {"issuer", "exported_at", "profile", "sessions", "grants", "consents", "history"}
    assert told["profile"]["sub"] == user.id
    assert told["profile"]["claims"]["wallet_address"] == ADDRESS
    assert [session["browser"] for session in told["sessions"]] == [mac.user_agent]
    assert told["grants"][0]["scope"] == ["openid", "email", "wallets", "offline_access"]
    assert {"signed_in", "code_issued", "issued"} <= {entry["event"] for entry in told["history"]}
    [(key,)] = site.rows("SELECT session_key FROM sessions")
    for secret in (tokens["refresh_token"], mac.cookie, key, "digest", "pad"):
        assert secret not in answer.text


# Erasing


def test_erasing_needs_a_sign_in_of_the_last_ten_minutes(site: Bridge, mac: Person) -> None:
    user = site.user()
    mac.enter(user)
    site.clock.forward(600)
    page = mac.follow(mac.get("/account/erase"))
    assert "erase-confirm" in ids_of(page)
    [form] = forms_of(page)
    site.clock.forward(1)
    to_page = mac.follow(mac.get("/account/erase"))
    assert parameters(to_page.headers["Location"])["prompt"] == "login"
    assert mac.follow(mac.post("/account/erase", form)).headers["Location"].startswith(OPERATORS_PAGE)
    assert site.rows("SELECT count(*) FROM audit WHERE event = 'user_erased'") == [(0,)]
    back = mac.hand_back(to_page, site.assertion(user, origin=OPERATORS_ORIGIN), OPERATORS_ORIGIN)
    assert "erase-confirm" in ids_of(back)


def test_an_old_token_of_dynamics_is_no_new_sign_in(site: Bridge, mac: Person) -> None:
    user = site.user()
    at_dynamic = site.dynamic.emulator.sign_in(user.id, origin=OPERATORS_ORIGIN)
    to_page = mac.follow(mac.get("/account"))
    mac.hand_back(to_page, site.dynamic.emulator.mint(at_dynamic), OPERATORS_ORIGIN)
    site.clock.forward(3600)
    to_page = mac.follow(mac.get("/account/erase"))
    again = mac.hand_back(to_page, site.dynamic.emulator.mint(at_dynamic), OPERATORS_ORIGIN)
    assert parameters(again.headers["Location"])["prompt"] == "login"


@pytest.mark.both_databases
def test_what_is_erased_is_gone_but_the_sub(site: Bridge, mac: Person, phone: Person) -> None:
    user = site.user()
    kept = phone.open_app(user, scope="openid email offline_access")
    page = mac.enter(user, "/account/erase")
    answer = mac.post("/account/erase", forms_of(page)[0])
    assert "erased-title" in ids_of(answer)
    assert site.rows("SELECT sub, claims FROM users") == [(user.id, "{}")]
    assert site.rows("SELECT DISTINCT user_agent FROM sessions") == [(None,)]
    assert site.rows("SELECT count(*) FROM consents") == [(0,)]
    assert site.refresh(kept["refresh_token"]).json["error"] == "invalid_grant"
    everything = " ".join(
        str(row)
        for table in ("users", "sessions", "grants", "audit", "consents", "outbox")
        for row in site.rows(f"SELECT * FROM {table}")
    )
    for remains in ("demo@example.com", ADDRESS, "Macintosh", "iPhone"):
        assert remains not in everything
    site.clock.forward(1)
    assert shows_account(mac.enter(user))
    assert site.rows("SELECT sub FROM users") == [(user.id,)]
