"""Public keys of others: what may become one, and what it may be used for."""

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import RSAAlgorithm
from jwt.exceptions import PyJWTError

from bridge.jose.parse import Unverified, is_key_id

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


_PKCS1, _SHA256, _ECDSA = PKCS1v15(), SHA256(), ECDSA(SHA256())


def _check_es256(key: Any, signature: bytes, data: bytes) -> None:
    if len(signature) != 64:  # R and S side by side (RFC 7518 section 3.4)
        raise InvalidSignature
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    key.verify(encode_dss_signature(r, s), data, _ECDSA)


_CHECKS: Mapping[str, Callable[[Any, bytes, bytes], None]] = {
    "RS256": lambda key, signature, data: key.verify(signature, data, _PKCS1, _SHA256),
    "ES256": _check_es256,
    "Ed25519": lambda key, signature, data: key.verify(signature, data),
}
"""By algorithm: how a key looks at a signature of some bytes. Each raises InvalidSignature."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key bound to the one algorithm it may be used with (RFC 8725 section 3.1)."""

    kid: str
    alg: str
    key: Any = field(repr=False)

    def verifies(self, token: Unverified) -> bool:
        """Whether this key made the token's signature."""
        try:
            _CHECKS[self.alg](self.key, token.signature, token.signing_input)
        except InvalidSignature:
            return False
        return True


def rsa_keys(document: object) -> dict[str, VerificationKey]:
    """The RS256 keys of a JWK set by kid; everything else in it is dropped (threats A4).

    Kept: RSA of 2048 to 8192 bits for signatures, alg absent or RS256. A set without such a key is empty.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    keys: dict[str, VerificationKey] = {}
    for jwk in entries if isinstance(entries, list) else ():
        key = _rsa_key(jwk)
        if key is not None:
            keys.setdefault(key.kid, key)
    return keys


def rsa_key_from_pem(kid: object, encoded_pem: object) -> VerificationKey | None:
    """The RS256 key in a base64-encoded PEM (PKCS#1 or SPKI), or None if there is none fit for use."""
    if not isinstance(encoded_pem, str) or not is_key_id(kid):
        return None
    try:
        key = serialization.load_pem_public_key(b64decode(encoded_pem, validate=True))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return _bound_rsa_key(kid, key)


def _rsa_key(jwk: object) -> VerificationKey | None:
    if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or not _PRIVATE_MEMBERS.isdisjoint(jwk):
        return None
    kid = jwk.get("kid")
    if not is_key_id(kid):
        return None
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", "RS256") != "RS256":
        return None
    try:
        key = RSAAlgorithm.from_jwk({name: jwk[name] for name in ("kty", "n", "e")})
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return _bound_rsa_key(kid, key)


def _bound_rsa_key(kid: str, key: object) -> VerificationKey | None:
    # A modulus or exponent without bound would let whoever poisons the set choose what a verification costs.
    if not isinstance(key, RSAPublicKey) or not 2048 <= key.key_size <= 8192:
        return None
    if key.public_numbers().e >= 1 << 32:
        return None
    return VerificationKey(kid, "RS256", key)
