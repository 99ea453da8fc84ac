"""Assertions by foreign keys, of foreign environments, of other kinds (threats A1 to A3, A7, A8, A14)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from conftest import HeldClock
from test_verify import OTHER_ENVIRONMENT, Desk, desk_at

from bridge import jose
from bridge.emulator import Emulator, RunningEmulator, run
from bridge.reasons import Reason


@pytest.fixture(scope="module")
def world() -> Iterator[RunningEmulator]:
    with run() as world:
        yield world
    world.emulator.release_keys()


@pytest.fixture
def desk(world: RunningEmulator, clock: HeldClock) -> Iterator[Desk]:
    with desk_at([world], clock) as desk:
        yield desk


def signed_by(key: bytes, header: Mapping[str, Any], token: str) -> str:
    """The token's payload under another header, signed by HMAC."""
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    signing_input = f"{head}.{token.split('.')[1]}"
    signature = hmac.digest(key, signing_input.encode(), hashlib.sha256)
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


# Keys (A1, A2, A3, A7)


@pytest.mark.parametrize("spelling", ["PEM", "DER", "JWK", "n"])
@pytest.mark.parametrize(
    ("alg", "reason"), [("HS256", Reason.ALGORITHM_NOT_ALLOWED), ("RS256", Reason.SIGNATURE_INVALID)]
)
def test_the_public_key_is_nobodys_shared_secret(spelling: str, alg: str, reason: Reason, desk: Desk) -> None:
    [jwk] = desk.emulator.jwks()["keys"]
    pem = desk.emulator.public_pem("spki").encode()
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    secret = {"PEM": pem, "DER": der, "JWK": json.dumps(jwk).encode(), "n": jwk["n"].encode()}[spelling]

    forged = signed_by(secret, {"alg": alg, "typ": "JWT", "kid": jwk["kid"]}, desk.token())
    assert desk.refusal(forged) is reason


@pytest.mark.parametrize("header", [{"alg": "none"}, {"jku": "J"}, {"x5u": "J"}, {"jwk": {}}, {"kid": "J"}, {"kid": 5}])
def test_a_hostile_header_makes_no_request(header: dict[str, Any], desk: Desk, world: RunningEmulator) -> None:
    theirs = {name: f"{world.origin}/evil" if value == "J" else value for name, value in header.items()}

    desk.refusal(desk.token(header=theirs))
    assert desk.emulator.requests == []


@pytest.mark.parametrize("forged_first", [True, False])
def test_new_material_under_the_same_kid_is_accepted_and_the_old_no_longer(forged_first: bool, desk: Desk) -> None:
    old = desk.token()
    assert desk.verify(old)
    desk.emulator.rotate_key(same_kid=True)

    if forged_first:  # finds the new key, and must not pass for having found it
        assert desk.refusal(old.rpartition(".")[0] + ".AAAA") is Reason.SIGNATURE_INVALID
    assert desk.verify(desk.token())
    assert desk.refusal(old) is Reason.SIGNATURE_INVALID
    assert len(desk.emulator.requests) == 2


def test_a_rotated_key_is_found_and_a_withdrawn_one_lost(desk: Desk) -> None:
    old = desk.token()
    assert desk.verify(old)
    desk.emulator.rotate_key(keep_old=False)

    assert desk.verify(desk.token())
    assert desk.refusal(old) is Reason.KEY_UNKNOWN
    assert len(desk.emulator.requests) == 2


# Other environments and other kinds of token (A8, A14)


def test_key_issuer_and_environment_must_be_of_one_record(world: RunningEmulator, clock: HeldClock) -> None:
    with run(Emulator(environment_id=OTHER_ENVIRONMENT)) as second, desk_at([world, second], clock) as desk:
        ours, theirs = world.emulator, second.emulator
        for signer, named, issuer, environment in product((ours, theirs), repeat=4):
            header = {"alg": "RS256", "typ": "JWT", "kid": named.jwks()["keys"][0]["kid"]}
            claims = jose.parse(desk.token(claims={"iss": issuer.issuer, "environment_id": environment.environment_id}))
            raw = signer.sign(header, claims.payload)
            if signer is named is issuer is environment:
                assert desk.verify(raw).environment.environment_id == environment.environment_id
            else:
                assert desk.refusal(raw) in {
                    *(Reason.KEY_UNKNOWN, Reason.SIGNATURE_INVALID, Reason.ISSUER_NOT_ACCEPTED),
                }
        theirs.release_keys()


@pytest.mark.parametrize("value", [None, "", 5, [], {}, True, ["x"], "DE300000-0000-4000-8000-000000000001", " "])
def test_an_environment_is_known_by_its_exact_id(value: object, desk: Desk) -> None:
    assert desk.refusal(desk.token(claims={"environment_id": value})) is Reason.ENVIRONMENT_UNKNOWN
    assert desk.refusal(desk.token(without=["environment_id"])) is Reason.ENVIRONMENT_UNKNOWN


def test_our_own_tokens_are_no_assertions(desk: Desk) -> None:
    ours = jose.signing_key("RS256", jose.generate_signing_key("RS256"))
    claims = {**jose.parse(desk.token()).payload, "iss": "https://id.example.com"}

    for typ in ("at+jwt", "logout+jwt"):
        assert desk.refusal(ours.sign(claims, typ)) is Reason.HEADER_NOT_ALLOWED
    assert desk.refusal(ours.sign(claims, "JWT")) is Reason.KEY_UNKNOWN
    del claims["environment_id"]
    assert desk.refusal(ours.sign(claims, "JWT")) is Reason.ENVIRONMENT_UNKNOWN
    assert desk.refusal(desk.token(claims={"iss": "https://id.example.com"})) is Reason.ISSUER_NOT_ACCEPTED


@pytest.mark.parametrize("claims", [{"singleUse": value} for value in (True, False, None, 0)], ids=str)
@pytest.mark.parametrize("shape", ["small", "large"])
def test_an_elevated_token_is_no_sign_in(claims: dict[str, Any], shape: Any, desk: Desk) -> None:
    assert desk.refusal(desk.token(shape=shape, claims=claims)) is Reason.NOT_A_SIGN_IN
    elevated = {"scope": "wallet:export credential:link"}
    assert desk.refusal(desk.token(shape=shape, claims=elevated)) is Reason.SIGN_IN_INCOMPLETE


@pytest.mark.parametrize("value", [None, {}, "x", 5, True])
def test_credentials_that_are_no_list_make_no_sign_in(value: object, desk: Desk) -> None:
    assert desk.refusal(desk.token(claims={"verified_credentials": value})) is Reason.NOT_A_SIGN_IN
