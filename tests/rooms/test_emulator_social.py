"""Sign-in by social account at the emulator: the way to the provider's page and back, and what the code is good for."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sdk_page import EMAIL, ORIGIN, Device, Page, opened_page
from social_journey import BACK, Journey

from bridge.emulator import NewOAuth

FOREIGN = "A" * 43


@pytest.fixture
def page() -> Iterator[Page]:
    with opened_page() as opened:
        yield opened


# The way there and back


@pytest.mark.parametrize("provider", ["google", "github"])
def test_an_account_at_a_provider_opens_a_session(page: Page, provider: str) -> None:
    journey = Journey(page, provider)
    answer = journey.finish(journey.code())
    assert answer.status_code == 200, answer.text
    (user,) = page.emulator.users()
    (shown,) = answer.json()["user"]["verifiedCredentials"]
    assert (shown["format"], shown["oauth_provider"], shown["oauth_emails"]) == ("oauth", provider, [EMAIL])
    assert shown["oauth_display_name"] == "Demo User"
    assert shown["oauth_account_id"].isdecimal()
    assert (user.email, user.given_name, user.family_name) == (EMAIL, "Demo", "User")
    claims = page.claims(answer.json()["jwt"])
    assert (claims["aud"], claims["sub"], claims["signin_credential_id"]) == (ORIGIN, user.id, shown["id"])


def test_the_same_account_is_the_same_user_and_at_another_provider_another(page: Page) -> None:
    ids = []
    for provider, email in (("google", EMAIL), ("google", EMAIL.upper()), ("github", EMAIL)):
        journey = Journey(page, provider)
        ids.append(journey.finish(journey.code(email)).json()["user"]["id"])
    assert ids[0] == ids[1] != ids[2]


def test_an_account_is_not_the_user_who_has_proven_its_address(page: Page) -> None:
    by_code = page.sign_in()["user"]["id"]
    journey = Journey(page)
    assert journey.finish(journey.code()).json()["user"]["id"] != by_code


def test_the_settings_tell_the_sdk_where_the_provider_is(page: Page) -> None:
    told = Journey(page, "github").settings()
    origin = page.running.origin
    assert told["baseAuthUrl"] == f"{origin}/identity/github"
    environment = page.emulator.environment_id
    assert told["redirectUrl"] == f"{origin}/api/v0/sdk/{environment}/providers/github/redirect"
    assert told["clientId"]
    assert told["scopes"]
    assert told["enabledAt"]


def test_the_providers_page_works_by_its_form_and_forbids_the_rest(page: Page) -> None:
    journey = Journey(page)
    journey.begin()
    shown = journey.ask(access_type="offline")
    assert shown.status_code == 200
    for name in ("identity-title", "identity-email", "identity-name", "identity-submit", "identity-cancel"):
        assert f'id="{name}"' in shown.text
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert f"form-action 'self' {ORIGIN} " in policy
    assert shown.headers["Cache-Control"] == "no-store"
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown.text))
    assert hidden == journey.query()


def test_the_page_lists_the_accounts_that_users_have_at_the_provider(page: Page) -> None:
    account = NewOAuth("google", "42", username="mira", display_name="<b>Mira</b>", emails=["mira@example.com"])
    user = page.emulator.create_user(credentials=[account, NewOAuth("github", "7", display_name="Other")])
    page.emulator.create_user(credentials=[NewOAuth("google", "43", display_name="Hidden", sign_in=False)])
    journey = Journey(page)
    journey.begin()
    shown = journey.ask().text
    assert "&lt;b&gt;Mira&lt;/b&gt;" in shown
    assert "mira@example.com" in shown
    assert 'id="identity-account-1"' in shown
    assert not {"identity-account-2", "Other", "Hidden"} & set(re.findall(r"[\w-]+", shown))
    answer = journey.finish(journey.answer(account="42")["dynamicOauthCode"])
    assert answer.json()["user"]["id"] == user.id
    again = Journey(page)
    again.begin()
    assert again.finish(again.answer(email="MIRA@example.com")["dynamicOauthCode"]).json()["user"]["id"] == user.id


def test_who_cancels_comes_back_without_a_code(page: Page) -> None:
    journey = Journey(page)
    journey.begin()
    assert journey.answer(cancel="1") == {"flow": "1", "dynamicOauthState": journey.state, "error": "access_denied"}
    assert page.emulator.users() == []


@pytest.mark.parametrize("form", [{"email": "demo"}, {"email": ""}, {}, {"account": "no such"}, {"email": "é" * 300}])
def test_who_says_nobody_is_asked_again(page: Page, form: dict[str, str]) -> None:
    journey = Journey(page)
    journey.begin()
    asked = journey.post(**form)
    assert asked.status_code == 400
    assert 'id="identity-error"' in asked.text
    assert journey.answer(email=EMAIL)["dynamicOauthCode"]


# What the code is good for


def test_a_code_is_good_once(page: Page) -> None:
    journey = Journey(page)
    code = journey.code()
    assert journey.finish(code).status_code == 200
    again = journey.finish(code)
    assert (again.status_code, again.json()["code"]) == (422, "invalid_verification")


@pytest.mark.parametrize("verifier", [FOREIGN, "", "½"])
def test_a_code_needs_the_verifier_of_its_challenge_and_is_lost_by_a_wrong_one(page: Page, verifier: str) -> None:
    journey = Journey(page, "github")
    code = journey.code()
    assert journey.finish(code, codeVerifier=verifier).status_code == 422
    assert journey.finish(code).status_code == 422
    assert page.emulator.users() == []


def test_a_verifier_that_nobody_announced_is_refused(page: Page) -> None:
    journey = Journey(page)
    assert journey.finish(journey.code(), codeVerifier=FOREIGN).status_code == 422


@pytest.mark.parametrize("state", ["another", "", "½"])
def test_a_code_is_of_its_own_state(page: Page, state: str) -> None:
    journey = Journey(page)
    assert journey.finish(journey.code(), state=state).status_code == 422


def test_a_code_is_not_of_a_state_that_somebody_else_began(page: Page) -> None:
    mine, theirs = Journey(page), Journey(page)
    theirs.begin()
    assert mine.finish(mine.code(), state=theirs.state).status_code == 422


def test_a_code_is_of_its_own_provider(page: Page) -> None:
    journey = Journey(page)
    code = journey.code()
    journey.provider = "github"
    assert journey.finish(code).status_code == 422


def test_a_code_is_good_for_ten_minutes(page: Page) -> None:
    journey = Journey(page)
    code = journey.code()
    page.clock.now += 600
    assert journey.finish(code).status_code == 422


# How it may not begin


@pytest.mark.parametrize(
    "back",
    ["", "/relative", "javascript:alert(1)", "http://", "http://a b/", "https://x.example@evil.example/", "http://[::1]/",
     "http://a.example;script-src/", "http://a.example/\n", "data:text/html,x", "http://a.example/½", None, 1, ["x"]],
)  # fmt: skip
def test_a_sign_in_ends_on_a_page_or_does_not_begin(page: Page, back: Any) -> None:
    refused = Journey(page).begin(back)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "back", [ORIGIN, f"{ORIGIN}?a=b", f"{ORIGIN}/#/hash", f"{ORIGIN}/a?b=c#d", "HTTPS://A.example/"]
)
def test_any_page_may_be_the_end_while_no_switch_says_otherwise(page: Page, back: str) -> None:
    journey = Journey(page)
    assert journey.begin(back).status_code == 204
    target = journey.post(email=EMAIL).headers["Location"]
    end = urlsplit(requests.get(target, timeout=10, allow_redirects=False).headers["Location"])
    assert (end.netloc, end.fragment) == (urlsplit(back.lower()).netloc, urlsplit(back).fragment)
    assert "dynamicOauthCode" in parse_qs(end.query)
    assert parse_qs(urlsplit(back).query).items() <= parse_qs(end.query).items()


def test_where_a_sign_in_may_end_is_the_environments_to_say(page: Page) -> None:
    page.emulator.switch(social_redirect_urls=[f"{ORIGIN}/authorize"])
    assert Journey(page).begin().status_code == 204
    for other in (f"{ORIGIN}/", f"{ORIGIN}/authorize/x", "http://localhost:3211/authorize"):
        assert Journey(page).begin(other).status_code == 400
    page.emulator.switch(social_redirect_urls=[], allowed_origins=[ORIGIN])
    assert Journey(page).begin().status_code == 204
    assert Journey(page).begin("http://localhost:3211/authorize").status_code == 400


@pytest.mark.parametrize("state", ["", None, 1])
def test_a_sign_in_has_a_state(page: Page, state: Any) -> None:
    assert 400 <= Journey(page).begin(state=state).status_code < 500


def test_a_state_that_is_under_way_is_not_led_elsewhere(page: Page) -> None:
    journey = Journey(page)
    journey.begin()
    assert journey.begin("http://evil.example/").status_code == 422
    assert journey.answer(email=EMAIL)["dynamicOauthCode"]


def test_a_provider_that_is_not_enabled_is_not_there(page: Page) -> None:
    for path in ("initAuth", "signIn"):
        answer = page.call("POST", f"/providers/apple/{path}", json={"state": "x", "code": "y", "redirectUrl": BACK})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert requests.get(f"{page.running.origin}/identity/apple", timeout=10).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"state": "another"},
        {"client_id": "another"},
        {"redirect_uri": "http://evil.example/"},
        {"response_type": "token"},
        {"code_challenge": ""},
        {"code_challenge": "short"},
        {"code_challenge_method": "plain"},
    ],
    ids=str,
)
def test_a_request_that_no_sdk_sends_is_a_page_that_says_so(page: Page, change: dict[str, str]) -> None:
    journey = Journey(page, "github")
    journey.begin()
    for answer in (journey.ask(**change), journey.post(**change, email=EMAIL)):
        assert answer.status_code == 400
        assert answer.headers["Content-Type"].startswith("text/html")


def test_the_providers_page_takes_no_form_but_its_own(page: Page) -> None:
    journey = Journey(page)
    journey.begin()
    assert journey.post(headers={"Origin": "http://evil.example"}, email=EMAIL).status_code == 403
    assert journey.post(headers={"Origin": page.running.origin}, email=EMAIL).status_code == 303


def test_nobody_comes_back_who_never_set_out(page: Page) -> None:
    for query in ("", "?code=x", "?state=x&code=y", "?state=%00&error=%ff"):
        answer = page.call("GET", f"/providers/google/redirect{query}", allow_redirects=False)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_verification")


def test_a_journey_is_not_anothers_way_back(page: Page) -> None:
    journey = Journey(page)
    journey.begin()
    answer = page.call("GET", f"/providers/github/redirect?code=x&state={journey.state}", allow_redirects=False)
    assert answer.status_code == 422


@pytest.mark.parametrize("path", ["initAuth", "signIn", "verify"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"code": 1, "state": []}', b'{"state": "\\ud800"}'])
def test_no_body_is_too_strange(page: Page, path: str, body: bytes) -> None:
    token = page.sign_in()["minifiedJwt"]
    answer = page.call("POST", f"/providers/google/{path}", data=body, token=token)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_half_a_character_in_a_state_or_code_is_refused_or_carried(page: Page) -> None:
    journey = Journey(page)
    code = journey.code()
    assert journey.finish(code, state="\ud800").status_code == 422
    assert journey.finish("\ud800").status_code == 422
    assert Journey(page, state="\ud800").begin().status_code < 500


# One more account for who is signed in


def test_who_is_signed_in_adds_an_account(page: Page) -> None:
    first = page.sign_in()
    journey = Journey(page)
    added = journey.finish(
        journey.code("other@example.com"),
        "verify",
        token=first["minifiedJwt"],
        headers=Device().proof(page.nonce()),
    )
    assert added.status_code == 200, added.text
    assert added.json()["user"]["id"] == first["user"]["id"]
    assert [each["format"] for each in added.json()["user"]["verifiedCredentials"]] == ["email", "oauth"]
    again = Journey(page)
    assert again.finish(again.code("other@example.com")).json()["user"]["id"] == first["user"]["id"]


def test_an_account_of_another_user_is_not_taken_from_them(page: Page) -> None:
    one = Journey(page)
    owner = one.finish(one.code()).json()["user"]["id"]
    token = page.sign_in("other@example.com")["minifiedJwt"]
    two, three = Journey(page), Journey(page)
    refused = two.finish(two.code(), "verify", token=token)
    assert (refused.status_code, refused.json()["code"]) == (422, "merge_accounts_confirmation")
    assert three.finish(three.code()).json()["user"]["id"] == owner


def test_who_is_not_signed_in_adds_nothing(page: Page) -> None:
    journey = Journey(page)
    code = journey.code()
    assert journey.finish(code, "verify").status_code == 401
    assert journey.finish(code).status_code == 200  # and the code was not used up
