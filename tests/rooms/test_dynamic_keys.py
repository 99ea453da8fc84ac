"""Which of the keys that an environment publishes are taken (threats A4), and what a broken publication does (A6)."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from conftest import HeldClock
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fetch import FaultServer, answer
from test_jwks import REFUSED, outcome

from bridge import jose
from bridge.dynamic.keys import key_set, load_keys
from bridge.emulator import FaultMode, RunningEmulator
from bridge.fetch import Fetcher
from bridge.jwks import FOREGROUND_DEADLINE, OLD, KeySet
from bridge.model import Environment

RSA = rsa.generate_private_key(65537, 2048)
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo
PKCS1 = serialization.PublicFormat.PKCS1


def number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")).rstrip(b"=").decode()


def jwk(**members: Any) -> dict[str, Any]:
    """A good key with the changes; a member that is None is left out."""
    public = RSA.public_key().public_numbers()
    good = {"kty": "RSA", "kid": "k", "use": "sig", "alg": "RS256", "n": number(public.n), "e": number(public.e)}
    return {name: value for name, value in {**good, **members}.items() if value is not None}


def modulus(bits: int) -> str:
    return number((1 << (bits - 1)) + 1)


# The keys of a JWK set


@pytest.mark.parametrize(
    "members",
    [{}, {"use": None}, {"alg": None}, {"use": None, "alg": None}, {"x5c": ["junk"], "x5u": "https://evil.example/"}],
)
def test_an_rsa_key_for_signatures_is_kept(members: dict[str, Any]) -> None:
    keys = jose.rsa_keys({"keys": [jwk(**members)], "extra": 1})

    assert keys["k"].key == RSA.public_key()
    assert (keys["k"].kid, keys["k"].alg, len(keys)) == ("k", "RS256", 1)


SECRET = {"d": number(7), "p": number(7), "q": number(7), "dp": number(7), "dq": number(7), "qi": number(7)}
DROPPED: dict[str, dict[str, Any]] = {
    "symmetric": {"kty": "oct", "k": "AAAA"},
    "symmetric as RS256": {"kty": "oct", "k": "AAAA", "n": None, "e": None},
    "elliptic": {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
    "OKP": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
    "type in lower case": {"kty": "rsa"},
    "no type": {"kty": None},
    "type a list": {"kty": ["RSA"]},
    "for encryption": {"use": "enc"},
    "use a list": {"use": ["sig"]},
    **{f"for {alg}": {"alg": alg} for alg in ("RS384", "RS512", "PS256", "HS256", "none", "ES256", "RSA-OAEP", "", 1)},
    **{f"private by {name}": {name: value} for name, value in SECRET.items()},
    "1024 bit": {"n": modulus(1024)},
    "2047 bit": {"n": modulus(2047)},
    "8193 bit": {"n": modulus(8193)},
    "16384 bit": {"n": modulus(16384)},
    "a million bit": {"n": modulus(1_000_000)},
    "modulus 0": {"n": number(0)},
    "exponent 0": {"e": number(0)},
    "exponent 1": {"e": number(1)},
    "even exponent": {"e": number(65536)},
    "exponent of 33 bit": {"e": number((1 << 32) + 1)},
    "exponent as long as the modulus": {"e": modulus(2047)},
    "no n": {"n": None},
    "no e": {"e": None},
    **{f"n is {value!r}": {"n": value} for value in ("", "!!!", "é", "\ud800", "A", 5, True, [], {}, [modulus(2048)])},
    **{f"e is {value!r}": {"e": value} for value in ("", "!!!", "é", "A", 65537, True, [], {})},
    "no kid": {"kid": None},
    **{f"kid is {value!r:.20}": {"kid": value} for value in ("", "a/b", "a\n", "x" * 129, 1, [], {}, ["k"])},
}


@pytest.mark.parametrize("members", DROPPED.values(), ids=DROPPED.keys())
@pytest.mark.parametrize("first", [True, False])
def test_any_other_key_is_dropped_and_the_good_one_beside_it_stays(members: dict[str, Any], first: bool) -> None:
    bad, good = jwk(**members), jwk(n=number(RSA.public_key().public_numbers().n))
    assert jose.rsa_keys({"keys": [bad]}) == {}

    keys = jose.rsa_keys({"keys": [bad, good] if first else [good, bad]})
    assert keys["k"].key == RSA.public_key()


@pytest.mark.parametrize("bits", [2048, 3072, 4096, 8192])
@pytest.mark.parametrize("exponent", [3, 65537, (1 << 32) - 1])
def test_the_bounds_of_size_and_exponent_are_kept(bits: int, exponent: int) -> None:
    assert jose.rsa_keys({"keys": [jwk(n=modulus(bits), e=number(exponent))]})["k"].key.key_size == bits


def test_of_two_good_keys_under_one_id_the_first_stays() -> None:
    keys = jose.rsa_keys({"keys": [jwk(), jwk(n=modulus(2048))]})

    assert keys["k"].key == RSA.public_key()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.dictionaries(st.sampled_from(["kty", "kid", "use", "alg", "n", "e", "d"]), JUNK)


@settings(max_examples=60, deadline=None)
@given(JUNK | st.fixed_dictionaries({"keys": JUNK}), st.lists(MEMBERS | JUNK))
def test_a_junk_document_holds_no_key_and_breaks_nothing(document: Any, entries: list[Any]) -> None:
    assert jose.rsa_keys(document) == {}
    mixed = [{**jwk(kid=f"k{i}"), **entry} if isinstance(entry, dict) else entry for i, entry in enumerate(entries)]
    assert "good" in jose.rsa_keys({"keys": [*mixed, jwk(kid="good")]})


# The key in a PEM


def encoded(key: Any, form: Any = SPKI) -> str:
    return base64.b64encode(key.public_bytes(serialization.Encoding.PEM, form)).decode()


@pytest.mark.parametrize("form", [SPKI, PKCS1])
def test_both_flavours_of_pem_hold_the_key(form: Any) -> None:
    key = jose.rsa_key_from_pem("k", encoded(RSA.public_key(), form))

    assert key is not None
    assert key.key == jose.rsa_keys({"keys": [jwk()]})["k"].key == RSA.public_key()


PRIVATE_FORM = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
BAD_PEMS: dict[str, object] = {
    "elliptic": encoded(ec.generate_private_key(ec.SECP256R1()).public_key()),
    "Ed25519": encoded(ed25519.Ed25519PrivateKey.generate().public_key()),
    "1024 bit": encoded(rsa.RSAPublicNumbers(65537, (1 << 1023) + 1).public_key()),
    "16384 bit": encoded(rsa.RSAPublicNumbers(65537, (1 << 16383) + 1).public_key()),
    "private": base64.b64encode(RSA.private_bytes(serialization.Encoding.PEM, *PRIVATE_FORM)).decode(),
    "an algorithm that nobody knows": base64.b64encode(
        b"-----BEGIN PUBLIC KEY-----\nMBAwBwYFKwYBBAEDBQABAgME\n-----END PUBLIC KEY-----\n"
    ).decode(),
    "DER": base64.b64encode(RSA.public_key().public_bytes(serialization.Encoding.DER, SPKI)).decode(),
    "PEM without base64": RSA.public_key().public_bytes(serialization.Encoding.PEM, SPKI).decode(),
    "base64 with junk in it": "!" + encoded(RSA.public_key()),
    "empty": "",
    "not base64": "%%%",
    "not ASCII": "é",
    "nothing": None,
    "a number": 5,
    "a list": [],
}


@pytest.mark.parametrize("pem", BAD_PEMS.values(), ids=BAD_PEMS.keys())
def test_any_other_pem_holds_none(pem: object) -> None:
    assert jose.rsa_key_from_pem("k", pem) is None


@pytest.mark.parametrize("kid", [None, 5, "", "a/b", "x" * 129, ["k"]])
def test_a_key_without_a_plain_id_is_none(kid: object) -> None:
    assert jose.rsa_key_from_pem(kid, encoded(RSA.public_key())) is None


# Both sources, from an environment


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with closing(Fetcher(development=True)) as fetcher:
        yield fetcher


def keys_of(dynamic: RunningEmulator, fetcher: Fetcher, clock: HeldClock, source: Any) -> KeySet:
    emulator = dynamic.emulator
    environment = Environment(
        emulator.environment_id, dynamic.base_url, api_token=emulator.api_token, key_source=source
    )
    return key_set(environment, fetcher, clock, load_keys)


def signed(dynamic: RunningEmulator, **how: Any) -> jose.Unverified:
    return jose.parse(dynamic.emulator.sign({"alg": "RS256"}, {"sub": "x"}, **how))


def test_the_jwks_gives_every_published_key(dynamic: RunningEmulator, fetcher: Fetcher, clock: HeldClock) -> None:
    old = dynamic.emulator.jwks()["keys"][0]["kid"]
    new = dynamic.emulator.rotate_key()
    keys = keys_of(dynamic, fetcher, clock, "jwks")

    for kid in (old, new):
        key = keys.get(kid)
        assert key is not None
        assert key.verifies(signed(dynamic, key=kid))
    assert dynamic.emulator.requests == [f"GET /api/v0/sdk/{dynamic.emulator.environment_id}/.well-known/jwks"]


@pytest.mark.parametrize("flavour", ["pkcs1", "spki"])
@pytest.mark.parametrize("same_id", [True, False])
def test_the_keys_endpoint_gives_its_one_key_under_any_kid(
    flavour: str, same_id: bool, dynamic: RunningEmulator, fetcher: Fetcher, clock: HeldClock
) -> None:
    dynamic.emulator.switch(keys_endpoint_pem=flavour, kid_equals_keys_endpoint_id=same_id)
    key = keys_of(dynamic, fetcher, clock, "keys").get(dynamic.emulator.jwks()["keys"][0]["kid"])

    assert key is not None
    assert key.verifies(signed(dynamic))
    assert dynamic.emulator.requests == [f"GET /api/v0/environments/{dynamic.emulator.environment_id}/keys"]


@pytest.mark.parametrize("status", ["203 X", "401 X", "404 X", "500 X"])
def test_only_a_plain_success_gives_keys(status: str, fetcher: Fetcher, clock: HeldClock) -> None:
    body = json.dumps({"keys": [jwk()]}).encode()
    for sent, known in ((status, False), ("200 OK", True)):
        with closing(FaultServer(answer(body, sent))) as server:
            environment = Environment("any", f"http://127.0.0.1:{server.port}")
            keys = key_set(environment, fetcher, clock, load_keys)
            assert (outcome(keys, "k") is not REFUSED) is known


def test_a_wrong_api_token_gives_no_key(dynamic: RunningEmulator, fetcher: Fetcher, clock: HeldClock) -> None:
    keys = keys_of(dynamic, fetcher, clock, "keys")
    dynamic.emulator.api_token = "dyn_another"

    assert outcome(keys) is REFUSED


QUICK = (FaultMode.down, FaultMode.error, FaultMode.garbage, FaultMode.empty)


@pytest.mark.parametrize(
    ("source", "mode"), [*(("jwks", mode) for mode in FaultMode), *(("keys", mode) for mode in QUICK)]
)
def test_a_fault_costs_a_moment_and_no_key(
    mode: FaultMode, source: str, dynamic: RunningEmulator, fetcher: Fetcher, clock: HeldClock
) -> None:
    kid = dynamic.emulator.jwks()["keys"][0]["kid"]
    keys = keys_of(dynamic, fetcher, clock, source)
    known = keys.get(kid)
    dynamic.emulator.faults.set("/", mode)
    clock.forward(OLD)

    began = time.monotonic()
    assert keys.get(kid) is known
    assert time.monotonic() - began < FOREGROUND_DEADLINE + 1
    assert keys.age() == OLD
    assert len(dynamic.emulator.requests) == 2  # no redirect followed, nothing tried twice


@pytest.mark.parametrize("source", ["jwks", "keys"])
@pytest.mark.parametrize("mode", QUICK)
def test_a_fault_from_the_start_leaves_no_keys_to_be_had(
    mode: FaultMode, source: str, dynamic: RunningEmulator, fetcher: Fetcher, clock: HeldClock
) -> None:
    dynamic.emulator.faults.set("/", mode)

    assert outcome(keys_of(dynamic, fetcher, clock, source)) is REFUSED


@pytest.mark.parametrize(
    "document",
    [{"keys": []}, {"keys": {}}, [], {}, "keys", 5, {"keys": [None]}, {"keys": [jwk(kty="oct")]}, [[[[]]]]],
)
def test_a_set_without_a_usable_key_never_replaces_a_good_one(
    document: Any, dynamic: RunningEmulator, fetcher: Fetcher, clock: HeldClock
) -> None:
    kid = dynamic.emulator.jwks()["keys"][0]["kid"]
    keys = keys_of(dynamic, fetcher, clock, "jwks")
    known = keys.get(kid)
    dynamic.emulator.replace_jwks(document)
    clock.forward(OLD)

    assert keys.get(kid) is known
    assert keys.age() == OLD


@pytest.mark.parametrize("members", [{"kty": "oct", "k": "AAAA"}, {"n": modulus(1024)}, {"use": "enc"}, {"d": "AAAA"}])
def test_a_poisoned_set_still_gives_its_good_key(
    members: dict[str, Any], dynamic: RunningEmulator, fetcher: Fetcher, clock: HeldClock
) -> None:
    [good] = dynamic.emulator.jwks()["keys"]
    dynamic.emulator.replace_jwks({"keys": [{**good, **members}, good, {**good, **members}]})

    key = keys_of(dynamic, fetcher, clock, "jwks").get(good["kid"])
    assert key is not None
    assert key.verifies(signed(dynamic))
