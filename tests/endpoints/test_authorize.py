"""/authorize: whom it answers where, and what a sign-in on the app's own page becomes."""

from typing import Any

import pytest
from browsing import CALLBACK, SIGNIN_ORIGIN, SIGNIN_PAGE, WEB, Browser, ids_of, parameters
from conftest import Bridge

from bridge.emulator import UserState


@pytest.fixture
def site(bridge: Bridge) -> Bridge:
    bridge.add_client(**WEB)
    return bridge


@pytest.fixture
def browser(site: Bridge) -> Browser:
    return Browser(site)


def test_a_sign_in_on_the_apps_own_page_ends_with_tokens(site: Bridge, browser: Browser) -> None:
    user = site.user()
    to_page = browser.authorize(nonce="n-1", scope="openid email offline_access")
    assert to_page.status_code == 303
    page = to_page.headers["Location"]
    assert page.startswith(f"{SIGNIN_PAGE}?")
    assert parameters(page).keys() == {"request", "client_id"}

    answer = browser.hand_back(to_page, site.assertion(user))

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{CALLBACK}?")
    told = parameters(answer.headers["Location"])
    assert told.keys() == {"code", "state", "iss"}
    assert (told["state"], told["iss"]) == ("s" * 32, site.config.issuer)
    tokens = browser.redeem(told["code"])
    assert tokens.status_code == 200, tokens.json
    assert tokens.json.keys() == {"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}
    assert site.userinfo(tokens.json["access_token"]).json["sub"] == user.id
    assert site.refresh(tokens.json["refresh_token"]).status_code == 200


def test_who_is_signed_in_sees_no_page(site: Bridge, browser: Browser) -> None:
    browser.sign_in(site.user())
    for asked in ({}, {"prompt": "none"}, {"max_age": 10000}):
        site.clock.forward(1)
        answer = browser.authorize(**asked)
        assert "code" in parameters(answer.headers["Location"])


def test_a_stranger_with_prompt_none_is_told_so(browser: Browser) -> None:
    answer = browser.authorize(prompt="none")
    told = parameters(answer.headers["Location"])
    assert told["error"] == "login_required"
    assert (told["state"], told["iss"]) == ("s" * 32, browser.bridge.config.issuer)


@pytest.mark.parametrize(
    "asked",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"client_id": ["app", "app"]},
        {"redirect_uri": None},
        {"redirect_uri": [CALLBACK, CALLBACK]},
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": f"{CALLBACK}?x=1"},
        {"redirect_uri": f"{CALLBACK}#"},
        {"redirect_uri": "https://app.example.com:443/callback"},
        {"redirect_uri": "https://app.example.com/Callback"},
        {"redirect_uri": "https://app.example.com@evil.example/callback"},
        {"redirect_uri": "https://app.example.com/./callback"},
        {"redirect_uri": "https://app.example.com/%63allback"},
        {"redirect_uri": "HTTPS://app.example.com/callback"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
@pytest.mark.parametrize("more", [{}, {"prompt": "none"}, {"response_type": "token"}, {"request": "x"}])
def test_what_is_not_registered_gets_a_page_and_no_redirect(
    browser: Browser, asked: dict[str, Any], more: dict[str, str]
) -> None:
    answer = browser.authorize(**{**more, **asked})
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert {"error-title", "error-code"} <= ids_of(answer)
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": None}, "invalid_request"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"scope": ["openid", "email"]}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "surprise"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/x"}, "request_uri_not_supported"),
        ({"resource": "https://api.example.com"}, "invalid_target"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": '{"id_token": 3}'}, "invalid_request"),
        (
            {"claims": '{"id_token": {"acr": {"essential": true, "value": "gold"}}}'},
            "unmet_authentication_requirements",
        ),
        ({"code_challenge": "A" * 43}, "invalid_request"),
        ({"code_challenge": "A" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"id_token_hint": "junk"}, "invalid_request"),
    ],
)
def test_every_other_fault_is_answered_at_the_client(browser: Browser, asked: dict[str, Any], error: str) -> None:
    answer = browser.authorize(**asked)
    assert answer.status_code == 303
    told = parameters(answer.headers["Location"])
    assert told["error"] == error
    assert told.keys() == {"error", "error_description", "error_uri", "state", "iss"}
    assert not set('"\\') & set(told["error_description"])
    assert told["error_description"].isascii()


def test_a_post_from_another_origin_or_for_another_page_opens_nothing(site: Bridge, browser: Browser) -> None:
    user = site.user()
    for origin, assertion in (
        ("https://evil.example.com", site.assertion(user)),
        ("null", site.assertion(user)),
        (SIGNIN_ORIGIN, site.assertion(user, origin="https://evil.example.com")),
    ):
        answer = browser.hand_back(browser.authorize(), assertion, origin)
        assert answer.status_code == 400
        assert "error-code" in ids_of(answer)
    assert site.rows("SELECT count(*) FROM sessions") == [(0,)]


