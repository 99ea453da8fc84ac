"""Handles: random strings that stand for something we remember, and of which we keep the digest alone.

A refresh token R is spent for a successor R', which is as random as R. R's row keeps

    pad = R' XOR HMAC-SHA256(key=R, "refresh-successor")

so that whoever presents R again can be led to R', and nobody who reads the database can. No key of the server has a
part in it: every instance can answer, in any state of key rotation.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

REFRESH_TOKEN_PREFIX = "dob_refresh_"
_SIZE = 32  # bytes
_REFRESH_TOKEN = re.compile(re.escape(REFRESH_TOKEN_PREFIX) + r"[A-Za-z0-9_-]{43}")
_LABEL = b"refresh-successor"


def new_refresh_token() -> str:
    """256 random bits behind a prefix that no other artefact has (threats O6) and secret scanners recognise."""
    return _spelt(secrets.token_bytes(_SIZE))


def is_refresh_token(value: str) -> bool:
    """Whether a string can be a refresh token of ours."""
    return _REFRESH_TOKEN.fullmatch(value) is not None


def digest_of(handle: str) -> bytes:
    """What is kept of a handle. It is random, so nothing slower is needed."""
    return hashlib.sha256(handle.encode("ascii")).digest()


def pad_between(token: str, successor: str) -> bytes:
    """What leads the holder of `token` to `successor`."""
    return _xor(_random_part(successor), _keystream(token))


def successor_of(token: str, pad: bytes) -> str:
    """The refresh token that replaced `token`."""
    return _spelt(_xor(pad, _keystream(token)))


def _keystream(token: str) -> bytes:
    return hmac.digest(_random_part(token), _LABEL, "sha256")


def _random_part(token: str) -> bytes:
    return urlsafe_b64decode(token.removeprefix(REFRESH_TOKEN_PREFIX) + "=")


def _spelt(random_part: bytes) -> str:
    return REFRESH_TOKEN_PREFIX + urlsafe_b64encode(random_part).rstrip(b"=").decode("ascii")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
