"""The only door to PyJWT: a strict pre-parse, signatures with key objects made once, our own tokens signed.

PyJWT's decoder is not used. It accepts repeated members, strings as times, any typ and several spellings of one
token; its algorithm objects do the cryptography, the parsing and the policy are ours.
"""

import hashlib
import json
import math
import re
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from bridge.errors import Refused
from bridge.model import SigningAlgorithm
from bridge.reasons import Reason

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

MAX_TOKEN_CHARACTERS = 32 * 1024
MAX_DEPTH = 20

_ALGORITHMS: Mapping[str, Algorithm] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "Ed25519": OKPAlgorithm(),  # RFC 9864: the full name, where PyJWT would write EdDSA
}
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_KEY_ID = re.compile(r"[A-Za-z0-9._~=-]{1,128}")
# They would bring or fetch a key, encrypt, or change the rules; no honest issuer of ours sends them (threats A2).
_DANGEROUS_MEMBERS = frozenset(
    {"jwk", "jku", "x5c", "x5u", "x5t", "x5t#S256", "crit", "b64", "enc", "zip", "epk", "apu", "apv", "p2c", "p2s"}
)


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token that is well formed and nothing more. Whose it is, nobody knows yet."""

    header: Mapping[str, Any]
    payload: Mapping[str, Any] = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was signed: the same for every spelling of the signature (replay, threats A16)."""
        return hashlib.sha256(self.signing_input).digest()


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key bound to the one algorithm it may be used with (RFC 8725 section 3.1)."""

    kid: str
    alg: str
    key: Any = field(repr=False)
    thumbprint: bytes

    def verifies(self, token: Unverified) -> bool:
        """Whether this key made the token's signature."""
        return bool(_ALGORITHMS[self.alg].verify(token.signing_input, self.key, token.signature))


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of ours with its public half and the JOSE headers it signs under, encoded once."""

    kid: str
    alg: SigningAlgorithm
    key: PrivateKey = field(repr=False)
    public_jwk: Mapping[str, Any]
    verification: VerificationKey
    _headers: dict[str, bytes] = field(default_factory=dict, repr=False)

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """The claims as a compact JWS with header {alg, kid, typ}."""
        header = self._headers.get(typ)
        if header is None:
            header = _encode(_dump({"alg": self.alg, "kid": self.kid, "typ": typ}))
            self._headers[typ] = header
        signing_input = header + b"." + _encode(_dump(claims))
        signature = _ALGORITHMS[self.alg].sign(signing_input, self.key)
        return (signing_input + b"." + _encode(signature)).decode("ascii")


def parse(raw: str) -> Unverified:
    """The parts of a compact JWS (RFC 7515), checked for form alone.

    Raises Refused(ASSERTION_MALFORMED): not ASCII base64url without padding in its one canonical spelling, over
    32 kB, not UTF-8 JSON objects, repeated members, NaN or infinite numbers, nested deeper than 20.
    """
    match = _COMPACT.fullmatch(raw) if len(raw) <= MAX_TOKEN_CHARACTERS else None
    if match is None:
        raise Refused(Reason.ASSERTION_MALFORMED, "not three base64url parts within 32 kB")
    header, payload, signature = (_decode(part) for part in match.groups())
    return Unverified(
        header=_json_object(header),
        payload=_json_object(payload),
        signing_input=raw[: match.end(2)].encode("ascii"),
        signature=signature,
    )


def check_header(header: Mapping[str, Any], *, alg: str) -> str:
    """The key id of a header that chooses nothing but its key. Raises Refused."""
    if header.get("alg") != alg:
        raise Refused(Reason.ALGORITHM_NOT_ALLOWED)
    if not _DANGEROUS_MEMBERS.isdisjoint(header):
        raise Refused(Reason.HEADER_NOT_ALLOWED, "member that chooses a key or a rule")
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.upper() != "JWT":
        raise Refused(Reason.HEADER_NOT_ALLOWED, "typ is not JWT")
    return key_id(header)


def key_id(header: Mapping[str, Any]) -> str:
    """The header's kid. It comes from a stranger: good for a look-up in a dictionary, nothing else."""
    kid = header.get("kid")
    if not isinstance(kid, str) or not _KEY_ID.fullmatch(kid):
        raise Refused(Reason.HEADER_NOT_ALLOWED, "kid is not a short plain string")
    return kid


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
    if not isinstance(encoded_pem, str) or not isinstance(kid, str) or not _KEY_ID.fullmatch(kid):
        return None
    try:
        key = serialization.load_pem_public_key(b64decode(encoded_pem, validate=True))
    except (ValueError, TypeError, NotImplementedError):
        return None
    return _bound_rsa_key(kid, key)


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
        for name, value in _ALGORITHMS[alg].to_jwk(cast("Any", key).public_key(), as_dict=True).items()
        if name not in {"key_ops", "kid", "use", "alg"}
    }
    thumbprint = _thumbprint(jwk)
    kid = _encode(thumbprint).decode()
    return SigningKey(
        kid=kid,
        alg=alg,
        key=cast("PrivateKey", key),
        public_jwk={**jwk, "kid": kid, "use": "sig", "alg": alg},
        verification=VerificationKey(kid, alg, cast("Any", key).public_key(), thumbprint),
    )


def half_hash(value: str) -> str:
    """The left half of SHA-256, as at_hash asks for RS256 and ES256 (OIDC Core section 3.1.3.6)."""
    return _encode(hashlib.sha256(value.encode("ascii")).digest()[:16]).decode()


def _rsa_key(jwk: object) -> VerificationKey | None:
    if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or "d" in jwk:
        return None
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not _KEY_ID.fullmatch(kid):
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
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return VerificationKey(kid, "RS256", key, hashlib.sha256(spki).digest())


def _thumbprint(jwk: Mapping[str, Any]) -> bytes:
    """RFC 7638: SHA-256 over the required members in order."""
    return hashlib.sha256(json.dumps(dict(sorted(jwk.items())), separators=(",", ":")).encode()).digest()


def _encode(value: bytes) -> bytes:
    return urlsafe_b64encode(value).rstrip(b"=")


def _dump(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _decode(part: str) -> bytes:
    try:
        value = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise Refused(Reason.ASSERTION_MALFORMED, "base64url") from error
    if _encode(value) != part.encode("ascii"):  # spare bits set: a second spelling of the same token
        raise Refused(Reason.ASSERTION_MALFORMED, "base64url is not canonical")
    return value


def _json_object(value: bytes) -> Mapping[str, Any]:
    try:
        # Decoded here: json.loads would guess UTF-16 and skip a byte order mark.
        parsed = _STRICT_JSON.decode(value.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(Reason.ASSERTION_MALFORMED, "not strict JSON in UTF-8") from error
    if not isinstance(parsed, dict) or not _within_depth(parsed):
        raise Refused(Reason.ASSERTION_MALFORMED, "not a JSON object within depth")
    return parsed


def _within_depth(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return True
    return False


def _members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("repeated member")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN or Infinity")


_STRICT_JSON = json.JSONDecoder(object_pairs_hook=_members_once, parse_float=_finite, parse_constant=_no_constant)
