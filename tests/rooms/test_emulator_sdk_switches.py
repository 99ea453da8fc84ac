"""What an environment may demand of Dynamic's SDK, and how it goes wrong for a page."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from sdk_page import EMAIL, NOW, ORIGIN, Device, Page, opened_page
from siwe_wallet import Signing
from social_journey import Journey

from bridge.emulator import Emulator

SignIn = Callable[[Page], requests.Response]


@pytest.fixture
def page() -> Iterator[Page]:
    with opened_page() as opened:
        yield opened


def by_email(page: Page) -> requests.Response:
    return page.finish(page.begin(), page.emulator.email_codes.latest(EMAIL))


def by_wallet(page: Page) -> requests.Response:
    answer = Signing(page).send()
    assert isinstance(answer, requests.Response)
    return answer


def by_account(page: Page) -> requests.Response:
    journey = Journey(page)
    return journey.finish(journey.code())


EVERY_WAY = pytest.mark.parametrize("sign_in", [by_email, by_wallet, by_account])

# Steps still owed


@EVERY_WAY
@pytest.mark.parametrize(
    ("state", "scope"),
    [
        ("mfa_owed", "requiresAdditionalAuth"),
        ("profile_incomplete", "userDataForm"),
        ("device_unconfirmed", "device:register"),
    ],
)
def test_a_new_user_may_owe_a_step(page: Page, sign_in: SignIn, state: str, scope: str) -> None:
    page.emulator.switch(new_user_state=state)
    answer = sign_in(page).json()
    assert answer["user"]["scope"] == scope
    assert bool(answer["user"]["missingFields"]) is (state == "profile_incomplete")
    for token in (answer["jwt"], answer["minifiedJwt"]):
        assert page.claims(token)["scope"] == scope
    page.emulator.update_user(answer["user"]["id"], state="complete")
    carried_on = page.call("POST", "/refresh", token=answer["minifiedJwt"]).json()
    assert page.claims(carried_on["jwt"])["scope"] == "user:basic"


@EVERY_WAY
def test_a_token_lives_as_long_as_the_switch_says(page: Page, sign_in: SignIn) -> None:
    page.emulator.switch(token_lifetime_seconds=4)
    answer = sign_in(page).json()
    assert answer["expiresAt"] == NOW + 4
    assert page.claims(answer["minifiedJwt"])["exp"] == NOW + 4
    assert page.call("GET", "/settings").json()["security"]["jwtDuration"] == {"amount": 2, "unit": "hours"}
    page.clock.now += 4
    assert page.call("GET", "/users", token=answer["minifiedJwt"]).status_code == 401


# Cookie mode


@EVERY_WAY
def test_in_cookie_mode_the_session_is_in_a_cookie_alone(page: Page, sign_in: SignIn) -> None:
    page.emulator.switch(cookie_mode=True)
    answer = sign_in(page)
    assert not {"jwt", "minifiedJwt"} & set(answer.json())
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    whole = answer.headers["Set-Cookie"]
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(whole.split("; "))
    headers = {"Cookie": whole.partition(";")[0]}
    assert page.call("GET", "/users", headers=headers).json()["id"] == answer.json()["user"]["id"]
    ended = page.call("POST", "/revoke", headers=headers)
    assert ended.status_code == 204
    assert ended.headers["Set-Cookie"].startswith("DYNAMIC_JWT_TOKEN=;")
    assert page.call("GET", "/users", headers=headers).status_code == 401


# The captcha


@pytest.mark.parametrize("token", [None, "", 1, ["x"]])
def test_who_has_not_solved_the_captcha_is_refused(page: Page, token: Any) -> None:
    journey = Journey(page)
    code = journey.code()
    message = Signing(page)
    verification = page.begin()
    page.emulator.switch(captcha_enabled=True)
    solved = {} if token is None else {"captchaToken": token}
    retry = {"verificationUUID": verification, "email": EMAIL, **solved}
    for refused in (
        page.call("POST", "/emailVerifications/create", json={"email": EMAIL, **solved}),
        page.call("POST", "/emailVerifications/retry", json=retry),
        message.send(**solved),
        message.send(path="/verify", **solved),
        journey.finish(code, **solved),
    ):
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_captcha")
    assert page.emulator.users() == []
    assert journey.finish(code, captchaToken="solved").status_code == 200
    assert message.send(captchaToken="solved").status_code == 200
    body = {"email": EMAIL, "captchaToken": "solved"}
    assert page.call("POST", "/emailVerifications/create", json=body).status_code == 200
    assert page.finish(verification, page.emulator.email_codes.sent()[-1].code).status_code == 200  # none is sent here


# The proof of the device


def test_where_a_device_must_prove_itself_nobody_is_signed_in_without(page: Page) -> None:
    device, signing = Device(), Signing(page)
    token = page.sign_in()["minifiedJwt"]
    page.emulator.switch(device_proof_required=True)
    refused = page.call("POST", "/refresh", token=token)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert by_email(page).status_code == 401
    assert signing.send(path="/verify").status_code == 401
    assert signing.send(path="/verify/link", token=token).status_code == 401
    assert signing.send().status_code == 200  # where the SDK sends no proof
    assert by_account(page).status_code == 200
    carried_on = page.call("POST", "/refresh", token=token, headers=device.proof(page.nonce()))
    assert carried_on.status_code == 200
    assert page.sign_in(headers=device.proof(page.nonce()))["jwt"]


def test_in_cookie_mode_the_sdk_proves_no_device(page: Page) -> None:
    page.emulator.switch(device_proof_required=True, cookie_mode=True)
    assert by_email(page).status_code == 200


# Rate limits


def test_three_codes_a_minute_are_sent(page: Page) -> None:
    page.emulator.switch(rate_limits=True)
    for _ in range(3):
        page.begin()
        page.clock.now += 10
    refused = page.call("POST", "/emailVerifications/create", json={"email": EMAIL})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["Retry-After"] == "30"
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    page.clock.now += 29
    assert page.call("POST", "/emailVerifications/create", json={"email": EMAIL}).status_code == 429
    page.clock.now += 1
    assert page.begin()


def test_ten_sign_ins_or_nonces_a_minute_are_answered(page: Page) -> None:
    page.emulator.switch(rate_limits=True)
    for _ in range(9):
        page.nonce()
    verification = page.begin()
    assert page.finish(verification, "wrong").status_code == 422
    assert page.finish(verification, "wrong").status_code == 429
    assert page.call("GET", "/nonce").status_code == 429
    assert page.call("GET", "/settings").status_code == 200
    page.clock.now += 60
    assert page.nonce()


def test_sixty_calls_in_ten_seconds_are_answered_and_250_in_a_minute(page: Page) -> None:
    page.emulator.switch(rate_limits=True)
    for _ in range(4):
        assert {page.call("GET", "/settings").status_code for _ in range(60)} == {200}
        assert page.call("GET", "/settings").headers["Retry-After"] == "10"
        page.clock.now += 10
    assert [page.call("GET", "/settings").status_code for _ in range(11)] == [200] * 10 + [429]
    assert page.call("GET", "/settings").headers["Retry-After"] == "20"
    page.emulator.rate_limits.forget()
    assert page.call("GET", "/settings").status_code == 200


def test_nothing_is_counted_before_the_switch_is_on(page: Page) -> None:
    for _ in range(5):
        page.begin()
    page.emulator.switch(rate_limits=True)
    assert page.begin()


@pytest.mark.parametrize(("mode", "status"), [("rate_limited", 429), ("error", 500)])
def test_a_page_can_read_a_fault_that_it_meets_and_its_preflight_does_not_meet_it(
    page: Page, mode: str, status: int
) -> None:
    page.emulator.faults.set(f"/sdk/{page.emulator.environment_id}/wallets/signin", mode, times=1)
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    assert page.call("OPTIONS", "/wallets/signin", headers=asked).status_code == 204
    refused = page.call("POST", "/wallets/signin", json={})
    assert refused.status_code == status
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert isinstance(refused.json()["error"], str)
    assert page.call("POST", "/wallets/signin", json={}).status_code == 400


# Pages of other origins


def test_a_page_that_is_not_among_the_allowed_origins_is_refused_and_cannot_read_why(page: Page) -> None:
    page.emulator.switch(allowed_origins=["https://a.example"])
    for method, path in (("GET", "/settings"), ("OPTIONS", "/wallets/signin"), ("POST", "/emailVerifications/create")):
        refused = page.call(method, path, json={"email": EMAIL})
        assert refused.status_code == 403
        assert "Access-Control-Allow-Origin" not in refused.headers
    assert page.emulator.email_codes.sent() == []
    page.origin = "https://a.example"
    assert page.call("OPTIONS", "/settings").status_code == 204
    assert page.sign_in()["jwt"]


def test_the_way_back_from_a_provider_is_open_to_browsers_that_name_no_origin(page: Page) -> None:
    page.emulator.switch(sdk_requires_origin=True, allowed_origins=[ORIGIN])
    assert by_account(page).status_code == 200


# What the admin API tells of it


def test_the_admin_api_shows_who_signed_in_by_what(page: Page) -> None:
    for sign_in in (by_email, by_wallet, by_account):
        sign_in(page)
    users = {user["id"]: user for user in page.admin("/users")["users"]}
    sessions = page.admin("/sessions")["sessions"]
    formats = []
    for session in sessions:
        assert session["origin"] == ORIGIN
        (credential,) = users[session["user_id"]]["credentials"]
        assert credential["id"] == session["signin_credential_id"]
        formats.append(credential["format"])
    assert formats == ["email", "blockchain", "oauth"]


def test_a_wallet_signs_in_at_an_environment_of_any_id() -> None:
    other = "2C8F4E6A-1B3D-4F5A-8C7E-9D0A1B2C3D4E"
    with opened_page(Emulator(environment_id=other)) as page:
        signing = Signing(page)
        message = str(signing.message()).replace(signing.message().more[0], f"Request ID: {other.lower()}")
        assert signing.send(message).status_code == 200
