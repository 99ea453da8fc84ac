"""Codes at the token endpoint: once, for a minute, for their client, with their verifier (RFC 6749, RFC 7636)."""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from browsing import CALLBACK, WEB, Browser, parameters
from conftest import Bridge, decoded, refusal

VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}

pytestmark = pytest.mark.both_databases


@pytest.fixture
def site(bridge: Bridge) -> Bridge:
    bridge.add_client(**WEB)
    return bridge


@pytest.fixture
def browser(site: Bridge) -> Browser:
    return Browser(site)


def test_the_id_token_says_what_was_asked(site: Bridge, browser: Browser) -> None:
    user = site.user()
    tokens = browser.tokens(user, nonce="n-1", max_age=3600, acr_values="anything", scope="openid wallets")
    claims = decoded(site, tokens["id_token"])
    assert (claims["sub"], claims["aud"], claims["nonce"]) == (user.id, "app", "n-1")
    assert claims["auth_time"] == site.clock()
    assert claims["acr"] == "urn:dynamic:sign-in"
    assert claims["sid"]
    assert claims["wallet_address"]
    assert "email" not in claims
    without = decoded(site, browser.tokens(user)["id_token"])
    assert not {"nonce", "acr"} & without.keys()


def test_a_second_use_is_refused_and_revokes_what_came_of_the_first(site: Bridge, browser: Browser) -> None:
    code = browser.sign_in(site.user(), scope="openid offline_access")["code"]
    tokens = browser.redeem(code).json
    site.clock.forward(31)
    assert refusal(browser.redeem(code)) == (400, "invalid_grant", "code_reused")
    assert site.userinfo(tokens["access_token"]).status_code == 401
    assert refusal(site.refresh(tokens["refresh_token"]))[2] == "grant_ended"
    assert site.rows("SELECT closed_cause FROM grants") == [("code_reused",)]


def test_a_code_is_good_for_a_minute(site: Bridge, browser: Browser) -> None:
    code = browser.sign_in(site.user())["code"]
    site.clock.forward(60)
    assert refusal(browser.redeem(code)) == (400, "invalid_grant", "code_invalid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": None},
        {"code_verifier": "w" * 43},
        {"code_verifier": None},
        {"code_verifier": VERIFIER + "\n"},
        {"code_verifier": "v" * 42},
        {"code_verifier": CHALLENGE},
    ],
)
def test_a_wrong_verifier_or_redirect_uri_spends_the_code(
    site: Bridge, browser: Browser, wrong: dict[str, Any]
) -> None:
    code = browser.sign_in(site.user(), **PKCE)["code"]
    answer = browser.redeem(code, **{"code_verifier": VERIFIER, **wrong})
    assert answer.status_code == 400
    if "\n" in (wrong.get("code_verifier") or ""):
        assert refusal(answer)[2] == "request_malformed"
        return
    assert refusal(answer)[1:] == ("invalid_grant", "code_not_this_request")
    assert refusal(browser.redeem(code, code_verifier=VERIFIER))[2] == "code_reused"


def test_a_verifier_without_a_challenge_is_refused(site: Bridge, browser: Browser) -> None:
    code = browser.sign_in(site.user())["code"]
    assert refusal(browser.redeem(code, code_verifier=VERIFIER))[2] == "code_not_this_request"


def test_the_right_verifier_fits(site: Bridge, browser: Browser) -> None:
    code = browser.sign_in(site.user(), **PKCE)["code"]
    assert browser.redeem(code, code_verifier=VERIFIER).status_code == 200


@pytest.mark.parametrize("settings", [{"require_pkce": True}, {"public": True, "require_pkce": False}])
def test_pkce_is_demanded(bridge: Bridge, settings: dict[str, Any]) -> None:
    bridge.add_client(**{**WEB, **settings})
    browser = Browser(bridge)
    told = parameters(browser.authorize().headers["Location"])
    assert told["error"] == "invalid_request"
    assert told["error_uri"].endswith("/pkce_required")
    code = browser.sign_in(bridge.user(), **PKCE)["code"]
    assert browser.redeem(code, code_verifier=VERIFIER).status_code == 200


