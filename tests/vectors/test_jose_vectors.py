"""Signatures, thumbprints and half hashes that the specifications print, checked byte for byte."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from bridge import jose

VECTORS = json.loads(Path(__file__).with_name("jose.json").read_text("utf-8"))

Vector = Mapping[str, str]


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def private_pem(vector: Vector) -> bytes:
    key: Any
    if vector["alg"] == "RS256":
        n, e, d = (int.from_bytes(unb64(vector[name]), "big") for name in ("n", "e", "d"))
        p, q = rsa.rsa_recover_prime_factors(n, e, d)
        parts = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
        key = rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(e, n)).private_key()
    elif vector["alg"] == "ES256":
        key = ec.derive_private_key(int.from_bytes(unb64(vector["d"]), "big"), ec.SECP256R1())
    else:
        key = ed25519.Ed25519PrivateKey.from_private_bytes(unb64(vector["d"]))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, *form))


def verification_key(vector: Vector) -> jose.VerificationKey:
    if "d" in vector:
        return jose.signing_key(vector["alg"], private_pem(vector)).verification
    return jose.rsa_keys({"keys": [{"kty": "RSA", "kid": "k", "n": vector["n"], "e": vector["e"]}]})["k"]


@pytest.mark.parametrize("vector", VECTORS["signatures"], ids=lambda vector: vector["source"])
def test_the_signature_of_a_specification_verifies(vector: Vector) -> None:
    key = verification_key(vector)
    signing_input, _, signature = vector["token"].rpartition(".")
    # Put together by hand: one of the payloads is not JSON.
    example = jose.Unverified({}, {}, signing_input.encode(), unb64(signature))
    altered = jose.Unverified({}, {}, signing_input.encode() + b"A", unb64(signature))

    assert key.verifies(example)
    assert not key.verifies(altered)


def test_the_first_example_of_rfc_7515_that_is_ours_is_parsed() -> None:
    token = jose.parse(VECTORS["signatures"][0]["token"])

    assert token.header == {"alg": "RS256"}
    assert token.payload == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}


@pytest.mark.parametrize("vector", VECTORS["thumbprints"], ids=lambda vector: vector["source"])
def test_the_kid_of_our_key_is_the_thumbprint_of_the_specification(vector: Vector) -> None:
    assert jose.signing_key(vector["alg"], private_pem(vector)).kid == vector["thumbprint"]


@pytest.mark.parametrize("vector", VECTORS["half_hashes"], ids=lambda vector: vector["source"])
def test_the_half_hash_is_that_of_the_specification(vector: Vector) -> None:
    assert jose.half_hash(vector["value"]) == vector["hash"]
