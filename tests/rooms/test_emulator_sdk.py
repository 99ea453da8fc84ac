"""What Dynamic's browser SDKs ask of the emulator, by a stock HTTP client in the place of the page."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest
import requests
from sdk_page import EMAIL, NOW, ORIGIN, Device, Hand, Page, opened_page

from bridge.emulator import Emulator, NewEmail, NewOAuth, User, run

ELSEWHERE = "2c8f4e6a-1b3d-4f5a-8c7e-9d0a1b2c3d4e"
P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
SENT_BY_THE_SDK = (
    "authorization, content-type, x-dyn-api-version, x-dyn-request-id, x-dyn-session-id, x-dyn-session-public-key, "
    "x-dyn-version, x-dynamic-device-nonce, x-dynamic-device-publickey, x-dynamic-device-signed-nonce"
)


@pytest.fixture
def page() -> Iterator[Page]:
    with opened_page() as opened:
        yield opened


# What a page is told before anybody is signed in


def test_the_settings_hold_what_the_widget_draws_a_sign_in_from(page: Page) -> None:
    told = page.call("GET", "/settings?sdkVersion=WalletKit%2F4.96.3").json()
    assert isinstance(told["chains"], list)
    assert isinstance(told["kyc"], list)
    assert isinstance(told["networks"], list)
    assert isinstance(told["security"], dict)
    assert "modal" in told["design"]
    assert [(each["provider"], bool(each["enabledAt"])) for each in told["providers"]] == [
        ("dynamic", True),
        ("google", True),
        ("github", True),
    ]
    assert told["sdk"]["emailSignIn"] == {"signInProvider": "dynamic"}
    (view,) = told["sdk"]["views"]
    assert [section["type"] for section in view["sections"]] == ["email", "separator", "social", "wallet"]
    assert told["sdk"]["walletConnect"]["projectId"]


def test_every_nonce_is_another(page: Page) -> None:
    five = page.call("GET", "/nonces?count=5").json()["nonces"]
    one = page.call("GET", "/nonce").json()["nonce"]
    assert len({*five, one}) == 6
    assert len(page.call("GET", "/nonces").json()["nonces"]) == 1


@pytest.mark.parametrize("count", ["0", "6", "-1"])
def test_nonces_come_one_to_five_at_a_time(page: Page, count: str) -> None:
    answer = page.call("GET", f"/nonces?count={count}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("path", ["/sdkSettings", "/connect"])
def test_what_the_sdk_reports_is_taken(page: Page, path: str) -> None:
    answer = page.call("POST", path, json={"address": "0x0", "chain": "EVM"})
    assert (answer.status_code, answer.content) == (204, b"")


# The code by e-mail


def test_the_code_of_an_email_opens_a_session_for_the_page_it_was_typed_into(page: Page) -> None:
    user = page.emulator.create_user(credentials=[NewOAuth("google", "1"), NewEmail(EMAIL)])
    answer = page.sign_in()
    assert answer["user"]["id"] == user.id
    assert answer["user"]["verifiedCredentials"][1]["email"] == EMAIL
    assert answer["expiresAt"] == NOW + 7200
    for token in (answer["jwt"], answer["minifiedJwt"]):
        claims = page.claims(token)
        assert (claims["aud"], claims["sub"], claims["scope"]) == (ORIGIN, user.id, "user:basic")
        assert claims["sid"] == claims["originalSid"]
        assert claims["signin_credential_id"] == user.credentials[1].id
    assert page.emulator.session(page.claims(answer["jwt"])["sid"]).origin == ORIGIN


def test_two_pages_of_one_environment_get_tokens_for_two_origins(page: Page) -> None:
    here = page.claims(page.sign_in()["jwt"])
    page.origin = "http://127.0.0.1:4000"
    there = page.claims(page.sign_in()["jwt"])
    assert (here["aud"], there["aud"]) == (ORIGIN, "http://127.0.0.1:4000")
    assert here["sub"] == there["sub"]
    assert here["sid"] != there["sid"]


def test_who_signs_in_first_is_a_new_user_and_the_same_one_from_then_on(page: Page) -> None:
    first, second = page.sign_in("New@example.com"), page.sign_in("new@EXAMPLE.com")
    (user,) = page.emulator.users()
    assert (user.email, user.credentials[0].format) == ("New@example.com", "email")
    assert first["user"]["id"] == second["user"]["id"] == user.id
    assert (first["user"]["newUser"], second["user"]["newUser"]) == (True, False)


class Crowded(Emulator):
    """Who looks for a user here waits for another who looks, as long as one may come."""

    def __init__(self) -> None:
        super().__init__()
        self.both = Barrier(2)

    def users(self) -> list[User]:
        found = super().users()
        with suppress(BrokenBarrierError):
            self.both.wait(0.5)
        return found


def test_two_first_sign_ins_at_once_are_one_user() -> None:
    with run(Crowded()) as running, ThreadPoolExecutor(2) as pool:
        page = Page(running, Hand())
        verifications = [page.begin(), page.begin()]
        codes = [sent.code for sent in reversed(page.emulator.email_codes.sent())]
        answers = list(pool.map(page.finish, verifications, codes))
        assert [answer.status_code for answer in answers] == [200, 200]
        assert len(page.emulator.users()) == 1
    running.emulator.release_keys()


def test_an_address_that_was_not_proven_or_may_not_sign_in_is_nobodys(page: Page) -> None:
    unproven = page.emulator.create_user(email=EMAIL, email_verified=False)
    linked = page.emulator.create_user(credentials=[NewEmail(EMAIL, sign_in=False)])
    assert page.sign_in()["user"]["id"] not in (unproven.id, linked.id)


def test_what_a_user_owes_shows_in_the_token(page: Page) -> None:
    page.emulator.create_user(email=EMAIL, state="mfa_owed")
    assert page.claims(page.sign_in()["jwt"])["scope"] == "requiresAdditionalAuth"


def test_a_wrong_code_is_refused_in_dynamics_words_and_the_right_one_is_still_good(page: Page) -> None:
    verification = page.begin()
    code = page.emulator.email_codes.latest(EMAIL)
    for wrong in (f"{(int(code) + 1) % 10**6:06}", code[:-1], "", "½"):
        answer = page.finish(verification, wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_email_verification_token")
        assert isinstance(answer.json()["error"], str)
    assert page.emulator.users() == []
    assert page.finish(verification, code).status_code == 200


def test_a_code_is_good_once(page: Page) -> None:
    verification, code = page.begin(), page.emulator.email_codes.latest(EMAIL)
    assert page.finish(verification, code).status_code == 200
    again = page.finish(verification, code)
    assert (again.status_code, again.json()["code"]) == (422, "invalid_email_verification")


def test_a_code_is_good_for_ten_minutes(page: Page) -> None:
    first, code = page.begin(), page.emulator.email_codes.latest(EMAIL)
    page.clock.now += 599
    assert page.finish(first, code).status_code == 200
    second, code = page.begin(), page.emulator.email_codes.latest(EMAIL)
    page.clock.now += 600
    late = page.finish(second, code)
    assert (late.status_code, late.json()["code"]) == (422, "invalid_email_verification")


def test_a_code_is_good_for_its_own_verification_alone(page: Page) -> None:
    verification, code = page.begin(), page.emulator.email_codes.latest(EMAIL)
    other = code
    while other == code:  # one time in a million
        page.begin("other@example.com")
        other = page.emulator.email_codes.latest("other@example.com")
    assert page.finish(ELSEWHERE, code).json()["code"] == "invalid_email_verification"
    assert page.finish(verification, other).json()["code"] == "wrong_email_verification_token"


def test_a_code_that_is_sent_again_replaces_the_first(page: Page) -> None:
    verification = page.begin()
    page.clock.now += 500
    body = {"verificationUUID": verification, "email": EMAIL}
    assert page.call("POST", "/emailVerifications/retry", json=body).json() == body
    assert len(page.emulator.email_codes.sent()) == 2
    page.clock.now += 500
    assert page.finish(verification, page.emulator.email_codes.latest(EMAIL)).status_code == 200


def test_a_code_is_sent_again_to_the_same_address_alone(page: Page) -> None:
    body = {"verificationUUID": page.begin(), "email": "other@example.com"}
    for wrong in (body, {"verificationUUID": ELSEWHERE, "email": EMAIL}):
        answer = page.call("POST", "/emailVerifications/retry", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_email_verification")
    assert len(page.emulator.email_codes.sent()) == 1


@pytest.mark.parametrize("email", ["", "demo", "@example.com", "demo@", "a b@example.com", f"{'a' * 250}@b.example"])
def test_what_is_no_address_gets_no_code(page: Page, email: str) -> None:
    answer = page.call("POST", "/emailVerifications/create", json={"email": email})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_email")
    assert page.emulator.email_codes.sent() == []


@pytest.mark.parametrize("step", ["create", "retry", "signin"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"email": 1}', b'{"verificationUUID": "x", "email": null}'])
def test_a_body_that_is_not_the_right_one_is_a_bad_request(page: Page, step: str, body: bytes) -> None:
    answer = page.call("POST", f"/emailVerifications/{step}", data=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_the_codes_are_read_by_address_and_by_the_admin_api(page: Page) -> None:
    verification = page.begin()
    page.begin("other@example.com")
    code = page.emulator.email_codes.latest("DEMO@example.com")
    assert len(code) == 6
    assert code.isdecimal()
    listed = page.admin("/email-codes")["email_codes"]
    assert [each["email"] for each in listed] == ["other@example.com", EMAIL]
    assert listed[1] == {
        "verification_uuid": verification,
        "email": EMAIL,
        "code": code,
        "expires_at": NOW + 600,
    }
    with pytest.raises(LookupError):
        page.emulator.email_codes.latest("nobody@example.com")


def test_a_web_page_cannot_read_the_codes(page: Page) -> None:
    headers = {"Origin": "https://evil.example"}
    answer = requests.get(f"{page.running.origin}/admin/email-codes", headers=headers, timeout=10)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


# The session after it


def test_a_session_of_a_page_is_read_carried_on_and_ended(page: Page) -> None:
    token = page.sign_in()["minifiedJwt"]
    assert page.call("GET", "/users", token=token).json()["email"] == EMAIL
    carried_on = page.call("POST", "/refresh", token=token).json()
    assert page.claims(carried_on["jwt"])["originalSid"] == page.claims(token)["sid"]
    assert page.claims(carried_on["jwt"])["aud"] == ORIGIN
    assert page.call("POST", "/revoke", token=carried_on["minifiedJwt"]).status_code == 204
    for method, path in (("GET", "/users"), ("POST", "/refresh"), ("POST", "/revoke")):
        answer = page.call(method, path, token=carried_on["minifiedJwt"])
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_in_cookie_mode_the_page_gets_no_token(page: Page) -> None:
    page.emulator.switch(cookie_mode=True)
    answer = page.finish(page.begin(), page.emulator.email_codes.latest(EMAIL))
    assert not {"jwt", "minifiedJwt"} & set(answer.json())
    assert answer.headers["Set-Cookie"].startswith("DYNAMIC_JWT_TOKEN=ey")
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"


# The proof of the device


def test_a_devices_proof_is_taken_at_sign_in_and_at_refresh(page: Page) -> None:
    for _ in range(8):  # a point has either of two signs
        device = Device()
        token = page.sign_in(headers=device.proof(page.nonce()))["jwt"]
        assert page.call("POST", "/refresh", token=token, headers=device.proof(page.nonce())).status_code == 200


def test_a_page_may_have_its_nonces_from_before_the_emulator_was_started(page: Page) -> None:
    with opened_page() as yesterday:
        nonce = yesterday.nonce()
    assert page.sign_in(headers=Device().proof(nonce))["jwt"]


def test_a_nonce_of_nobodys_proves_nothing(page: Page) -> None:
    with opened_page(Emulator(environment_id=ELSEWHERE)) as other:
        foreign = other.nonce()
    for nonce in (foreign, "0" * 64, "short", "½", page.nonce()[:-1]):
        verification, code = page.begin(), page.emulator.email_codes.latest(EMAIL)
        assert page.finish(verification, code, Device().proof(nonce)).status_code == 401


def test_a_nonce_proves_a_device_once(page: Page) -> None:
    proof = Device().proof(page.nonce())
    token = page.sign_in(headers=proof)["jwt"]
    answer = page.call("POST", "/refresh", token=token, headers=proof)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert page.call("POST", "/refresh", token=token, headers=Device().proof(page.nonce())).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"x-dynamic-device-nonce": "another"},
        {"x-dynamic-device-nonce": ""},
        {"x-dynamic-device-publickey": ""},
        {"x-dynamic-device-publickey": "04" + "00" * 64},
        {"x-dynamic-device-publickey": f"02{P256_PRIME + 5:x}"},
        {"x-dynamic-device-publickey": "02" + "00" * 31 + "07"},
        {"x-dynamic-device-signed-nonce": "00" * 64},
        {"x-dynamic-device-signed-nonce": "zz"},
        {"x-dynamic-device-signed-nonce": ""},
    ],
    ids=str,
)
def test_a_wrong_proof_of_a_device_signs_nobody_in_and_leaves_the_code_good(page: Page, change: dict[str, str]) -> None:
    verification, code = page.begin(), page.emulator.email_codes.latest(EMAIL)
    refused = page.finish(verification, code, {**Device().proof(page.nonce()), **change})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert page.finish(verification, code).status_code == 200


def test_another_devices_key_does_not_fit_the_signature(page: Page) -> None:
    verification, code = page.begin(), page.emulator.email_codes.latest(EMAIL)
    proof = {**Device().proof(page.nonce()), "x-dynamic-device-publickey": Device().point()}
    assert page.finish(verification, code, proof).status_code == 401


# Pages of other origins


@pytest.mark.parametrize("path", ["/settings", "/emailVerifications/signin", "/chains/EVM/balances"])
def test_a_preflight_lets_the_page_send_what_the_sdk_sends(page: Page, path: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": SENT_BY_THE_SDK}
    answer = page.call("OPTIONS", path, headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Headers"] == SENT_BY_THE_SDK
    assert "POST" in answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/settings", "/nonce", "/no-such-path", "/nonces?count=9", "/users"])
def test_a_page_may_read_every_answer_a_refusal_too(page: Page, path: str) -> None:
    assert page.call("GET", path).headers["Access-Control-Allow-Origin"] == ORIGIN


def test_once_there_are_allowed_origins_no_other_page_may_read(page: Page) -> None:
    page.emulator.switch(allowed_origins=[ORIGIN])
    assert page.call("GET", "/settings").headers["Access-Control-Allow-Origin"] == ORIGIN
    page.origin = "http://localhost:3001"
    for method in ("GET", "OPTIONS"):
        assert "Access-Control-Allow-Origin" not in page.call(method, "/settings").headers


@pytest.mark.parametrize("path", ["/admin/users", "/signin", "/api/v0/environments/x/keys"])
def test_nothing_but_the_sdks_paths_is_open_to_pages(page: Page, path: str) -> None:
    answer = requests.get(f"{page.running.origin}{path}", headers={"Origin": ORIGIN}, timeout=10)
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nonces"), ("POST", "/emailVerifications/create"), ("POST", "/emailVerifications/signin")],
)
def test_another_environment_is_not_found(page: Page, method: str, path: str) -> None:
    answer = requests.request(method, f"{page.running.base_url}/sdk/{ELSEWHERE}{path}", json={}, timeout=10)
    assert answer.status_code == 404