def test_another_client_gets_nothing_and_spends_nothing(site: Bridge, browser: Browser) -> None:
    site.add_client("other", **WEB)
    code = browser.sign_in(site.user())["code"]
    assert refusal(browser.redeem(code, "other")) == (400, "invalid_grant", "code_invalid")
    assert browser.redeem(code).status_code == 200


@pytest.mark.parametrize("code", ["x", "dob_code_" + "A" * 43, "dob_refresh_" + "A" * 43])
def test_what_is_no_code_is_refused(site: Bridge, browser: Browser, code: str) -> None:
    assert refusal(browser.redeem(code)) == (400, "invalid_grant", "code_invalid")


def test_a_user_who_was_signed_out_meanwhile_gets_nothing(site: Bridge, browser: Browser) -> None:
    user = site.user()
    code = browser.sign_in(user)["code"]
    site.disable(user)
    assert refusal(browser.redeem(code))[:2] == (400, "invalid_grant")


def test_offline_access_is_a_matter_of_scope(site: Bridge, browser: Browser) -> None:
    user = site.user()
    assert "refresh_token" not in browser.tokens(user)
    tokens = browser.tokens(user, scope="openid offline_access", nonce="n-1")
    again = site.refresh(tokens["refresh_token"]).json
    first, second = decoded(site, tokens["id_token"]), decoded(site, again["id_token"])
    assert second["auth_time"] == first["auth_time"]
    assert second["sid"] == first["sid"]
    assert "nonce" not in second


def test_a_public_client_may_hold_refresh_tokens_that_rotate(bridge: Bridge) -> None:
    bridge.add_client(**{**WEB, "public": True})
    browser = Browser(bridge)
    code = browser.sign_in(bridge.user(), scope="openid offline_access", **PKCE)["code"]
    token = browser.redeem(code, code_verifier=VERIFIER).json["refresh_token"]
    assert bridge.refresh(token).json["refresh_token"] != token
    bridge.clock.forward(31)
    assert refusal(bridge.refresh(token))[2] == "refresh_token_reused"


def test_claims_are_had_by_name(site: Bridge, browser: Browser) -> None:
    asked = '{"userinfo": {"given_name": null, "wallet_address": {"essential": true}, "phone_number": null},'
    asked += ' "id_token": {"email": {"essential": true}, "sub": null}}'
    tokens = browser.tokens(site.user(), scope="openid", claims=asked)
    userinfo = site.userinfo(tokens["access_token"]).json
    assert userinfo.keys() == {"sub", "given_name", "wallet_address"}
    claims = decoded(site, tokens["id_token"])
    assert claims["email"] == "demo@example.com"
    assert "given_name" not in claims


def test_a_sub_that_is_asked_for_is_this_user_or_nobody(site: Bridge, browser: Browser) -> None:
    user = site.user()
    hint = browser.tokens(user)["id_token"]
    site.clock.forward(4000)  # as a hint it may have expired
    assert "code" in parameters(browser.authorize(id_token_hint=hint, prompt="none").headers["Location"])
    wanted = '{"id_token": {"sub": {"value": "%s"}}}'
    assert "code" in parameters(browser.authorize(claims=wanted % user.id, prompt="none").headers["Location"])
    told = parameters(browser.authorize(claims=wanted % "somebody", prompt="none").headers["Location"])
    assert told["error"] == "login_required"
    other = site.user(email="other@example.com", wallets=[])
    to_page = browser.authorize(id_token_hint=hint, prompt="login")
    told = parameters(browser.hand_back(to_page, site.assertion(other)).headers["Location"])
    assert told["error"] == "login_required"


def test_no_code_stands_in_the_database(site: Bridge, browser: Browser) -> None:
    code = browser.sign_in(site.user())["code"]
    session = next(value for name, value in browser.cookies.items() if "session" in name)
    for table in ("codes", "grants", "audit", "requests", "sessions"):
        dumped = str(site.rows(f"SELECT * FROM {table}"))
        assert code not in dumped
        assert session not in dumped
