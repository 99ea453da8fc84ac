"""Wallets as claims; and the profile, which brings them to a token that has none."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from conftest import ADDRESS, APP_ORIGIN

from bridge.dynamic.claims import identity_of, identity_with_profile
from bridge.dynamic.keys import key_set, load_keys
from bridge.dynamic.profile import fetch_profile
from bridge.dynamic.verify import Door, Verifier
from bridge.dynamic.wallets import wallets_of
from bridge.emulator import Emulator, FaultMode, NewOAuth, NewPhone, NewWallet, RunningEmulator, User
from bridge.errors import FetchFailed
from bridge.fetch import Fetcher
from bridge.model import Assertion, ClaimRule, Environment

SOLANA = "7qvWUFx2yJzGAWhWNQ6ae51TRTrEPYGadByHXpQienKF"
EARLY, LATE = "2026-11-20T10:00:00.000Z", "2026-11-20T10:00:01+00:00"


def wallet(number: int, **members: Any) -> dict[str, Any]:
    return {"id": f"w{number}", "format": "blockchain", "chain": "eip155", "address": f"0x{number}", **members}


def primary(*entries: dict[str, Any], **source: Any) -> str | None:
    """The address of the primary wallet, after a look at the marks."""
    found = wallets_of(entries, source)
    assert [entry["address"] for entry in found["wallets"] if entry["primary"]] == [found["wallet_address"]]
    return found["wallet_address"]


def test_a_wallet_is_told_as_dynamic_gave_it() -> None:
    evm = wallet(1, address=ADDRESS, wallet_name="metamask", wallet_provider="browserExtension", verifiedAt=EARLY)
    solana = wallet(2, chain="solana", address=SOLANA, name_service={"name": "demo.sol"}, verifiedAt=LATE)
    assert wallets_of([evm, solana], {}) == {
        "wallets": [
            {
                "namespace": "eip155",
                "address": ADDRESS,
                "kind": "external",
                "provider": "metamask",
                "verified_at": 1795168800,
                "primary": True,
            },
            {
                "namespace": "solana",
                "address": SOLANA,
                "kind": "external",
                "name": "demo.sol",
                "verified_at": 1795168801,
                "primary": False,
            },
        ],
        "wallet_address": ADDRESS,
    }


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"wallet_provider": "embeddedWallet"}, "embedded"),
        ({"wallet_provider": "smartContractWallet"}, "smart"),
        ({"wallet_provider": "embeddedWallet", "id": "w1-zerodev"}, "smart"),
        ({"wallet_provider": "walletConnect"}, "external"),
        ({"wallet_provider": ["embeddedWallet"]}, "external"),
        ({}, "external"),
    ],
)
def test_the_kind_of_a_wallet_follows_its_provider(members: dict[str, Any], kind: str) -> None:
    assert wallets_of([wallet(1, **members)], {})["wallets"][0]["kind"] == kind


def test_the_primary_wallet_signed_in_or_was_selected_or_verified_last_or_is_the_first() -> None:
    selected = (wallet(1, lastSelectedAt=EARLY), wallet(2), wallet(3, lastSelectedAt=LATE))
    plain = (wallet(1), wallet(2), wallet(3))
    assert primary(*selected, signin_credential_id="w2", last_verified_credential_id="w1") == "0x2"
    assert primary(*selected, signin_credential_id="mail", last_verified_credential_id="w2") == "0x3"
    assert primary(*plain, signin_credential_id="mail", last_verified_credential_id="w2") == "0x2"
    assert primary(*plain, last_verified_credential_id="mail") == "0x1"
    assert primary(*plain) == "0x1"


def test_of_two_wallets_with_one_id_the_first_is_primary() -> None:
    assert primary(wallet(1), wallet(2, id="same"), wallet(3, id="same"), signin_credential_id="same") == "0x2"


@pytest.mark.parametrize("hostile", [["w1"], {"a": 1}, 5, None, "", "a" * 300, "\ud800", "a\nb"])
def test_a_hostile_entry_does_no_harm_to_the_others(hostile: Any) -> None:
    names = ("id", "chain", "wallet_name", "wallet_provider", "name_service", "verifiedAt", "lastSelectedAt")
    odd = wallet(1, **dict.fromkeys(names, hostile))
    without_address = (wallet(2, address=hostile), {"format": "blockchain"}, {"format": hostile, "address": "0x3"})
    found = wallets_of([odd, *without_address, wallet(4)], {"signin_credential_id": hostile})
    assert [entry["address"] for entry in found["wallets"]] == ["0x1", "0x4"]
    assert {"address": "0x1", "kind": "external", "primary": True}.items() <= found["wallets"][0].items()


@pytest.mark.parametrize(
    "at",
    ["2026-11-20T10:00:00", "20 November", "9999-12-31T23:59:59-24:00", 1795168800, f"2026-11-20T10:00:00.{'0' * 30}Z"],
)
def test_a_time_without_zone_or_sense_is_left_out(at: Any) -> None:
    assert "verified_at" not in wallets_of([wallet(1, verifiedAt=at)], {})["wallets"][0]


def test_a_user_without_wallets_has_no_wallet_claims() -> None:
    assert wallets_of([], {}) == {}
    assert wallets_of([{"format": "email", "email": "demo@example.com", "address": ADDRESS}], {}) == {}


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    made = Fetcher(development=True)
    yield made
    made.close()


def environment(dynamic: RunningEmulator, **settings: Any) -> Environment:
    return Environment(dynamic.emulator.environment_id, api_base_url=dynamic.base_url, **settings)


def rich_user(emulator: Emulator) -> User:
    return emulator.create_user(
        email="demo@example.com",
        username="demo",
        given_name="Given",
        family_name="Family",
        alias="alias",
        country="NO",
        t_shirt_size="M",
        metadata={"department": "sales"},
        lists=["beta"],
        scopes=["admin"],
        credentials=[NewPhone("5550100123"), NewOAuth("google", "1", emails=["lent@example.com"])],
        wallets=[
            NewWallet(address=ADDRESS, name_service={"name": "demo.eth", "avatar": "https://img.example.com/a.png"}),
            NewWallet(chain="solana", address=SOLANA, wallet_provider="embeddedWallet", last_selected_at=1_795_000_000),
        ],
    )


def verified(raw: str, where: Environment, dynamic: RunningEmulator, fetcher: Fetcher) -> Assertion:
    clock = dynamic.emulator.clock
    keys = key_set(where, fetcher, clock, load_keys)
    verifier = Verifier([(where, keys)], max_lifetime=30 * 86400, skew=30)
    return verifier.verify(raw, Door(frozenset({APP_ORIGIN}), 7200), clock())


def small_token(dynamic: RunningEmulator, fetcher: Fetcher, **settings: Any) -> tuple[str, Assertion]:
    emulator = dynamic.emulator
    raw = emulator.mint(rich_user(emulator), shape="small", origin=APP_ORIGIN)
    return raw, verified(raw, environment(dynamic, **settings), dynamic, fetcher)


@pytest.mark.parametrize("spelling", ["snake_case", "camelCase"])
def test_a_small_token_with_its_profile_says_what_the_large_one_says(
    dynamic: RunningEmulator, fetcher: Fetcher, spelling: str
) -> None:
    emulator, where = dynamic.emulator, environment(dynamic)
    emulator.switch(profile_entries=spelling)
    session = emulator.sign_in(rich_user(emulator).id, origin=APP_ORIGIN)
    small, large = (emulator.mint(session, shape=shape) for shape in ("small", "large"))
    by_small, by_large = (verified(raw, where, dynamic, fetcher) for raw in (small, large))
    rules = (ClaimRule("metadata.department", "department"), ClaimRule("t_shirt_size", "size"))

    profile = fetch_profile(small, by_small, fetcher)
    completed = identity_with_profile(by_small, profile, rules, now=by_large.issued_at)

    assert completed == identity_of(by_large, rules)
    assert completed.complete
    assert completed.claims["wallet_address"] == SOLANA
    assert {"given_name", "family_name", "department", "size", "phone_number", "picture", "groups"} <= (
        completed.claims.keys()
    )


@pytest.mark.parametrize("mode", [*FaultMode])
def test_a_profile_that_goes_wrong_is_no_profile(dynamic: RunningEmulator, fetcher: Fetcher, mode: FaultMode) -> None:
    raw, assertion = small_token(dynamic, fetcher)
    dynamic.emulator.faults.set(f"/sdk/{assertion.environment.environment_id}/users", mode, delay=10)
    with pytest.raises(FetchFailed) as failed:
        fetch_profile(raw, assertion, fetcher)
    assert raw not in str(failed.value)


def test_a_profile_is_asked_for_with_the_origin_that_the_environment_demands(
    dynamic: RunningEmulator, fetcher: Fetcher
) -> None:
    dynamic.emulator.switch(sdk_requires_origin=True, allowed_origins=[APP_ORIGIN])
    raw, assertion = small_token(dynamic, fetcher, request_origin=APP_ORIGIN)
    assert fetch_profile(raw, assertion, fetcher)["id"] == assertion.user_id
    raw, assertion = small_token(dynamic, fetcher)
    with pytest.raises(FetchFailed, match="status 403"):
        fetch_profile(raw, assertion, fetcher)


def test_a_profile_is_not_to_be_had_once_the_session_has_ended(dynamic: RunningEmulator, fetcher: Fetcher) -> None:
    raw, assertion = small_token(dynamic, fetcher)
    dynamic.emulator.revoke(assertion.sid)
    with pytest.raises(FetchFailed, match="status 401"):
        fetch_profile(raw, assertion, fetcher)


@contextmanager
def answering(body: str) -> Iterator[str]:
    """A server that answers every GET with this body; its base URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the overridden parameter
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def told(fetcher: Fetcher, document: Any) -> dict[str, Any]:
    """The profile of USER_ID that a server answering with this document leads to."""
    with answering(document if isinstance(document, str) else json.dumps(document)) as base_url:
        where = Environment(ENVIRONMENT_ID, api_base_url=base_url)
        assertion = Assertion(where, USER_ID, "s", None, 1, 2, None, "small", b"", {"signin_credential_id": "w1"})
        return dict(fetch_profile("raw", assertion, fetcher))


