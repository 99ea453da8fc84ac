"""Sign-in by wallet at the emulator: the message, the signature, and whose they are."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sdk_page import EMAIL, NOW, ORIGIN, Device, Page, opened_page
from siwe_wallet import Signing, Wallet

from bridge.emulator import DEMO_ENVIRONMENT_ID, NewWallet
from bridge.emulator import ethereum as ethereum_module
from bridge.emulator.ethereum import checksummed, signer

ELSEWHERE = "2c8f4e6a-1b3d-4f5a-8c7e-9d0a1b2c3d4e"


@pytest.fixture
def page() -> Iterator[Page]:
    with opened_page() as opened:
        yield opened


def at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


# Signatures and addresses


def test_the_signer_of_a_known_signature_is_recovered() -> None:
    # From the documentation of ethers: the key 0x01234567…0123.
    known = (
        "0xddd0a7290af9526056b4e35a077b9a11b513aa0028ec6c9880948544508f3c63"
        "265e99e47ad31bb2cab9646c504576b3abc6939a1710afc08cbf3034d73214b81c"
    )
    assert signer("hello world", known) == "0x14791697260E4c9A71f18484C9f997B308e59325"


@pytest.mark.parametrize(
    "address",  # EIP-55, test cases
    [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_an_address_has_its_checksum(address: str) -> None:
    assert checksummed(address.lower()) == address


# Who signs in


def test_a_signature_opens_a_session_for_the_page_that_asked_for_it(page: Page) -> None:
    signing = Signing(page)
    answer = signing.send()
    assert answer.status_code == 200, answer.text
    (user,) = page.emulator.users()
    (shown,) = answer.json()["user"]["verifiedCredentials"]
    assert (shown["format"], shown["chain"], shown["address"]) == ("blockchain", "eip155", signing.wallet.address)
    assert shown["public_identifier"] == signing.wallet.address.lower()
    assert (shown["wallet_name"], shown["wallet_provider"]) == ("metamaskevm", "browserExtension")
    for token in (answer.json()["jwt"], answer.json()["minifiedJwt"]):
        claims = page.claims(token)
        assert (claims["aud"], claims["sub"], claims["scope"]) == (ORIGIN, user.id, "user:basic")
        assert claims["signin_credential_id"] == shown["id"] == user.credentials[0].id
    assert answer.json()["user"]["newUser"] is True


def test_the_user_who_has_the_wallet_signs_in_whatever_case_its_address_is_kept_in(page: Page) -> None:
    signing = Signing(page)
    user = page.emulator.create_user(email=EMAIL, wallets=[NewWallet(address=signing.wallet.address.lower())])
    for _ in range(2):
        answer = signing.send().json()
        assert answer["user"]["id"] == user.id
        assert page.claims(answer["jwt"])["signin_credential_id"] == user.credentials[1].id
    assert len(page.emulator.users()) == 1


def test_a_wallet_that_may_not_sign_in_or_is_on_another_chain_is_nobodys(page: Page) -> None:
    signing = Signing(page)
    address = signing.wallet.address
    embedded = page.emulator.create_user(wallets=[NewWallet(address=address, wallet_provider="embeddedWallet")])
    elsewhere = page.emulator.create_user(wallets=[NewWallet(address=address, chain="flow")])
    assert signing.send().json()["user"]["id"] not in (embedded.id, elsewhere.id)


def test_the_react_widget_signs_in_at_verify_with_the_proof_of_its_device(page: Page) -> None:
    signing = Signing(page)
    assert signing.send(path="/verify", headers=Device().proof(page.nonce())).status_code == 200
    refused = signing.send(path="/verify", headers=Device().proof("another"))
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("offset", [0, 27])
def test_both_ways_to_write_a_recovery_id_are_taken(page: Page, offset: int) -> None:
    signing = Signing(page)
    message = str(signing.message())
    answer = signing.send(message, signedMessage=signing.wallet.sign(message, offset=offset))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"statement": "\n"},
        {"statement": "\n", "more": (f"Request ID: {DEMO_ENVIRONMENT_ID}", "Resources:", "- https://a.example/x")},
        {"chain_id": "11155111"},
        {"issued_at": at(NOW - 299)},
        {"issued_at": at(NOW + 59)},
        {"issued_at": "2027-01-15T09:00:00+01:00"},
        {"domain": "http://localhost:3210"},
        {"uri": ORIGIN},
        {"uri": f"{ORIGIN}/authorize?x=y"},
        {"more": (f"Expiration Time: {at(NOW + 1)}", f"Not Before: {at(NOW)}", f"Request ID: {DEMO_ENVIRONMENT_ID}")},
    ],
    ids=str,
)
def test_what_the_specification_leaves_open_is_taken(page: Page, change: dict[str, Any]) -> None:
    signing = Signing(page)
    answer = signing.send(replace(signing.message(), **change))
    assert answer.status_code == 200, answer.text


# What is refused


@pytest.mark.parametrize(
    "change",
    [
        {"domain": "localhost:3211"},
        {"domain": "localhost"},
        {"domain": "evil.example"},
        {"uri": "http://evil.example/"},
        {"uri": f"{ORIGIN}.evil.example/"},
        {"uri": "http://evil@localhost:3210/"},
        {"uri": "https://localhost:3210/"},
        {"uri": "http://["},
        {"version": "2"},
        {"chain_id": "0x1"},
        {"chain_id": "-1"},
        {"chain_id": ""},
        {"issued_at": at(NOW - 300)},
        {"issued_at": at(NOW + 61)},
        {"issued_at": "yesterday"},
        {"issued_at": "2027-13-41T08:00:00Z"},
        {"issued_at": "0001-01-01T00:00:00+14:00"},
        {"issued_at": "2027-01-15T08:00:00"},
        {"more": ()},
        {"more": (f"Request ID: {ELSEWHERE}",)},
        {"more": ("Request ID: ",)},
        {"more": (f"Expiration Time: {at(NOW)}", f"Request ID: {DEMO_ENVIRONMENT_ID}")},
        {"more": (f"Not Before: {at(NOW + 61)}", f"Request ID: {DEMO_ENVIRONMENT_ID}")},
        {"more": (f"Request ID: {DEMO_ENVIRONMENT_ID}", "and more")},
        {"more": (f"Request ID: {DEMO_ENVIRONMENT_ID}", f"Request ID: {ELSEWHERE}")},
        {"statement": "\ntwo\nlines\n"},
        {"statement": f"\n{'x' * 20_000}\n"},
        {"statement": "\n\ud800\n"},
        {"nonce": "short"},
        {"nonce": "0" * 64},
        {"nonce": "an unknown one"},
    ],
    ids=lambda change: ascii(change)[:70],
)
def test_a_message_that_is_not_for_here_and_now_signs_nobody_in(page: Page, change: dict[str, Any]) -> None:
    signing = Signing(page)
    message = signing.message()
    refused = signing.send(replace(message, **change))
    assert (refused.status_code, refused.json()["code"]) == (422, "other_verify_failure")
    assert isinstance(refused.json()["error"], str)
    assert page.emulator.users() == []
    assert signing.send(message).status_code == 200  # and its nonce was not spent


def test_a_message_is_good_once(page: Page) -> None:
    signing = Signing(page)
    message = signing.message()
    assert signing.send(message).status_code == 200
    again = signing.send(message)
    assert (again.status_code, again.json()["code"]) == (422, "other_verify_failure")
    assert len(page.emulator.users()) == 1


def test_a_nonce_that_proved_a_device_is_spent_for_wallets_too(page: Page) -> None:
    signing = Signing(page)
    message = signing.message()
    page.sign_in(headers=Device().proof(message.nonce))
    assert signing.send(message).status_code == 422


def test_a_message_for_one_page_is_not_taken_from_another(page: Page) -> None:
    signing = Signing(page)
    message = signing.message()
    page.origin = "http://evil.example"
    assert signing.send(message).status_code == 422
    page.origin = "null"
    assert signing.send(message).status_code == 422
    page.origin = ORIGIN
    assert signing.send(message).status_code == 200


@pytest.mark.parametrize("whose", ["publicWalletAddress", "message", "both"])
def test_a_signature_does_not_open_another_wallet(page: Page, whose: str) -> None:
    signing, victim = Signing(page), Wallet()
    message = signing.message()
    if whose != "publicWalletAddress":
        message = replace(message, address=victim.address)
    address = victim.address if whose != "message" else signing.wallet.address
    refused = signing.send(message, publicWalletAddress=address)
    assert (refused.status_code, refused.json()["code"]) == (422, "other_verify_failure")
    assert page.emulator.users() == []


def test_an_address_without_its_checksum_is_no_sign_in_message(page: Page) -> None:
    signing = Signing(page)
    message = replace(signing.message(), address=signing.wallet.address.lower())
    refused = signing.send(message)
    assert refused.status_code == 422
    assert "checksum" in refused.json()["error"]
    assert signing.send(publicWalletAddress=signing.wallet.address.lower()).status_code == 200


@pytest.mark.parametrize(
    "signature",
    ["", "0x", "0x" + "00" * 65, "0x" + "ff" * 65, "0x" + "00" * 64 + "1b", "0x" + "ff" * 64 + "1c", "0x" + "1" * 128,
     "0x" + "zz" * 65, "11" * 65, "0x" + "11" * 64 + "1d", "\ud800"],
    ids=lambda signature: ascii(signature)[:12],
)  # fmt: skip
def test_what_is_no_signature_signs_nobody_in(page: Page, signature: str) -> None:
    signing = Signing(page)
    refused = signing.send(signedMessage=signature)
    assert (refused.status_code, refused.json()["code"]) == (422, "other_verify_failure")


@pytest.mark.parametrize("member", ["chain", "messageToSign", "signedMessage", "publicWalletAddress", "walletName"])
@pytest.mark.parametrize("value", [None, 1, [], {}, True])
def test_a_member_of_the_wrong_type_is_a_bad_request(page: Page, member: str, value: Any) -> None:
    refused = Signing(page).send(**{member: value})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "change",
    [{"chain": "SOL"}, {"walletProvider": "embeddedWallet"}, {"walletProvider": "?"}, {"publicWalletAddress": "0x1"}],
    ids=str,
)
def test_what_the_emulator_does_not_do_is_a_bad_request(page: Page, change: dict[str, str]) -> None:
    assert Signing(page).send(**change).status_code == 400


@pytest.mark.parametrize("path", ["/wallets/signin", "/verify", "/wallets/verify", "/verify/link", "/verify/transfer"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, b'"' + b"x" * 2_000_000 + b'"'], ids=range(5))
def test_no_body_is_too_strange(page: Page, path: str, body: bytes) -> None:
    answer = page.call("POST", path, data=body)
    assert 400 <= answer.status_code < 500
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert set(answer.json()) == {"error", "code"}


def test_a_name_of_half_a_character_is_kept_and_shown(page: Page) -> None:
    answer = Signing(page).send(walletName="\ud800")
    assert answer.status_code == 200
    assert page.admin("/users")["users"][0]["credentials"][0]["members"]["wallet_name"] == "\ud800"


def test_without_the_libraries_the_answer_says_how_to_install_them(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    signing = Signing(page)
    body = signing.body(signing.message())
    monkeypatch.setattr(ethereum_module, "INSTALLED", False)
    refused = page.call("POST", "/wallets/signin", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_installed")
    assert "dynamic-oidc-bridge[emulator]" in refused.json()["error"]
    assert page.sign_in()["jwt"]


# One more wallet for who is signed in


@pytest.mark.parametrize("path", ["/verify/link", "/wallets/verify"])
def test_who_is_signed_in_adds_a_wallet(page: Page, path: str) -> None:
    first = page.sign_in()
    signing = Signing(page)
    added = signing.send(path=path, token=first["minifiedJwt"])
    assert added.status_code == 200, added.text
    assert added.json()["user"]["id"] == first["user"]["id"]
    assert [each["format"] for each in added.json()["user"]["verifiedCredentials"]] == ["email", "blockchain"]
    claims = page.claims(added.json()["jwt"])
    assert claims["sid"] == page.claims(first["jwt"])["sid"]
    assert claims["last_verified_credential_id"] != claims["signin_credential_id"]
    assert signing.send(path=path, token=first["minifiedJwt"]).status_code == 200  # once more changes nothing
    assert len(page.emulator.users()[0].credentials) == 2
    assert signing.send().json()["user"]["id"] == first["user"]["id"]


def test_a_wallet_of_another_user_is_not_taken_from_them(page: Page) -> None:
    signing = Signing(page)
    owner = signing.send().json()["user"]["id"]
    refused = signing.send(path="/verify/link", token=page.sign_in()["minifiedJwt"])
    assert (refused.status_code, refused.json()["code"]) == (422, "merge_accounts_confirmation")
    assert signing.send().json()["user"]["id"] == owner


def test_who_is_not_signed_in_adds_nothing(page: Page) -> None:
    assert Signing(page).send(path="/verify/link").status_code == 401
    assert page.emulator.users() == []
