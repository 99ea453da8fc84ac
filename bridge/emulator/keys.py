"""The environment's RSA keys. Signs by RS256 whatever the header claims."""

import base64
import json
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwa import RSAAlgorithm
from joserfc.jwk import GuestProtocol, RSAKey
from joserfc.jws import deserialize_compact

from bridge.emulator.errors import NotAuthenticatedError, UnknownKeyError
from bridge.emulator.pem import pkcs1_pem

RS256 = RSAAlgorithm(256)

PemFlavour = Literal["pkcs1", "spki"]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key under its `kid`."""

    kid: str
    rsa: RSAKey

    def jwk(self) -> dict[str, Any]:
        """The public half as a member of the JWKS, with the members Dynamic gives it."""
        public = self.rsa.as_dict(private=False)
        return {"kid": self.kid, "alg": "RS256", "kty": "RSA", "use": "sig", "e": public["e"], "n": public["n"]}

    def pem(self, flavour: PemFlavour) -> str:
        """The public half as PEM text: `spki` (BEGIN PUBLIC KEY) or `pkcs1` (BEGIN RSA PUBLIC KEY)."""
        if flavour == "spki":
            return self.rsa.as_pem(private=False).decode()
        if flavour == "pkcs1":
            public = self.jwk()
            return pkcs1_pem(public["n"], public["e"])
        raise ValueError("a PEM is pkcs1 or spki")


class KeyPool:
    """Key pairs of this process that no emulator holds: making one costs a tenth of a second, and tests need many."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._idle: dict[int, list[RSAKey]] = {}

    def take(self, bits: int) -> RSAKey:
        """A key pair that nobody else holds. ValueError on a size that cannot be."""
        with self._lock:
            idle = self._idle.get(bits)
            if idle:
                return idle.pop()
        if bits < 1024 or bits > 8192 or bits % 8:
            raise ValueError("key_bits must be a multiple of 8 between 1024 and 8192")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # a weak key is sometimes what is to be refused
            return RSAKey.generate_key(bits)

    def give_back(self, bits: int, keys: list[RSAKey]) -> None:
        """Keys that nothing will be signed or checked with again."""
        with self._lock:
            self._idle.setdefault(bits, []).extend(keys)


_POOL = KeyPool()


class KeyRing:
    """The keys of one environment: one is active, some are published, all stay able to sign. Not thread-safe."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._borrowed: list[RSAKey] = []
        self._known: dict[str, SigningKey] = {}
        self._second: SigningKey | None = None
        self.active = self._make(str(uuid.uuid4()))
        self._published = [self.active.kid]

    def rotate(self, *, keep_old: bool, same_kid: bool) -> SigningKey:
        """A new active key; without `keep_old` the others leave the JWKS. With `same_kid` it takes the active key's
        place under its name, so the old one leaves in any case."""
        self.active = self._make(self.active.kid if same_kid else str(uuid.uuid4()))
        kept = [kid for kid in self._published if keep_old and kid != self.active.kid]
        self._published = [*kept, self.active.kid]
        return self.active

    def find(self, kid: str) -> SigningKey:
        """A key this ring ever had, published or not. UnknownKeyError if none."""
        try:
            return self._known[kid]
        except KeyError:
            raise UnknownKeyError("the environment never had this key") from None

    def second(self) -> SigningKey:
        """The key that signs small tokens when they do not share the large ones'."""
        if self._second is None:
            self._second = self._make(str(uuid.uuid4()))
        return self._second

    def published(self, *, with_second: bool) -> list[SigningKey]:
        """What the JWKS holds, oldest first."""
        keys = [self._known[kid] for kid in self._published]
        return [*keys, self.second()] if with_second else keys

    def release(self) -> None:
        """Hand the key pairs on to the next emulator of this process. Nothing can be signed here afterwards."""
        _POOL.give_back(self._bits, self._borrowed)
        self._borrowed = []
        self._known.clear()
        self._published.clear()

    def _make(self, kid: str) -> SigningKey:
        rsa = _POOL.take(self._bits)
        self._borrowed.append(rsa)
        self._known[kid] = SigningKey(kid, rsa)
        return self._known[kid]


def compact(header: Mapping[str, Any], payload: bytes, rsa: RSAKey) -> str:
    """header.payload.signature: the header taken literally, the payload byte for byte, signed by RS256."""
    signing_input = b64(dump(header)) + b"." + b64(payload)
    return (signing_input + b"." + b64(RS256.sign(signing_input, rsa))).decode()


def read(token: str, keys: list[SigningKey]) -> dict[str, Any]:
    """The claims of a token that one of `keys` signed. NotAuthenticatedError on anything else."""
    by_kid = {key.kid: key.rsa for key in keys}

    def choose(candidate: GuestProtocol) -> RSAKey:
        return by_kid[candidate.headers()["kid"]]

    try:
        claims = json.loads(deserialize_compact(token, choose, algorithms=["RS256"]).payload)
    except (JoseError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise NotAuthenticatedError("not a token of this environment") from None
    if not isinstance(claims, dict):
        raise NotAuthenticatedError("not a token of this environment")
    return claims


def dump(value: Mapping[str, Any]) -> bytes:
    """JSON as JavaScript writes it: compact, UTF-8, and a lone surrogate escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def b64(data: bytes) -> bytes:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")