def test_a_proof_is_good_once_and_in_its_own_browser_alone(site: Bridge, browser: Browser) -> None:
    attacker, victim = Browser(site), Browser(site)
    to_page = attacker.authorize()
    request = parameters(to_page.headers["Location"])["request"]
    posted = attacker.post(
        "/signin/complete", {"request": request, "token": site.assertion(site.user())}, origin=SIGNIN_ORIGIN
    )
    link = posted.headers["Location"].removeprefix(site.config.issuer)
    assert victim.get(link).status_code == 400, "a browser that never was here opens nothing"
    victim.authorize()
    lured = victim.get(link)
    assert lured.headers["Location"].startswith(SIGNIN_PAGE), "the victim begins a sign-in of their own"
    assert site.rows("SELECT count(*) FROM sessions") == [(0,)]
    assert "code" in parameters(attacker.get(link).headers["Location"])
    assert site.rows("SELECT count(*) FROM sessions") == [(1,)]
    again = attacker.get(link)
    assert "code" in parameters(again.headers["Location"]), "the session answers, not the proof"
    assert site.rows("SELECT count(*) FROM sessions") == [(1,)]


def test_prompt_login_wants_a_user_who_acts(site: Bridge, browser: Browser) -> None:
    user = site.user()
    session = site.dynamic.emulator.sign_in(user.id, origin=SIGNIN_ORIGIN)
    old = site.dynamic.emulator.mint(session)
    site.clock.forward(60)
    browser.hand_back(browser.authorize(), old)
    site.clock.forward(60)
    to_page = browser.authorize(prompt="login")
    assert parameters(to_page.headers["Location"])["prompt"] == "login"
    silent = site.dynamic.emulator.mint(site.dynamic.emulator.refresh(session.sid))
    for token in (old, silent):
        again = browser.hand_back(to_page, token)
        assert parameters(again.headers["Location"])["prompt"] == "login"
    fresh = browser.hand_back(to_page, site.assertion(user))
    assert "code" in parameters(fresh.headers["Location"])


def test_a_page_that_never_lets_the_user_act_is_told_on(site: Bridge, browser: Browser) -> None:
    old = site.assertion(site.user())
    site.clock.forward(60)
    to_page = browser.authorize(prompt="login")
    for _ in range(3):
        assert browser.hand_back(to_page, old).status_code == 303
    answer = browser.hand_back(to_page, old)
    assert answer.status_code == 400
    assert "sign_in_not_fresh" in answer.text


def test_cancelling_is_access_denied(browser: Browser) -> None:
    to_page = browser.authorize()
    request = parameters(to_page.headers["Location"])["request"]
    answer = browser.post("/signin/complete", {"request": request, "error": "access_denied"}, origin=SIGNIN_ORIGIN)
    told = parameters(browser.follow(answer).headers["Location"])
    assert told["error"] == "access_denied"


def test_a_page_left_open_overnight_begins_again(site: Bridge, browser: Browser) -> None:
    user = site.user()
    to_page = browser.authorize()
    site.clock.forward(12 * 3600)
    answer = browser.hand_back(to_page, site.assertion(user))
    assert answer.headers["Location"].startswith(SIGNIN_PAGE)
    assert "code" in parameters(browser.hand_back(answer, site.assertion(user)).headers["Location"])


def test_a_post_becomes_a_get_however_long(site: Bridge, browser: Browser) -> None:
    form = {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid"}
    for state in ("s", "s" * 2000):
        answer = browser.post(
            "/authorize", {**form, "state": state, "padding": "x" * 3 * len(state)}, origin="https://rp"
        )
        assert answer.status_code == 303
        assert len(answer.headers["Location"]) < 4200
        assert browser.follow(answer).headers["Location"].startswith(SIGNIN_PAGE)


def test_head_does_nothing(browser: Browser) -> None:
    assert browser.bridge.http.head("/authorize?client_id=app").status_code == 405


def test_the_form_post_mode_posts_the_same(site: Bridge, browser: Browser) -> None:
    browser.sign_in(site.user())
    answer = browser.authorize(response_mode="form_post")
    assert answer.status_code == 200
    assert f'action="{CALLBACK}"' in answer.text
    for name in ("code", "state", "iss"):
        assert f'name="{name}"' in answer.text
    refused = browser.authorize(response_mode="form_post", prompt="none login")
    assert 'value="invalid_request"' in refused.text


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ("mfa_owed", "One step is left"),
        ("profile_incomplete", "One step is left"),
        ("device_unconfirmed", "Confirm this device"),
    ],
)
def test_who_has_not_finished_signing_in_is_told_what_is_left(
    site: Bridge, browser: Browser, state: str, title: str
) -> None:
    user = site.user()
    site.dynamic.emulator.update_user(user.id, state=UserState(state))
    answer = browser.hand_back(browser.authorize(), site.assertion(user))
    assert answer.status_code == 400
    assert title in answer.text
    assert {"error-title", "error-code"} <= ids_of(answer)
    assert "/authorize?client_id=app&amp;request_uri=" in answer.text, "and can try again"
    assert site.rows("SELECT count(*) FROM sessions") == [(0,)]


def test_a_part_that_is_away_is_said_so_and_loses_nothing(site: Bridge, browser: Browser) -> None:
    to_page = browser.authorize()
    assertion = site.assertion(site.user())
    site.dynamic.emulator.faults.set("/sdk", "down")
    answer = browser.hand_back(to_page, assertion)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "This does not work right now" in answer.text
