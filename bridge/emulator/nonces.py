"""The nonces that a page fetches in advance, and what it proves with them."""

import hashlib
import hmac
import secrets
from threading import RLock


class Nonces:
    """Each is good once. Thread-safe.

    A page keeps its nonces for a day, and may have them from before this emulator was started. So each shows by itself
    that it comes from an emulator of this environment. That is no secret, and need not be one here.
    """

    def __init__(self, lock: RLock, environment_id: str) -> None:
        self._lock = lock
        self._key = environment_id.encode()
        self._spent: set[str] = set()

    def fresh(self) -> str:
        """A new one: 64 hex digits, of which the second half follows from the first."""
        chance = secrets.token_hex(16)
        return chance + self._mark(chance)

    def spend(self, nonce: str) -> bool:
        """Whether it is one of ours, and this was its first use."""
        if not hmac.compare_digest(nonce[32:].encode("utf-8", "replace"), self._mark(nonce[:32]).encode()):
            return False
        with self._lock:
            first = nonce not in self._spent
            self._spent.add(nonce)
            return first

    def _mark(self, chance: str) -> str:
        return hmac.new(self._key, chance.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
