"""Our own keys, and what is signed with them."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from bridge.jose.algorithms import ALGORITHMS
from bridge.jose.keys import VerificationKey
from bridge.model import SigningAlgorithm

_COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_ECDSA = ECDSA(SHA256())
PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of ours, with its public half."""

    kid: str
    alg: SigningAlgorithm
    key: PrivateKey = field(repr=False)
    public_jwk: Mapping[str, Any]
    verification: VerificationKey
    make: Callable[[bytes], bytes] = field(repr=False, compare=False)  # the signature of some bytes

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """The claims as a compact JWS with header {alg, kid, typ}."""
        signing_input = _header(self.alg, self.kid, typ) + b"." + _encode(_dump(claims))
        signature = self.make(signing_input)
        return (signing_input + b"." + _encode(signature)).decode("ascii")


def generate_signing_key(alg: SigningAlgorithm) -> bytes:
    """A new private key for the algorithm, as PKCS#8 PEM."""
    key: PrivateKey
    if alg == "RS256":
        key = generate_rsa_key(public_exponent=65537, key_size=2048)
    elif alg == "ES256":
        key = generate_private_key(SECP256R1())
    else:
        key = Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def signing_key(alg: SigningAlgorithm, pem: bytes) -> SigningKey:
    """The signing key in a PEM of ours. Its kid is the RFC 7638 thumbprint, so no two keys share one."""
    # The PEM is ours and authenticated by the seal it was kept under; OpenSSL's re-check of an RSA key costs 46 ms.
    key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    jwk = {
        name: value
        for name, value in ALGORITHMS[alg].to_jwk(cast("Any", key).public_key(), as_dict=True).items()
        if name not in {"key_ops", "kid", "use", "alg"}
    }
    kid = _encode(_thumbprint(jwk)).decode()
    ours = partial(_es256, key) if isinstance(key, EllipticCurvePrivateKey) else None
    return SigningKey(
        make=ours or partial(ALGORITHMS[alg].sign, key=key),
        kid=kid,
        alg=alg,
        key=cast("PrivateKey", key),
        public_jwk={**jwk, "kid": kid, "use": "sig", "alg": alg},
        verification=VerificationKey(kid, alg, cast("Any", key).public_key()),
    )


def _es256(key: EllipticCurvePrivateKey, data: bytes) -> bytes:
    """R and S side by side (RFC 7518 section 3.4). PyJWT goes by way of hexadecimal text, for a third of the cost."""
    r, s = decode_dss_signature(key.sign(data, _ECDSA))
    return r.to_bytes(32) + s.to_bytes(32)


def half_hash(value: str) -> str:
    """The left half of SHA-256, as at_hash asks for RS256 and ES256 (OIDC Core section 3.1.3.6)."""
    return _encode(hashlib.sha256(value.encode("ascii")).digest()[:16]).decode()


@lru_cache(maxsize=64)
def _header(alg: str, kid: str, typ: str) -> bytes:
    return _encode(_dump({"alg": alg, "kid": kid, "typ": typ}))


def _thumbprint(jwk: Mapping[str, Any]) -> bytes:
    """RFC 7638: SHA-256 over the required members in order."""
    return hashlib.sha256(json.dumps(dict(sorted(jwk.items())), separators=(",", ":")).encode()).digest()


def _encode(value: bytes) -> bytes:
    return urlsafe_b64encode(value).rstrip(b"=")


def _dump(value: Mapping[str, Any]) -> bytes:
    return _COMPACT(value).encode("ascii")