USER_ID, ENVIRONMENT_ID = "22222222-2222-4222-8222-222222222222", "11111111-1111-4111-8111-111111111111"
OTHER_ID = "33333333-3333-4333-8333-333333333333"
PROFILE: dict[str, Any] = {"id": USER_ID, "projectEnvironmentId": ENVIRONMENT_ID, "verifiedCredentials": []}


@pytest.mark.parametrize(
    "document",
    [
        {**PROFILE, "id": OTHER_ID},
        {**PROFILE, "projectEnvironmentId": OTHER_ID},
        {**PROFILE, "id": None},
        {**PROFILE, "id": [USER_ID]},
        {name: value for name, value in PROFILE.items() if name != "projectEnvironmentId"},
        {**PROFILE, "verifiedCredentials": None},
        {**PROFILE, "verifiedCredentials": {}},
        {"user": PROFILE},
        [PROFILE],
        "null",
        "",
        "[" * 100_000,
    ],
)
def test_an_answer_about_somebody_else_or_of_another_form_is_no_profile(fetcher: Fetcher, document: Any) -> None:
    with pytest.raises(FetchFailed):
        told(fetcher, document)


def test_odd_entries_of_a_profile_are_passed_over(fetcher: Fetcher) -> None:
    profile = told(fetcher, {**PROFILE, "verifiedCredentials": [5, None, ["a"], {}, wallet(1, walletName="metamask")]})
    assert profile["verified_credentials"][:3] == [5, None, ["a"]]
    assert profile["verified_credentials"][4]["wallet_name"] == "metamask"
