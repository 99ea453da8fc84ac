"""The form of a compact JWS, checked before anything else looks at it."""

import hashlib
import json
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeGuard

from bridge.errors import Refused
from bridge.reasons import Reason

MAX_TOKEN_CHARACTERS = 32 * 1024
MAX_DEPTH = 20

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_KEY_ID = re.compile(r"[A-Za-z0-9._~=-]{1,128}")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# The letters that may stand last, by the length modulo 4: those that leave no spare bit set. Of 1 there is none.
_LAST = (_ALPHABET, "", _ALPHABET[::16], _ALPHABET[::4])
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
        header=strict_json_object(header, Reason.ASSERTION_MALFORMED),
        payload=strict_json_object(payload, Reason.ASSERTION_MALFORMED),
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


def is_key_id(kid: object) -> TypeGuard[str]:
    """Whether a kid is a short plain string (threats A3)."""
    return isinstance(kid, str) and _KEY_ID.fullmatch(kid) is not None


def key_id(header: Mapping[str, Any]) -> str:
    """The header's kid. It comes from a stranger: good for a look-up in a dictionary, nothing else."""
    kid = header.get("kid")
    if not is_key_id(kid):
        raise Refused(Reason.HEADER_NOT_ALLOWED, "kid is not a short plain string")
    return kid


def _decode(part: str) -> bytes:
    try:
        value = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise Refused(Reason.ASSERTION_MALFORMED, "base64url") from error
    if part[-1] not in _LAST[len(part) % 4]:
        # Spare bits are set: a second spelling of the same token.
        raise Refused(Reason.ASSERTION_MALFORMED, "base64url is not canonical")
    return value


def strict_json_object(value: bytes, malformed: Reason) -> Mapping[str, Any]:
    """The JSON object that a stranger's bytes are: UTF-8, no repeated members, no NaN, nested at most 20 deep.

    Raises Refused(malformed).
    """
    try:
        # Decoded here: json.loads would guess UTF-16 and skip a byte order mark.
        parsed = _STRICT_JSON.decode(value.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(malformed, "not strict JSON in UTF-8") from error
    # With so few brackets nothing can be nested deeper.
    if not isinstance(parsed, dict) or (value.count(b"{") + value.count(b"[") > MAX_DEPTH and not within_depth(parsed)):
        raise Refused(malformed, "not a JSON object within depth")
    return parsed


def within_depth(value: object) -> bool:
    """Whether lists and objects are nested at most MAX_DEPTH deep."""
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
