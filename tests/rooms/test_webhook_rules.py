"""A webhook message alone: its signature, its form, and what it says. And the API that Dynamic is asked by."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.dynamic.effects import (
    EVENTS,
    CredentialRemoved,
    Effect,
    Ping,
    SessionRevoked,
    Unknown,
    UserChanged,
    UserDeleted,
    UserMerged,
)
from bridge.dynamic.management import create_webhook, event_page, session_state, user_now, webhooks
from bridge.dynamic.wallets import without_wallet
from bridge.dynamic.webhooks import DynamicEvent, event_of, read, verify
from bridge.emulator import NewWallet, RunningEmulator
from bridge.errors import FetchFailed, Refused
from bridge.fetch import Fetcher
from bridge.model import Environment
from bridge.reasons import Reason

NOW = 1_795_400_000
ENVIRONMENT = "11111111-1111-4111-8111-111111111111"
A, B, C = (f"{letter * 8}-aaaa-4aaa-8aaa-aaaaaaaaaaaa" for letter in "abc")
SID = "0e9d8c7b-6a5f-4e3d-8c1b-2a0f9e8d7c6b"
SECRET, OTHER = "dyn_one-secret-of-dynamics", "dyn_the-other-secret"
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


def envelope(name: str = "ping", data: Any = None, **members: Any) -> dict[str, Any]:
    return {
        "messageId": "5a2a5360-bb7e-4ea6-9bd3-0146bf2f7301",
        "eventId": "2a92c161-3167-44ad-8fce-4c6cdaed8101",
        "eventName": name,
        "timestamp": "2026-11-20T11:24:57.523Z",
        "environmentId": ENVIRONMENT,
        "data": {} if data is None else data,
        **members,
    }


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def effect(name: str, data: Any = None, **members: Any) -> Effect:
    return event_of(envelope(name, data, **members), ENVIRONMENT, NOW).effect


# The signature


def is_good(body: bytes, signature: str | None, *secrets: str) -> bool:
    try:
        verify(body, signature, secrets or (SECRET,))
    except Refused:
        return False
    return True


@given(st.binary(max_size=200))
def test_what_was_signed_is_good_and_with_any_bit_flipped_is_not(body: bytes) -> None:
    signature = signed(body)
    assert is_good(body, signature)
    for bit in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not is_good(bytes(flipped), signature)


def test_no_bit_of_the_signature_may_differ() -> None:
    body = b"{}"
    good = bytes.fromhex(signed(body).removeprefix("sha256="))
    for bit in range(256):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not is_good(body, f"sha256={flipped.hex()}")


@given(st.one_of(st.none(), st.text(max_size=80), st.from_regex(r"sha256=[0-9a-f]{64}\s?", fullmatch=True)))
@example("sha256=")
@example("sha256=" + "٣" * 64)
@example("sha256=" + "0" * 63 + "\n")
def test_no_other_header_is_a_signature(header: str | None) -> None:
    assert not is_good(b"{}", header)


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_either_of_two_secrets_is_good(secret: str) -> None:
    assert is_good(b"{}", signed(b"{}", secret), SECRET, OTHER)
    assert not is_good(b"{}", signed(b"{}", secret + "x"), SECRET, OTHER)


def test_without_a_secret_nothing_is_good() -> None:
    with pytest.raises(Refused):
        verify(b"{}", signed(b"{}", ""), ())


# The form


def test_a_message_is_read() -> None:
    body = json.dumps(envelope("user.session.revoked", {"id": SID, "userId": A})).encode()
    assert read(body, ENVIRONMENT, NOW) == DynamicEvent(
        ENVIRONMENT,
        "2a92c161-3167-44ad-8fce-4c6cdaed8101",
        "user.session.revoked",
        1_795_173_897,
        SessionRevoked(SID, A, by_admin=False),
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\xff{}",
        b"\xef\xbb\xbf{}",
        '{"eventId":"x"}'.encode("utf-16"),
        b'{"eventId":"a","eventId":"b"}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":' + b"[" * 30 + b"]" * 30 + b"}",
        b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"a":' + b"9" * 20_000 + b"}",
    ],
)
def test_what_is_no_strict_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read(body, ENVIRONMENT, NOW)
    assert refused.value.reason is Reason.WEBHOOK_MALFORMED


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("eventId", None),
        ("eventId", ""),
        ("eventId", "x" * 129),
        ("eventId", "a b"),
        ("eventId", 7),
        ("eventName", None),
        ("eventName", "x\ny"),
        ("timestamp", None),
        ("timestamp", "yesterday"),
        ("timestamp", "2026-11-20T11:24:57"),
        ("timestamp", "0001-01-01T00:00:00+23:59"),
        ("timestamp", 1),
        ("environmentId", A),
        ("environmentId", None),
        ("environmentId", [ENVIRONMENT]),
    ],
)
def test_what_is_no_event_of_the_environment_is_malformed(member: str, value: Any) -> None:
    with pytest.raises(Refused) as refused:
        event_of(envelope(**{member: value}), ENVIRONMENT, NOW)
    assert refused.value.reason is Reason.WEBHOOK_MALFORMED


def test_a_time_far_off_is_taken_for_now() -> None:
    assert event_of(envelope(timestamp="9999-12-31T23:59:59Z"), ENVIRONMENT, NOW).at == NOW + 60


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = ("id", "userId", "user", "publicKey", "email", "provider", "verifiedCredentials", "mergedUserId", "sessions")


@given(
    st.sampled_from([*EVENTS, "else.unknown"]),
    st.one_of(
        JSON, st.dictionaries(st.sampled_from(MEMBERS), JSON | st.sampled_from([A, B, SID, ADDRESS]), max_size=6)
    ),
    JSON,
)
def test_whatever_the_data_are_a_message_means_something_or_nothing(name: str, data: Any, user_id: Any) -> None:
    body = json.dumps(envelope(name, data, userId=user_id)).encode("utf-8", "surrogatepass")
    with suppress(Refused):  # anything else is a fault
        assert isinstance(read(body, ENVIRONMENT, NOW).effect, Effect)


# What it says


@pytest.mark.parametrize(
    ("name", "data", "members", "said"),
    [
        ("ping", {}, {}, Ping()),
        ("visit.created", {"id": A}, {}, Unknown()),
        ("user.session.revoked", {"id": SID}, {"userId": A}, SessionRevoked(SID, A, by_admin=False)),
        ("user.session.revoked", {"userId": B}, {"userId": A}, SessionRevoked(None, B, by_admin=False)),
        ("user.session.revoked", {"id": "../x", "userId": "me"}, {}, Unknown()),
        ("user.session.revoked", {"sessionId": SID}, {"userId": A}, Unknown()),
        ("admin.user.session.revoked", {"id": SID}, {"userId": A}, SessionRevoked(SID, None, by_admin=True)),
        ("admin.user.session.revoked", {"id": SID, "userId": B}, {"userId": A}, SessionRevoked(SID, B, by_admin=True)),
        ("admin.user.session.revoked", {}, {"userId": A}, Unknown()),
        ("user.deleted", {"id": A}, {"userId": B}, UserDeleted(A)),
        ("user.deleted", {}, {"userId": B}, Unknown()),
        ("user.deleted", {"id": A.upper()}, {}, Unknown()),
        ("user.merged", {"id": A, "mergedUserId": B}, {}, UserMerged(gone=B, survivor=A)),
        ("user.merged", {"user": {"id": A}, "mergedAwayUserId": B}, {}, UserMerged(gone=B, survivor=A)),
        ("user.merged", {"id": A, "mergedUserId": A}, {}, UserChanged(A)),
        ("user.merged", {"mergedUserId": B}, {}, Unknown()),
        ("user.updated", {"id": A}, {}, UserChanged(A)),
        ("user.updated", {}, {"userId": A}, Unknown()),
        ("wallet.linked", {"userId": A}, {}, UserChanged(A)),
        ("wallet.linked", {"id": B}, {"userId": A}, UserChanged(A)),
        ("wallet.unlinked", {"publicKey": ADDRESS}, {"userId": A}, CredentialRemoved((A,), ADDRESS)),
        ("wallet.unlinked", {"publicKey": ADDRESS}, {}, Unknown()),
        (
            "wallet.transferred",
            {"publicKey": ADDRESS, "userId": A, "previousUserId": B},
            {"userId": C},
            CredentialRemoved((A, B, C), ADDRESS),
        ),
        ("user.email.unlinked", {"email": "a@b.c", "userId": A}, {}, CredentialRemoved((A,), None, "a@b.c")),
        ("user.email.unlinked", {"userId": A}, {}, CredentialRemoved((A,), any_email=True)),
        ("user.social.unlinked", {"userId": A, "provider": "google"}, {}, CredentialRemoved((A,), any_email=True)),
        ("user.social.unlinked", {"userId": A, "provider": "github"}, {}, CredentialRemoved((A,))),
    ],
)
def test_what_an_event_says(name: str, data: Any, members: dict[str, Any], said: Effect) -> None:
    assert effect(name, data, **members) == said


def test_a_changed_user_is_told_in_the_tokens_words() -> None:
    user = {
        "id": A,
        "firstName": "Mira",
        "verifiedCredentials": [{"id": "c", "format": "email", "publicIdentifier": "p"}],
    }
    for data in (user, {"user": user}):
        said = effect("user.updated", data)
        assert isinstance(said, UserChanged)
        assert said.profile is not None
        assert said.profile["given_name"] == "Mira"
        assert said.profile["verified_credentials"][0]["public_identifier"] == "p"


def wallet(address: str, *, primary: bool = False) -> dict[str, Any]:
    return {"address": address, "primary": primary}


@pytest.mark.parametrize(
    ("wallets", "lost", "left", "first"),
    [
        (["0xAb", "0xcd"], "0xaB", ["0xcd"], "0xcd"),
        (["0xAb", "0xcd"], "0xCD", ["0xAb"], "0xAb"),
        (["SoLa", "sola"], "sola", ["SoLa"], "SoLa"),
        (["0xAb"], "0xab", [], None),
        (["0xAb"], "0xef", ["0xAb"], "0xAb"),
        ([], "0xef", [], None),
    ],
)
def test_a_lost_wallet_leaves_the_others_and_one_of_them_is_the_first(
    wallets: list[str], lost: str, left: list[str], first: str | None
) -> None:
    claims: dict[str, Any] = {"name": "Mira"}
    if wallets:
        claims["wallets"] = [wallet(address, primary=number == 0) for number, address in enumerate(wallets)]
        claims["wallet_address"] = wallets[0]
    found = without_wallet(claims, lost)
    assert [one["address"] for one in found.get("wallets", [])] == left
    assert found.get("wallet_address") == first
    assert [one["address"] for one in found.get("wallets", []) if one["primary"]] == ([first] if first else [])
    assert found["name"] == "Mira"


# The API that Dynamic is asked by


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    made = Fetcher(development=True)
    yield made
    made.close()


@pytest.fixture
def environment(dynamic: RunningEmulator) -> Environment:
    world = dynamic.emulator
    return Environment(world.environment_id, api_base_url=dynamic.base_url, api_token=world.api_token)


def test_a_session_is_asked_about(dynamic: RunningEmulator, environment: Environment, fetcher: Fetcher) -> None:
    world = dynamic.emulator
    world.clock = lambda: NOW
    user, other = world.create_user(), world.create_user()
    session = world.sign_in(user.id, origin="https://app.example.com")
    found = session_state(environment, fetcher, user.id, session.sid, NOW)
    assert found is not None
    assert (found.is_alive, found.created_at) == (True, NOW)
    assert session_state(environment, fetcher, other.id, session.sid, NOW) is None
    world.revoke(session.sid)
    ended = session_state(environment, fetcher, user.id, session.sid, NOW)
    assert ended is not None
    assert not ended.is_alive


def test_a_user_is_asked_about_with_their_sessions(
    dynamic: RunningEmulator, environment: Environment, fetcher: Fetcher
) -> None:
    world = dynamic.emulator
    user = world.create_user(given_name="Mira", wallets=[NewWallet(address=ADDRESS)])
    sids = [world.sign_in(user.id, origin="https://app.example.com").sid for _ in range(3)]
    found = user_now(environment, fetcher, user.id, NOW)
    assert found is not None
    assert found.document["firstName"] == "Mira"
    assert [session.sid for session in found.sessions] == sids
    assert user_now(environment, fetcher, A, NOW) is None


@pytest.mark.parametrize("mode", ["error", "garbage", "empty", "down", "redirecting", "rate_limited"])
def test_no_answer_is_no_answer(
    dynamic: RunningEmulator, environment: Environment, fetcher: Fetcher, mode: str
) -> None:
    user = dynamic.emulator.create_user()
    dynamic.emulator.faults.set("/", mode)
    with pytest.raises(FetchFailed):
        user_now(environment, fetcher, user.id, NOW)
    with pytest.raises(FetchFailed):
        session_state(environment, fetcher, user.id, SID, NOW)
    with pytest.raises(FetchFailed):
        create_webhook(environment, fetcher, "http://127.0.0.1:9/", ())


@pytest.fixture
def answering(fetcher: Fetcher) -> Iterator[Callable[[Any], Environment]]:
    """Environments whose API answers every call with the same document."""
    servers: list[HTTPServer] = []

    def answer(document: Any) -> Environment:
        class Same(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: object) -> None:
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Same))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{servers[-1].server_port}"
        return Environment(ENVIRONMENT, api_base_url=base, api_token="dyn_x")

    yield answer
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "user",
    [{"id": B}, {}, {"id": A, "projectEnvironmentId": B}, [], None, {"id": [A]}],
)
def test_an_answer_about_another_user_or_environment_is_no_answer(
    answering: Callable[[Any], Environment], fetcher: Fetcher, user: Any
) -> None:
    with pytest.raises(FetchFailed):
        user_now(answering({"user": user}), fetcher, A, NOW)


@pytest.mark.parametrize("session", [{"id": "another"}, {}, {"id": None}, {"id": [SID]}, [], None])
def test_an_answer_about_another_session_is_no_answer(
    answering: Callable[[Any], Environment], fetcher: Fetcher, session: Any
) -> None:
    with pytest.raises(FetchFailed):
        session_state(answering(session), fetcher, A, SID, NOW)


def test_a_session_whose_end_cannot_be_read_has_ended(
    answering: Callable[[Any], Environment], fetcher: Fetcher
) -> None:
    found = session_state(answering({"id": SID, "revokedAt": "yesterday"}), fetcher, A, SID, NOW)
    assert found is not None
    assert found.revoked_at == NOW


@pytest.mark.parametrize("sessions", [None, "x", [1, None, {}, {"id": "../x"}, {"id": 7}]])
def test_sessions_of_another_form_are_left_out(
    answering: Callable[[Any], Environment], fetcher: Fetcher, sessions: Any
) -> None:
    found = user_now(answering({"user": {"id": A, "sessions": sessions}}), fetcher, A, NOW)
    assert found is not None
    assert found.sessions == ()


def test_a_log_without_an_end_is_read_to_an_end(answering: Callable[[Any], Environment], fetcher: Fetcher) -> None:
    for document in ({"data": [], "cursor": "x"}, {"data": None, "cursor": "x"}, {"cursor": 7}, {}):
        assert event_page(answering(document), fetcher, since=NOW).cursor is None


@pytest.mark.parametrize("bad", ["..", ".", "", "a/b", "a?b", "a#b", "{env}", "%2e", "x" * 200])
def test_no_id_leads_to_another_path(
    dynamic: RunningEmulator, environment: Environment, fetcher: Fetcher, bad: str
) -> None:
    with pytest.raises(FetchFailed, match="not an id"):
        user_now(environment, fetcher, bad, NOW)
    with pytest.raises(FetchFailed, match="not an id"):
        session_state(environment, fetcher, A, bad, NOW)
    assert dynamic.emulator.requests == []


def test_the_event_log_is_read_page_by_page(
    dynamic: RunningEmulator, environment: Environment, fetcher: Fetcher
) -> None:
    world = dynamic.emulator
    world.clock = lambda: NOW
    made = {world.create_user().id for _ in range(45)}
    first = event_page(environment, fetcher, since=NOW)
    second = event_page(environment, fetcher, since=NOW, cursor=first.cursor)
    third = event_page(environment, fetcher, since=NOW, cursor=second.cursor)
    assert third.cursor is None
    entries = [*first.entries, *second.entries, *third.entries]
    assert {entry["data"]["id"] for entry in entries} == made
    assert event_page(environment, fetcher, since=NOW + 1).entries == []


def test_a_webhook_is_made_and_listed(dynamic: RunningEmulator, environment: Environment, fetcher: Fetcher) -> None:
    url = "http://127.0.0.1:9/hook"
    dynamic.emulator.webhooks.hold()
    webhook_id, secret = create_webhook(environment, fetcher, url, ("user.deleted",))
    assert dynamic.emulator.webhooks.get(webhook_id).secret == secret
    assert [(one["webhookId"], one["url"]) for one in webhooks(environment, fetcher)] == [(webhook_id, url)]


def test_without_an_api_token_nobody_is_asked(dynamic: RunningEmulator, fetcher: Fetcher) -> None:
    bare = Environment(dynamic.emulator.environment_id, api_base_url=dynamic.base_url)
    with pytest.raises(FetchFailed, match="no API token"):
        webhooks(bare, fetcher)
    assert dynamic.emulator.requests == []
