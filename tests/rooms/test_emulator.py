"""The emulator from the outside: a stock HTTP client, and a stock JOSE library that checks what it signs."""

import base64
import gzip
import json
import re
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError
from joserfc.jwk import KeySet, RSAKey

from bridge.emulator import (
    DEMO_ENVIRONMENT_ID,
    Emulator,
    FaultMode,
    NewEmail,
    NewOAuth,
    NewOther,
    NewPhone,
    NewWallet,
    RunningEmulator,
    Session,
    SessionEndedError,
    Switches,
    UnknownCredentialError,
    UnknownKeyError,
    UnknownUserError,
    User,
    UserState,
    create_app,
    run,
)

pytest_plugins = ["bridge.emulator.fixture"]

NOW = 1_800_000_000
ORIGIN = "https://app.example.com"
SITE_KEY = "10000000-ffff-ffff-ffff-000000000001"
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


@dataclass
class Hand:
    """A clock that moves when it is told to."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class Room:
    """One running environment with one user in it, and the ways in."""

    running: RunningEmulator
    clock: Hand
    user: User
    session: Session

    @property
    def emulator(self) -> Emulator:
        return self.running.emulator

    @property
    def port(self) -> int:
        return int(self.running.origin.rpartition(":")[2])

    @property
    def sdk(self) -> str:
        return f"{self.running.base_url}/sdk/{self.emulator.environment_id}"

    def get(self, path: str, token: str | None = None, **kwargs: Any) -> requests.Response:
        return self.call("GET", f"{self.sdk}{path}", token, **kwargs)

    def post(self, path: str, token: str | None = None, **kwargs: Any) -> requests.Response:
        return self.call("POST", f"{self.sdk}{path}", token, **kwargs)

    def admin(self, method: str, path: str, body: Any = None, **kwargs: Any) -> requests.Response:
        return self.call(method, f"{self.running.origin}/admin{path}", json=body, **kwargs)

    def call(self, method: str, url: str, token: str | None = None, **kwargs: Any) -> requests.Response:
        headers = {**kwargs.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        return requests.request(method, url, headers=headers, timeout=5, allow_redirects=False, **kwargs)

    def mint(self, **kwargs: Any) -> str:
        return self.emulator.mint(self.session, **kwargs)

    def claims(self, token: str) -> dict[str, Any]:
        """The claims, after a second opinion on the signature by the keys as they are served."""
        return jwt.decode(
            token, KeySet.import_key_set(self.get("/.well-known/jwks").json()), algorithms=["RS256"]
        ).claims

    def large(self) -> dict[str, Any]:
        return self.claims(self.mint())

    def small(self) -> dict[str, Any]:
        return self.claims(self.mint(shape="small"))


@pytest.fixture
def room() -> Iterator[Room]:
    clock = Hand()
    emulator = Emulator(clock=clock)
    user = emulator.create_user(
        email="demo@example.com",
        username="demo",
        given_name="Demo",
        lists=["beta-users"],
        metadata={"zoneinfo": "Europe/Berlin"},
        wallets=[
            NewWallet(address=ADDRESS, name_service="demo.eth", last_selected_at=NOW - 60),
            NewWallet("solana", "7qvWUFx2yJzGAWhWNQ6ae51TRTrEPYGadByHXpQienKF", wallet_provider="embeddedWallet"),
        ],
        credentials=[
            NewOAuth("google", "1082345", emails=["demo@example.com"]),
            NewPhone("5550100"),
            NewOther("passkey"),
        ],
    )
    with run(emulator) as running:
        yield Room(running, clock, user, emulator.sign_in(user.id, origin=ORIGIN))
    emulator.release_keys()


@pytest.fixture
def client(room: Room) -> FlaskClient:
    return create_app(room.emulator).test_client()


def header_of(token: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))


# Tokens


def test_both_tokens_of_a_sign_in_verify_against_the_served_keys(room: Room) -> None:
    large, small = room.large(), room.small()
    assert {name: large[name] for name in small} == small
    assert small["iss"] == room.emulator.issuer == f"app.dynamicauth.com/{DEMO_ENVIRONMENT_ID}"
    assert small["aud"] == ORIGIN
    assert (small["sub"], small["sid"]) == (room.user.id, room.session.sid)
    assert (small["iat"], small["exp"], small["refreshExp"]) == (NOW, NOW + 7200, NOW + 30 * 86400)
    assert small["scope"] == "user:basic"
    assert small["environment_id"] == room.emulator.environment_id
    assert small["originalSid"] == small["sid"]
    assert re.fullmatch("0[23][0-9a-f]{64}", small["session_public_key"])
    assert "verified_credentials" not in small
    assert header_of(room.mint()) == {"alg": "RS256", "typ": "JWT", "kid": small["kid"]}


def test_the_large_token_carries_every_credential_as_dynamic_writes_it(room: Room) -> None:
    claims = room.large()
    email, google, phone, passkey, evm, solana = claims["verified_credentials"]
    assert email == {
        "id": claims["signin_credential_id"],
        "format": "email",
        "email": "demo@example.com",
        "public_identifier": "demo@example.com",
        "signInEnabled": True,
        "verifiedAt": "2027-01-15T08:00:00.000Z",
    }
    assert (google["oauth_provider"], google["oauth_account_id"], google["oauth_emails"]) == (
        "google",
        "1082345",
        ["demo@example.com"],
    )
    assert "email" not in google
    assert (phone["phoneNumber"], phone["phoneCountryCode"], phone["isoCountryCode"]) == ("5550100", "1", "US")
    assert passkey["format"] == "passkey"
    assert (evm["chain"], evm["address"], evm["public_identifier"]) == ("eip155", ADDRESS, ADDRESS.lower())
    assert (evm["name_service"], evm["lastSelectedAt"]) == ({"name": "demo.eth"}, "2027-01-15T07:59:00.000Z")
    assert (evm["signInEnabled"], solana["signInEnabled"]) == (True, False)
    assert (solana["wallet_name"], solana["name_service"]) == ("dynamicwaas", {})
    assert solana["public_identifier"] == solana["address"]
    assert solana["wallet_properties"]["thresholdSignatureScheme"] == "TWO_OF_TWO"
    assert claims["missing_fields"] == []
    assert (claims["lists"], claims["metadata"]) == (["beta-users"], {"zoneinfo": "Europe/Berlin"})
    assert (claims["given_name"], claims["new_user"], "family_name" in claims) == ("Demo", True, False)


def test_the_hash_of_a_format_changes_when_its_credentials_do(room: Room) -> None:
    before = room.small()["verifiedCredentialsHashes"]
    assert set(before) == {"blockchain", "email", "oauth", "phoneNumber"}
    assert all(re.fullmatch("[0-9a-f]{32}", value) for value in before.values())
    linked = room.emulator.link(room.user.id, NewEmail("other@example.com"))
    after = room.small()
    assert after["last_verified_credential_id"] == linked.id != after["signin_credential_id"]
    assert {name for name in before if before[name] != after["verifiedCredentialsHashes"][name]} == {"email"}
    room.emulator.unlink(room.user.id, linked.id)
    assert room.small()["verifiedCredentialsHashes"] == before


@pytest.mark.parametrize(
    ("state", "word", "missing"),
    [
        (UserState.complete, "user:basic", []),
        (UserState.mfa_owed, "requiresAdditionalAuth", []),
        (UserState.profile_incomplete, "userDataForm", ["username"]),
        (UserState.device_unconfirmed, "device:register", []),
    ],
)
def test_the_state_of_a_user_shows_in_the_scope(room: Room, state: UserState, word: str, missing: list[str]) -> None:
    room.emulator.update_user(room.user.id, state=state)
    claims = room.large()
    assert claims["scope"] == word
    assert [entry["name"] for entry in claims["missing_fields"]] == missing


def test_custom_scopes_stand_beside_the_state(room: Room) -> None:
    room.emulator.update_user(room.user.id, scopes=["beta"], profile={"btc_wallet": "bc1demo"})
    assert room.large()["scope"] == "user:basic beta"
    assert room.large()["btc_wallet"] == "bc1demo"


def test_a_token_is_what_its_minter_asks_for(room: Room) -> None:
    token = room.mint(
        shape="small",
        origin="https://evil.example",
        lifetime=-5,
        issued_at=17,
        claims={"scope": ["odd", None], "extra": {"deep": [1]}},
        without=["sid", "iss"],
        header={"kid": None, "typ": 7, "jku": "https://evil.example/jwks"},
    )
    assert header_of(token) == {"alg": "RS256", "typ": 7, "jku": "https://evil.example/jwks"}
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert (claims["iat"], claims["exp"], claims["aud"]) == (17, 12, "https://evil.example")
    assert (claims["scope"], claims["extra"]) == (["odd", None], {"deep": [1]})
    assert not {"sid", "iss"} & set(claims)


def test_anything_at_all_can_be_signed(room: Room) -> None:
    key = RSAKey.import_key(room.emulator.public_pem("spki"))
    for header, payload in (
        ({"alg": "RS256"}, b"\xff not json"),
        ({"alg": "RS256"}, b""),
        ({"alg": "RS256"}, {"a": 1}),
    ):
        token = room.emulator.sign(header, payload)
        signed = jws.deserialize_compact(token, key, algorithms=["RS256"])
        assert signed.payload == (payload if isinstance(payload, bytes) else b'{"a":1}')
    assert header_of(room.emulator.sign({"alg": "none", "crit": ["x"]}, b"")) == {"alg": "none", "crit": ["x"]}
    assert room.get("/session", room.emulator.sign({"alg": "none"}, {"sub": room.user.id})).status_code == 401
    with pytest.raises(UnknownKeyError):
        room.emulator.sign({}, b"", key="nobody's")


def test_text_beyond_ascii_is_utf8_in_a_token_and_half_a_character_is_escaped(room: Room) -> None:
    raw = base64.urlsafe_b64decode(room.mint(claims={"alias": "dé", "team": "\ud83d"}).split(".")[1] + "==")
    assert '"alias":"dé","team":"\\ud83d"' in raw.decode()


def test_a_user_is_signed_in_before_a_token_is_minted(room: Room) -> None:
    token = room.emulator.mint(room.user)
    assert room.claims(token)["aud"] == "http://localhost:3000"
    assert room.claims(token)["new_user"] is False
    assert room.get("/session", token).status_code == 204


# Keys


def test_the_keys_are_served_as_jwks_and_as_either_pem(room: Room) -> None:
    served = room.get("/.well-known/jwks").json()
    assert served == room.get("/.well-known/jwks.json").json() == room.emulator.jwks()
    (key,) = served["keys"]
    assert set(key) == {"kid", "alg", "kty", "use", "e", "n"}
    for flavour, title in (("pkcs1", "BEGIN RSA PUBLIC KEY"), ("spki", "BEGIN PUBLIC KEY")):
        room.emulator.switch(keys_endpoint_pem=flavour)
        answer = room.call("GET", keys_endpoint(room), room.emulator.api_token).json()["key"]
        pem = base64.b64decode(answer["publicKey"]).decode()
        assert title in pem
        assert answer["id"] == key["kid"]
        assert RSAKey.import_key(pem).as_dict(private=False)["n"] == key["n"]
        assert jwt.decode(room.mint(), RSAKey.import_key(pem), algorithms=["RS256"]).claims["sub"] == room.user.id


def test_the_key_endpoint_needs_the_api_token(room: Room) -> None:
    assert re.fullmatch("dyn_[0-9a-f]{56}", room.emulator.api_token)
    for token in (None, "dyn_wrong", room.mint()):
        assert room.call("GET", keys_endpoint(room), token).status_code == 401


def test_a_rotation_keeps_the_old_key_unless_told_otherwise(room: Room) -> None:
    old_token, old = room.mint(), room.emulator.jwks()["keys"][0]
    kid = room.emulator.rotate_key()
    assert [key["kid"] for key in room.emulator.jwks()["keys"]] == [old["kid"], kid]
    assert header_of(room.mint())["kid"] == kid
    assert header_of(room.mint(key=old["kid"]))["kid"] == old["kid"]
    assert room.claims(old_token)["kid"] == old["kid"]
    room.emulator.rotate_key(keep_old=False)
    (only,) = room.emulator.jwks()["keys"]
    assert only["n"] != old["n"]
    with pytest.raises(InvalidKeyIdError):
        room.claims(old_token)
    assert room.get("/session", old_token).status_code == 401


def test_a_new_key_can_take_an_old_ones_name(room: Room) -> None:
    old_token, old = room.mint(), room.emulator.jwks()["keys"][0]
    assert room.emulator.rotate_key(same_kid=True) == old["kid"]
    (new,) = room.emulator.jwks()["keys"]
    assert (new["kid"], new["n"] == old["n"]) == (old["kid"], False)
    assert room.large()["kid"] == old["kid"]
    with pytest.raises(BadSignatureError):
        room.claims(old_token)


def test_the_key_set_can_be_poisoned_or_replaced(room: Room) -> None:
    room.emulator.extra_jwks.append({"kty": "oct", "kid": "o", "k": "AA"})
    assert [key["kty"] for key in room.get("/.well-known/jwks").json()["keys"]] == ["RSA", "oct"]
    room.emulator.replace_jwks([1, "two"])
    assert room.get("/.well-known/jwks").json() == [1, "two"]
    room.emulator.replace_jwks(None)
    assert room.get("/.well-known/jwks").json() == room.emulator.jwks()


def test_two_environments_share_no_key_and_a_released_one_lends_its_own() -> None:
    first, second = Emulator(), Emulator()
    moduli = [emulator.jwks()["keys"][0]["n"] for emulator in (first, second)]
    assert moduli[0] != moduli[1]
    second.release_keys()
    third = Emulator()
    assert third.jwks()["keys"][0]["n"] == moduli[1]
    for emulator in (first, third):
        emulator.release_keys()


def test_a_weak_key_can_be_asked_for_and_an_impossible_one_is_refused() -> None:
    weak = Emulator(key_bits=1024)
    assert len(base64.urlsafe_b64decode(weak.jwks()["keys"][0]["n"] + "==")) == 128
    for bits in (512, 2047, 99_999):
        with pytest.raises(ValueError, match="key_bits"):
            Emulator(key_bits=bits)


def keys_endpoint(room: Room) -> str:
    return f"{room.running.base_url}/environments/{room.emulator.environment_id}/keys"


# Sessions


@pytest.mark.parametrize("shape", ["large", "small"])
def test_either_token_resolves_to_the_user_with_every_credential(room: Room, shape: str) -> None:
    user = room.get("/users", room.mint(shape=shape)).json()
    assert (user["id"], user["sessionId"], user["firstName"]) == (room.user.id, room.session.sid, "Demo")
    assert (user["projectEnvironmentId"], user["scope"]) == (room.emulator.environment_id, "user:basic")
    assert user["verifiedCredentials"] == room.large()["verified_credentials"]


def test_a_revoked_session_is_refused_everywhere(room: Room) -> None:
    token = room.mint(shape="small")
    assert room.get("/session", token).status_code == 204
    assert room.post("/revoke", token).status_code == 204
    for refused in (room.get("/session", token), room.get("/users", token), room.post("/refresh", token)):
        assert refused.status_code == 401
        assert refused.json()["error"]
    assert room.large()["sub"] == room.user.id  # offline it still verifies


def test_an_expired_or_foreign_or_broken_token_is_refused(room: Room) -> None:
    other = Emulator(clock=room.clock)
    foreign = other.mint(other.create_user())
    other.release_keys()
    lacking = [room.mint(without=[name]) for name in ("sid", "sub", "iat", "exp")]
    odd = [room.mint(claims={name: [1]}) for name in ("sid", "sub", "iat", "exp")]
    signed = [
        room.emulator.sign({"alg": "RS256", "kid": room.large()["kid"]}, raw) for raw in (b"[1]", b"{", b"[" * 9999)
    ]
    unusual = [room.mint(header={"kid": ["x"]}), room.mint(header={"crit": ["b64"], "b64": False}), room.mint() + "A"]
    for token in (foreign, *lacking, *odd, *signed, *unusual, "a.b.c", "", "é"):
        assert room.get("/session", headers={"Authorization": f"Bearer {token}".encode()}).status_code == 401
    token = room.mint()
    room.clock.now += 7200
    assert room.get("/session", token).status_code == 401


def test_a_refresh_answers_both_tokens_and_ends_the_old_one(room: Room) -> None:
    token = room.mint()
    room.clock.now += 60
    answer = room.post("/refresh", token, headers={"Origin": "https://other.example"}).json()
    claims = room.claims(answer["jwt"])
    assert answer["expiresAt"] == claims["exp"] == room.clock.now + 7200
    assert claims["sid"] == room.claims(answer["minifiedJwt"])["sid"] == answer["user"]["sessionId"] != room.session.sid
    assert (claims["originalSid"], claims["refreshExp"]) == (room.session.sid, room.session.refresh_expires_at)
    assert claims["aud"] == "https://other.example"
    assert [room.get("/session", each).status_code for each in (token, answer["jwt"])] == [401, 204]


def test_a_refresh_after_the_window_is_refused(room: Room) -> None:
    room.clock.now = room.session.refresh_expires_at
    assert room.post("/refresh", room.mint()).status_code == 401
    with pytest.raises(SessionEndedError):
        room.emulator.refresh(room.session.sid)


def test_a_server_sees_a_session_by_its_ids(room: Room) -> None:
    url = f"{room.running.base_url}/users/{room.user.id}/sessions/{room.session.sid}"
    assert room.call("GET", url).status_code == 401
    session = room.call("GET", url, room.emulator.api_token).json()
    assert (session["id"], session["revokedAt"]) == (room.session.sid, None)
    room.emulator.revoke(room.session.sid)
    assert room.call("GET", url, room.emulator.api_token).json()["revokedAt"] == "2027-01-15T08:00:00.000Z"
    for wrong in (url + "x", url.replace(room.user.id, "someone")):
        assert room.call("GET", wrong, room.emulator.api_token).status_code == 404


def test_another_environment_is_not_found(room: Room) -> None:
    for path in ("sdk/{}/.well-known/jwks", "sdk/{}/settings", "sdk/{}/session", "environments/{}/keys", "nothing"):
        answer = room.call("GET", f"{room.running.base_url}/{path.format('2c8f4e6a-1b3d-4f5a-8c7e-9d0a1b2c3d4e')}")
        assert answer.status_code == 404
        assert answer.json()["error"]


def test_settings_and_health_are_public(room: Room) -> None:
    assert room.get("/healthcheck").json() == {"status": "healthy"}
    answer = room.get("/settings").json()
    assert answer["security"]["jwtDuration"] == {"amount": 2, "unit": "hours"}
    (chain,) = answer["chains"]
    assert (chain["name"], chain["networks"][0]["networkId"], answer["kyc"]) == ("evm", 1, [])


def test_a_user_without_credentials_can_still_hold_a_session(room: Room) -> None:
    user = room.emulator.create_user(email="demo@example.com", email_verified=False)
    claims = room.claims(room.emulator.mint(user))
    assert (claims["verified_credentials"], claims["email"]) == ([], "demo@example.com")
    assert claims["signin_credential_id"] == claims["last_verified_credential_id"]


def test_the_credential_of_a_sign_in_can_be_chosen(room: Room) -> None:
    wallet = room.user.credentials[-2]
    session = room.emulator.sign_in(room.user.id, origin=ORIGIN, credential_id=wallet.id)
    assert room.claims(room.emulator.mint(session))["signin_credential_id"] == wallet.id
    with pytest.raises(UnknownCredentialError):
        room.emulator.sign_in(room.user.id, origin=ORIGIN, credential_id="x")
    with pytest.raises(UnknownUserError):
        room.emulator.sign_in("x", origin=ORIGIN)


def test_what_cannot_be_a_user_is_refused(room: Room) -> None:
    with pytest.raises(ValueError, match="taken"):
        room.emulator.create_user(id=room.user.id)
    with pytest.raises(ValueError, match="address"):
        room.emulator.create_user(wallets=[NewWallet("solana")])
    with pytest.raises(TypeError, match="nickname"):
        room.emulator.update_user(room.user.id, nickname="x")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="large or small"):
        room.mint(shape="huge")
    assert room.emulator.get_user(room.user.id) in room.emulator.users()


# Switches: the name, a value, and what a client then sees


def refreshed(room: Room) -> dict[str, Any]:
    before = room.mint()
    room.clock.now += 1
    room.session = room.emulator.refresh(room.session.sid)
    return {
        "new_sid": room.large()["sid"] != room.large()["originalSid"],
        "old": room.get("/session", before).status_code,
    }


def revoked_by_refresh(room: Room) -> int:
    room.emulator.refresh(room.session.sid)
    return [event.name for event in room.emulator.management.events()].count("user.session.revoked")


def key_id_is_kid(room: Room) -> bool:
    return room.call("GET", keys_endpoint(room), room.emulator.api_token).json()["key"]["id"] == room.small()["kid"]


def small_token_session(room: Room) -> tuple[bool, int]:
    token = room.mint(shape="small")
    return room.claims(token)["sid"] == room.session.sid, room.get("/session", token).status_code


def half_done(room: Room) -> str:
    room.emulator.update_user(room.user.id, state="mfa_owed")
    return room.small()["scope"]


def begun(room: Room, email: str = "new@example.com") -> requests.Response:
    return room.post("/emailVerifications/create", json={"email": email})


def first_scope(room: Room) -> str:
    email = f"{uuid.uuid4()}@example.com"
    verification, code = begun(room, email).json()["verificationUUID"], room.emulator.email_codes.latest(email)
    body = {"verificationUUID": verification, "verificationToken": code}
    return room.claims(room.post("/emailVerifications/signin", json=body).json()["jwt"])["scope"]


def origin_of_another(room: Room) -> tuple[int, bool]:
    answer = room.get("/settings", headers={"Origin": "https://b.example"})
    return answer.status_code, "Access-Control-Allow-Origin" in answer.headers


def fourth_code(room: Room) -> int:
    return [begun(room).status_code for _ in range(4)][-1]


def cookie_refresh(room: Room) -> tuple[bool, list[str]]:
    answer = room.post("/refresh", room.mint())
    return "jwt" in answer.json(), list(answer.cookies.keys())


def security(name: str) -> Any:
    return lambda room: room.get("/settings").json()["security"][name]


ENV = DEMO_ENVIRONMENT_ID
EFFECTS: list[tuple[str, Any, Any, Any, Any]] = [
    # switch, its other value, the look, what is seen by default, what is seen then
    ("sid_changes_on_refresh", False, refreshed, {"new_sid": True, "old": 401}, {"new_sid": False, "old": 401}),
    ("old_token_ends_on_refresh", False, refreshed, {"new_sid": True, "old": 401}, {"new_sid": True, "old": 204}),
    ("revokes_old_sid_on_refresh", True, revoked_by_refresh, 0, 1),
    (
        "issuer_host",
        "auth.example.io",
        lambda r: r.large()["iss"],
        f"app.dynamicauth.com/{ENV}",
        f"auth.example.io/{ENV}",
    ),
    ("issuer_scheme", "https://", lambda r: r.large()["iss"][:8], "app.dyna", "https://"),
    (
        "small_token_same_issuer",
        False,
        lambda r: r.small()["iss"],
        f"app.dynamicauth.com/{ENV}",
        f"app.dynamic.xyz/{ENV}",
    ),
    ("small_token_same_key", False, lambda r: r.small()["kid"] == r.large()["kid"], True, False),
    ("small_token_same_key", False, lambda r: len(r.get("/.well-known/jwks").json()["keys"]), 1, 2),
    ("small_token_same_key", False, lambda r: r.get("/session", r.mint(shape="small")).status_code, 204, 204),
    ("small_token_same_sid", False, small_token_session, (True, 204), (False, 204)),
    ("audience", "array", lambda r: r.large()["aud"], ORIGIN, [ORIGIN]),
    ("audience", "absent", lambda r: "aud" in r.small(), True, False),
    ("scope_form", "array", lambda r: r.small()["scope"], "user:basic", ["user:basic"]),
    ("scope_form", "empty", lambda r: r.small()["scope"], "user:basic", ""),
    ("scope_form", "absent", lambda r: "scope" in r.small(), True, False),
    ("scope_form", "absent", half_done, "requiresAdditionalAuth", "requiresAdditionalAuth"),
    ("blocking_scope_beside_basic", True, half_done, "requiresAdditionalAuth", "user:basic requiresAdditionalAuth"),
    ("signin_credential_present", False, lambda r: "signin_credential_id" in r.small(), True, False),
    ("sign_in_enabled_present", False, lambda r: "signInEnabled" in r.large()["verified_credentials"][0], True, False),
    ("verified_at_present", False, lambda r: "verifiedAt" in r.large()["verified_credentials"][0], True, False),
    ("legacy_claims", True, lambda r: "verified_account" in r.large() and r.large()["info"]["chain"], False, "SOL"),
    ("kid_equals_keys_endpoint_id", False, key_id_is_kid, True, False),
    ("keys_endpoint_pem", "pkcs1", lambda r: b"RSA" in base64.b64decode(raw_pem(r)), False, True),
    (
        "jwks_cache_control",
        "max-age=5",
        lambda r: r.get("/.well-known/jwks").headers.get("Cache-Control"),
        None,
        "max-age=5",
    ),
    ("session_status", 200, lambda r: r.get("/session", r.mint()).status_code, 204, 200),
    ("session_refused_status", 403, lambda r: r.get("/session").status_code, 401, 403),
    ("sdk_requires_origin", True, lambda r: r.get("/session", r.mint()).status_code, 204, 403),
    ("sdk_requires_origin", True, lambda r: r.get("/.well-known/jwks").status_code, 200, 200),
    ("allowed_origins", ("https://a.example",), security("allowedOrigins"), [], ["https://a.example"]),
    ("allowed_origins", ("https://a.example",), origin_of_another, (200, True), (403, False)),
    ("rate_limits", True, fourth_code, 200, 429),
    ("profile_entries", "camelCase", lambda r: "publicIdentifier" in first_entry(r), False, True),
    ("cookie_mode", True, security("auth"), {"storage": ["localStorage"]}, {"storage": ["cookie"]}),
    ("cookie_mode", True, cookie_refresh, (True, []), (False, ["DYNAMIC_JWT_TOKEN"])),
    ("cookie_mode", True, lambda r: r.get("/session", headers=cookie(r)).status_code, 401, 204),
    (
        "jwt_duration_minutes",
        45,
        security("jwtDuration"),
        {"amount": 2, "unit": "hours"},
        {"amount": 45, "unit": "minutes"},
    ),
    ("jwt_duration_minutes", 1, lambda r: r.post("/refresh", r.mint()).json()["expiresAt"] - NOW, 7200, 60),
    ("mfa_required", True, lambda r: security("mfa")(r)["required"], False, True),
    ("device_registration_required", True, security("deviceRegistrationRequired"), False, True),
    ("environment_locked", True, security("environmentLocked"), False, True),
    (
        "captcha_enabled",
        True,
        security("hCaptcha"),
        {"enabled": False, "siteKey": SITE_KEY},
        {"enabled": True, "siteKey": SITE_KEY},
    ),
    ("captcha_enabled", True, lambda r: begun(r).status_code, 200, 400),
    ("token_lifetime_seconds", 4, lambda r: r.post("/refresh", r.mint()).json()["expiresAt"] - NOW, 7200, 4),
    ("device_proof_required", True, lambda r: r.post("/refresh", r.mint()).status_code, 200, 401),
    ("new_user_state", "mfa_owed", first_scope, "user:basic", "requiresAdditionalAuth"),
    ("social_redirect_urls", ("https://a.example/",), lambda r: begun_at_google(r).status_code, 204, 400),
]


def begun_at_google(room: Room) -> requests.Response:
    return room.post("/providers/google/initAuth", json={"state": "1", "redirectUrl": "https://b.example/"})


def raw_pem(room: Room) -> str:
    return room.call("GET", keys_endpoint(room), room.emulator.api_token).json()["key"]["publicKey"]


def first_entry(room: Room) -> dict[str, Any]:
    return room.get("/users", room.mint()).json()["verifiedCredentials"][0]


def cookie(room: Room) -> dict[str, str]:
    return {"Cookie": f"DYNAMIC_JWT_TOKEN={room.mint(shape='small')}"}


@pytest.mark.parametrize(("name", "value", "look", "before", "after"), EFFECTS)
def test_a_switch_changes_what_a_client_sees(
    room: Room, name: str, value: Any, look: Any, before: Any, after: Any
) -> None:
    fresh = replace(room.session)
    assert look(room) == before
    room.emulator.update_user(room.user.id, state="complete")
    room.session = room.emulator.sign_in(fresh.user_id, origin=ORIGIN)
    room.emulator.switches = replace(room.emulator.switches, **{name: value})
    assert look(room) == after


def test_every_switch_has_a_test_of_its_effect() -> None:
    assert {field.name for field in fields(Switches)} == {name for name, *_ in EFFECTS}


def test_an_allowed_origin_passes_and_another_does_not(room: Room) -> None:
    room.emulator.switch(sdk_requires_origin=True, allowed_origins=["https://a.example"])
    for origin, status in (("https://a.example", 204), ("https://b.example", 403)):
        assert room.get("/session", room.mint(), headers={"Origin": origin}).status_code == status


BAD_SWITCHES: list[dict[str, Any]] = [
    {"no_such": 1},
    {"self": 1},
    {"audience": "client"},
    {"session_status": True},
    {"cookie_mode": 1},
    {"issuer_host": None},
    {"allowed_origins": [1]},
    {"jwks_cache_control": "a\nb"},
    {"jwt_duration_minutes": 0},
]


def test_an_unknown_switch_or_value_is_refused(room: Room) -> None:
    for changes in BAD_SWITCHES:
        with pytest.raises(ValueError, match=r"."):
            room.emulator.switch(**changes)
        assert room.admin("PUT", "/switches", changes).status_code == 400, changes
    assert room.emulator.switches == Switches()


# Faults


def test_a_server_that_is_down_sends_nothing(room: Room) -> None:
    room.emulator.faults.set("/sdk", FaultMode.down)
    with pytest.raises(requests.ConnectionError, match="without response"):
        room.get("/.well-known/jwks")


@pytest.mark.parametrize(
    ("mode", "status", "body"),
    [
        ("error", 500, b"internal"),
        ("garbage", 200, b"<html>not json"),
        ("empty", 200, b"{}"),
        ("rate_limited", 429, b"many"),
    ],
)
def test_a_fault_answers_in_the_place_of_the_app(room: Room, mode: str, status: int, body: bytes) -> None:
    room.emulator.faults.set("/", mode)
    answer = room.get("/.well-known/jwks")
    assert (answer.status_code, body in answer.content) == (status, True)
    assert answer.headers.get("Retry-After") == ("7" if mode == "rate_limited" else None)


def test_a_redirect_goes_where_it_is_told(room: Room) -> None:
    room.emulator.faults.set("/sdk", FaultMode.redirecting, location="http://127.0.0.1:1/x")
    answer = room.get("/.well-known/jwks")
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:1/x")


def test_a_huge_answer_does_not_announce_its_size(room: Room) -> None:
    room.emulator.faults.set("/sdk", FaultMode.huge, size=300_000)
    answer = room.get("/.well-known/jwks")
    assert "Content-Length" not in answer.headers
    assert len(answer.content) == 300_000
    assert answer.content.startswith(b'{"keys":[{')


def test_a_gzip_bomb_is_small_on_the_wire(room: Room) -> None:
    room.emulator.faults.set("/sdk", FaultMode.gzip_bomb)
    answer = room.get("/.well-known/jwks", stream=True)
    packed = answer.raw.read(decode_content=False)
    assert (answer.headers["Content-Encoding"], len(packed) < 100_000) == ("gzip", True)
    assert len(gzip.decompress(packed)) > 50_000_000


def test_a_slow_answer_comes_in_the_end(room: Room) -> None:
    room.emulator.faults.set("/sdk", FaultMode.slow, delay=0.15)
    began = time.monotonic()
    assert room.get("/healthcheck").json() == {"status": "healthy"}
    assert time.monotonic() - began >= 0.15


def test_a_dripping_answer_comes_a_byte_at_a_time_headers_and_all(room: Room) -> None:
    room.emulator.faults.set("/sdk", FaultMode.dripping)
    with socket.create_connection(("127.0.0.1", room.port), timeout=5) as connection:
        connection.sendall(f"GET /api/v0/sdk/{ENV}/healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert [connection.recv(100) for _ in range(9)] == [b"H", b"T", b"T", b"P", b"/", b"1", b".", b"1", b" "]


@pytest.mark.parametrize("mode", ["slow", "dripping", "huge"])
def test_a_server_stops_at_once_whatever_it_was_waiting_for(room: Room, mode: str) -> None:
    room.emulator.faults.set("/", mode, delay=600, size=2**40)
    with socket.create_connection(("127.0.0.1", room.port), timeout=5) as connection:
        connection.sendall(f"GET /api/v0/sdk/{ENV}/healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        began = time.monotonic()
        room.running.close()
        room.running.close()
        assert time.monotonic() - began < 1
    with pytest.raises(requests.ConnectionError):
        room.get("/healthcheck")


def test_a_fault_can_be_for_some_paths_and_some_times(room: Room) -> None:
    room.emulator.faults.set("/sdk", FaultMode.error, times=2)
    room.emulator.faults.set(f"/api/v0/sdk/{ENV}/.well-known", FaultMode.empty)
    paths = ["/.well-known/jwks", "/healthcheck", "/healthcheck", "/healthcheck"]
    assert [room.get(path).status_code for path in paths] == [200, 500, 500, 200]
    assert room.get("/.well-known/jwks").json() == {}
    room.emulator.faults.clear()
    assert room.get("/.well-known/jwks").json() == room.emulator.jwks()


BAD_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("sdk", {}),
    ("/sdk", {"mode": "odd"}),
    ("/sdk", {"delay": float("nan")}),
    ("/sdk", {"size": -1}),
    ("/sdk", {"location": "a\r\nb"}),
    ("/sdk", {"times": 0}),
]


def test_a_fault_out_of_range_is_refused(room: Room) -> None:
    for prefix, options in BAD_FAULTS:
        with pytest.raises(ValueError, match=r"."):
            room.emulator.faults.set(prefix, **{"mode": "slow", **options})
    assert room.emulator.faults.in_force() == {}


def test_the_faults_work_without_a_socket_too(room: Room, client: FlaskClient) -> None:
    room.emulator.faults.set("/", FaultMode.dripping)
    assert client.get(f"/api/v0/sdk/{ENV}/healthcheck", buffered=False).status_code == 200
    room.emulator.faults.set("/", FaultMode.down)
    with pytest.raises(ConnectionAbortedError):
        client.get("/api/v0/")


def test_requests_are_counted_by_path(room: Room) -> None:
    room.get("/.well-known/jwks")
    room.get("/.well-known/jwks.json")
    room.get("/healthcheck")
    room.admin("GET", "/requests")
    assert (room.emulator.count("jwks"), room.emulator.count("admin"), len(room.emulator.requests)) == (2, 0, 3)
    assert room.emulator.requests[-1] == f"GET /api/v0/sdk/{ENV}/healthcheck"
    assert room.admin("GET", "/requests").json() == {"requests": room.emulator.requests}
    room.emulator.clear_requests()
    assert room.emulator.requests == []


# Admin


def test_the_admin_api_does_a_whole_story(room: Room) -> None:
    wallet = {"address": ADDRESS, "name_service": {"name": "demo.eth", "avatar": "https://img.example/a.png"}}
    body = {
        "email": "second@example.com",
        "wallets": [wallet],
        "credentials": [
            {"format": "oauth", "provider": "github", "account_id": "7", "username": "demo"},
            {"format": "phoneNumber", "number": "5550101"},
            {"format": "totp", "sign_in": False},
            {"format": "blockchain", "chain": "eip155", "verified_at": NOW},
        ],
        "state": "mfa_owed",
    }
    user = room.admin("POST", "/users", body).json()["user"]
    assert [credential["format"] for credential in user["credentials"]] == [
        "email",
        "oauth",
        "phoneNumber",
        "totp",
        "blockchain",
        "blockchain",
    ]
    change = {"state": "complete", "link": [{"format": "email", "email": "third@example.com"}]}
    change["unlink"] = [user["credentials"][0]["id"]]
    changed = room.admin("PATCH", f"/users/{user['id']}", change).json()["user"]
    assert [changed["state"], changed["credentials"][-1]["members"]["email"]] == ["complete", "third@example.com"]
    assert [each["id"] for each in room.admin("GET", "/users").json()["users"]] == [room.user.id, user["id"]]

    wanted = {"shape": "small", "origin": ORIGIN, "lifetime": 60, "claims": {"x": 1}, "without": ["email"]}
    minted = room.admin("POST", f"/users/{user['id']}/tokens", wanted).json()
    claims = room.claims(minted["token"])
    assert (claims["sub"], claims["sid"], claims["aud"], claims["x"]) == (user["id"], minted["sid"], ORIGIN, 1)
    assert claims["exp"] - claims["iat"] == 60
    again = room.admin("POST", f"/users/{user['id']}/tokens", {"sid": minted["sid"], "header": {"typ": None}}).json()
    assert (again["sid"], "typ" in header_of(again["token"])) == (minted["sid"], False)

    kid = room.admin("POST", "/keys/rotate", {"keep_old": False}).json()["kid"]
    assert [key["kid"] for key in room.emulator.jwks()["keys"]] == [kid]
    assert room.admin("POST", f"/sessions/{minted['sid']}/revoke").json() == {"revoked": minted["sid"]}
    assert room.emulator.session(minted["sid"]).revoked_at == NOW
    assert room.admin("PUT", "/switches", {"allowed_origins": [ORIGIN]}).json()["allowed_origins"] == [ORIGIN]
    assert room.admin("GET", "/switches").json()["session_status"] == 204
    assert room.admin("PUT", "/faults", {"path_prefix": "/", "mode": "error"}).json()["faults"]["/"]["mode"] == "error"
    assert room.get("/healthcheck").status_code == 500
    assert room.admin("DELETE", "/faults").json() == {"faults": {}}
    assert room.get("/healthcheck").status_code == 200


def test_the_index_names_every_admin_route(room: Room) -> None:
    listed = {re.sub("<[^>]*>", "<>", line) for line in room.admin("GET", "/").json()}
    rules = [rule for rule in create_app(room.emulator).url_map.iter_rules() if rule.rule.startswith("/admin")]
    ours = {
        f"{method} {re.sub('<[^>]*>', '<>', rule.rule)}"
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert listed == ours


USER_BODIES: list[Any] = [
    [1],
    "text",
    {"nickname": "x"},
    {"email": 1},
    {"lists": "a"},
    {"lists": [1]},
    {"metadata": [1]},
    {"state": "odd"},
    {"email_verified": "no"},
    {"id": ""},
    {"wallets": {}},
    {"wallets": [1]},
    {"wallets": [{"chain": "solana"}]},
    {"wallets": [{"address": 1}]},
    {"wallets": [{"verified_at": 10**12}]},
    {"wallets": [{"name_service": {"name": 1}}]},
    {"wallets": [{"additional_addresses": [1]}]},
    {"wallets": [{"id": "one"}, {"id": "one"}]},
    {"credentials": [{}]},
    {"credentials": [{"format": "email"}]},
    {"credentials": [{"format": "oauth", "provider": "google"}]},
    {"credentials": [{"format": "phoneNumber", "number": 5}]},
]


def test_a_bad_user_is_400_with_a_message(room: Room) -> None:
    for body in USER_BODIES:
        answer = room.admin("POST", "/users", body)
        assert answer.status_code == 400, body
        assert len(answer.json()["error"]) > 5
    assert room.emulator.users() == [room.emulator.get_user(room.user.id)]


OTHER_BODIES: list[tuple[str, str, Any]] = [
    ("PATCH", "/users/{user}", {"link": [{"format": "email", "email": None}]}),
    ("PATCH", "/users/{user}", {"id": "other"}),
    ("POST", "/users/{user}/tokens", {"shape": "huge"}),
    ("POST", "/users/{user}/tokens", {"lifetime": "60"}),
    ("POST", "/users/{user}/tokens", {"lifetime": 1.5}),
    ("POST", "/users/{user}/tokens", {"issued_at": 10**30}),
    ("POST", "/users/{user}/tokens", {"claims": []}),
    ("POST", "/keys/rotate", {"keep_old": None}),
    ("PUT", "/faults", {"mode": "error"}),
    ("PUT", "/faults", {"path_prefix": "/", "mode": "odd"}),
    ("PUT", "/faults", {"path_prefix": "/", "mode": "slow", "delay": True}),
    ("PUT", "/faults", {"path_prefix": "/", "mode": "redirecting", "location": "a\nb"}),
    ("PUT", "/switches", {"audience": ["array"]}),
]


def test_bad_admin_input_is_400(room: Room) -> None:
    for method, path, body in OTHER_BODIES:
        assert room.admin(method, path.format(user=room.user.id), body).status_code == 400, (path, body)


RAW_BODIES = [
    b"{",
    b"\xff",
    b'{"claims":{"a":NaN}}',
    b"[" * 100_000,
    b'{"a":' * 70 + b"1" + b"}" * 70,
    b'{"id":1' + b"0" * 5000,
]


def test_a_body_that_is_not_json_is_400(room: Room) -> None:
    for raw in RAW_BODIES:
        assert room.call("POST", f"{room.running.origin}/admin/users", data=raw).status_code == 400, raw[:20]


def test_an_unknown_id_is_404_and_a_body_too_large_413(room: Room) -> None:
    mine = f"/users/{room.user.id}"
    assert room.admin("PATCH", "/users/x", {}).status_code == 404
    assert room.admin("PATCH", mine, {"unlink": ["x"]}).status_code == 404
    assert room.admin("POST", f"{mine}/tokens", {"key": "x"}).status_code == 404
    assert room.admin("POST", f"{mine}/tokens", {"sid": "x"}).status_code == 404
    assert room.admin("POST", "/sessions/x/revoke").status_code == 404
    assert room.admin("POST", "/users", {"alias": "a" * 2**20}).status_code == 413
    other = room.emulator.create_user()
    assert room.admin("POST", f"/users/{other.id}/tokens", {"sid": room.session.sid}).status_code == 400


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["email", "wallets", "credentials", "lists", "metadata", "state", "claims", "header", "issued_at"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(
    body=st.dictionaries(NAMES, JSON_VALUES, max_size=3),
    path=st.sampled_from(["users", "users/{}/tokens", "switches", "faults"]),
)
def test_no_admin_input_is_a_server_error(room: Room, client: FlaskClient, body: dict[str, Any], path: str) -> None:
    method = client.put if path in ("switches", "faults") else client.post
    assert method(f"/admin/{path.format(room.user.id)}", data=json.dumps(body)).status_code < 500


CALLERS: list[tuple[dict[str, str], int]] = [
    ({}, 200),
    ({"Host": "localhost:5000"}, 200),
    ({"Host": "[::1]:5000"}, 200),
    ({"Host": "evil.example"}, 403),
    ({"Host": "127.0.0.1.evil.example"}, 403),
    ({"Host": "192.168.0.1"}, 403),
    ({"Origin": "http://localhost:3000"}, 200),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://["}, 403),
]


def test_the_admin_api_answers_this_machine_only(room: Room) -> None:
    for headers, status in CALLERS:
        assert room.admin("GET", "/switches", headers=headers).status_code == status, headers


# The server


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com", ""])
def test_a_host_that_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        run(host=host)


def test_a_taken_port_is_an_error_and_not_the_end(room: Room) -> None:
    with pytest.raises(OSError, match=r"."):
        run(room.emulator, port=room.port)


def test_the_fixture_gives_a_fresh_environment(dynamic: RunningEmulator) -> None:
    user = dynamic.emulator.create_user(email="demo@example.com")
    token = dynamic.emulator.mint(user, shape="small")
    url = f"{dynamic.base_url}/sdk/{dynamic.emulator.environment_id}/session"
    assert requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5).status_code == 204


def test_an_environment_is_named_by_a_uuid() -> None:
    emulator = Emulator(environment_id=DEMO_ENVIRONMENT_ID.upper(), host="auth.example.io")
    assert emulator.issuer == f"auth.example.io/{DEMO_ENVIRONMENT_ID}"
    emulator.release_keys()
    with pytest.raises(ValueError, match="UUID"):
        Emulator(environment_id="demo")


def test_requests_are_not_logged(room: Room, capfd: pytest.CaptureFixture[str]) -> None:
    room.get("/healthcheck")
    room.emulator.faults.set("/", FaultMode.down)
    with pytest.raises(requests.ConnectionError):
        room.get("/healthcheck")
    assert capfd.readouterr() == ("", "")
