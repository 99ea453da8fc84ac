"""The keys that sign and verify our tokens as this process sees them, and the document that publishes them.

    age < 30 s       used as it is
    age < 60 s       one thread reads the keys again, the others use what is there
    older            everybody waits for that read; a process that was frozen reads before it signs

Times are those of requests. After a failed read nobody waits for another until one has succeeded, and nothing is signed
from an age of 60 s on; verification and publication go on with the keys read last. That is safe: while the database
does not answer, no key begins to sign there and none is forgotten too early. Only a key that was withdrawn meanwhile is
believed until the next read.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bridge import jose
from bridge.errors import Refused, SealBroken, Unavailable
from bridge.jose import SigningKey, Unverified, VerificationKey
from bridge.keylife import KEY_STATES, READ_AGAIN, READ_FIRST, KeyLife
from bridge.model import SIGNING_ALGORITHMS, SigningAlgorithm
from bridge.reasons import Reason

log = logging.getLogger(__name__)

Load = Callable[[], Sequence[tuple[KeyLife, SigningKey]]]
"""Read every key, from one state of the database. Raises Unavailable and SealBroken."""

KeepUp = Callable[[Sequence[KeyLife], int], bool]
"""Take the steps that are due at a moment; whether the keys should be read again. Raises Unavailable."""

COOL_DOWN = 30  # seconds between early reads for an unknown kid: anybody can send one
RETRY_PAUSE = 10  # seconds after a failed read before the next; it may have taken four
REMEMBERED = 1000  # tokens of ours whose signature need not be looked at again


@dataclass(frozen=True, slots=True)
class _Snapshot:
    read_at: int
    lives: Sequence[KeyLife]
    active: Mapping[SigningAlgorithm, SigningKey]
    verification: Mapping[str, VerificationKey]
    jwks: bytes
    genuine: dict[bytes, Unverified] = field(default_factory=dict, repr=False)  # by SHA-256 of the whole token

    def age(self, now: int) -> int:
        # A clock that was set back must not make it look new for ever.
        return abs(now - self.read_at)


class Keyring:
    """Our signing keys as key objects, re-read while requests come. Safe for any number of threads.

    Reads the keys when it is made. Raises SealBroken and Unavailable.
    """

    def __init__(self, load: Load, keep_up: KeepUp, now: int) -> None:
        self._load = load
        self._keep_up = keep_up
        self._held = _snapshot(load(), now)
        self._failed_at: int | None = None  # the last read, if it failed
        self._asked_early_at: int | None = None
        self._reading = threading.Lock()
        self._keeping_up = threading.Lock()

    @property
    def algorithms(self) -> tuple[SigningAlgorithm, ...]:
        """What we can sign with."""
        return tuple(self._held.active)

    @property
    def lives(self) -> Sequence[KeyLife]:
        """Where every key stood when they were last read."""
        return self._held.lives

    @property
    def read_at(self) -> int:
        """When they were last read."""
        return self._held.read_at

    def active(self, alg: SigningAlgorithm, now: int) -> SigningKey:
        """The key that signs with `alg`, as the database said less than 60 s ago. Raises Unavailable."""
        held = self._current(now)
        if held.age(now) >= READ_FIRST:
            raise Unavailable(Reason.DATABASE_UNAVAILABLE, "signing keys not read", retry_after=RETRY_PAUSE)
        return held.active[alg]

    def find(self, kid: str, now: int) -> VerificationKey | None:
        """The public half of one of our keys, whether it signs already, still, or no more.

        An unknown kid may ask for one early read per cool-down: no instance refuses what a faster one has signed.
        """
        key = self._current(now).verification.get(kid)
        if key is None and self._may_ask_early(now):
            with self._reading:
                self._read(now)
            key = self._held.verification.get(kid)
        return key

    def genuine(self, raw: str, now: int) -> Unverified:
        """One of our own tokens, whatever it says: of any kind, expired or not. Raises Refused(ACCESS_TOKEN_INVALID).

        A token comes again and again while it lives; its signature is looked at once, as long as the keys are the same.
        """
        digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).digest()
        genuine = self._current(now).genuine
        token = genuine.get(digest)
        if token is None:
            token = self._verified(raw, now)
            if len(genuine) >= REMEMBERED:
                genuine.clear()
            genuine[digest] = token
        return token

    def _verified(self, raw: str, now: int) -> Unverified:
        try:
            token = jose.parse(raw)
            key = self.find(jose.key_id(token.header), now)
        except Refused as refused:
            raise Refused(Reason.ACCESS_TOKEN_INVALID, refused.detail) from refused
        if key is None or token.header.get("alg") != key.alg or "crit" in token.header:
            raise Refused(Reason.ACCESS_TOKEN_INVALID, "not a token of ours")
        if not key.verifies(token):
            raise Refused(Reason.ACCESS_TOKEN_INVALID, "signature")
        return token

    def jwks(self, now: int) -> bytes:
        """The key document (RFC 7517 section 5): all keys that verify, the ones to come included."""
        return self._current(now).jwks

    def keep_fresh(self, now: int) -> None:
        """Read the keys and take what steps are due, so that no request has to: for a thread beside the requests."""
        if self._rests(now):
            return
        with self._reading:
            done = self._read(now)
        if done:
            self._take_steps(now)

    def _current(self, now: int) -> _Snapshot:
        """What was read last, after another read if that is due and can be had."""
        held = self._held
        if held.age(now) < READ_AGAIN or self._rests(now):
            return held
        if self._reading.acquire(blocking=held.age(now) >= READ_FIRST and self._failed_at is None):
            try:
                # Whoever waited here finds it done, or failed.
                done = self._held.age(now) >= READ_AGAIN and not self._rests(now) and self._read(now)
            finally:
                self._reading.release()
            if done:
                self._take_steps(now)
        return self._held

    def _read(self, now: int) -> bool:
        try:
            found = self._load()
        except (Unavailable, SealBroken) as error:
            self._failed_at = now
            log.warning("signing keys not read", extra={"cause": str(error) or type(error).__name__})
            return False
        self._failed_at = None
        same = [life for life, _ in found] == self._held.lives
        self._held = replace(self._held, read_at=now) if same else _snapshot(found, now)
        return True

    def _take_steps(self, now: int) -> None:
        """What is due is done by one thread, after the others have got their keys."""
        if not self._keeping_up.acquire(blocking=False):
            return
        try:
            changed = self._keep_up(self._held.lives, now)
        except Unavailable as error:
            log.warning("signing keys not kept up", extra={"cause": str(error)})
            return
        finally:
            self._keeping_up.release()
        if changed:
            with self._reading:
                self._read(now)

    def _rests(self, now: int) -> bool:
        return self._failed_at is not None and abs(now - self._failed_at) < RETRY_PAUSE

    def _may_ask_early(self, now: int) -> bool:
        if self._rests(now) or (self._asked_early_at is not None and abs(now - self._asked_early_at) < COOL_DOWN):
            return False
        self._asked_early_at = now
        return True


def _snapshot(found: Sequence[tuple[KeyLife, SigningKey]], now: int) -> _Snapshot:
    ordered = sorted(found, key=lambda kept: (SIGNING_ALGORITHMS.index(kept[0].alg), KEY_STATES.index(kept[0].state)))
    jwks = {"keys": [dict(key.public_jwk) for _, key in ordered]}
    return _Snapshot(
        read_at=now,
        lives=[life for life, _ in found],
        active={life.alg: key for life, key in ordered if life.state == "active"},
        verification={key.kid: key.verification for _, key in ordered},
        jwks=json.dumps(jwks, separators=(",", ":")).encode("ascii"),
    )
