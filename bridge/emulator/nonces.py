"""The nonces that a page fetches in advance, and what it proves with them."""

import secrets
from threading import RLock


class Nonces:
    """Each is good once. Thread-safe.

    One that is not ours is taken too: a page keeps its nonces for a day, and may have them from before this emulator
    was started.
    """

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._spent: set[str] = set()

    def fresh(self) -> str:
        """A new one."""
        return secrets.token_hex(16)

    def spend(self, nonce: str) -> bool:
        """Whether this was its first use."""
        with self._lock:
            first = nonce not in self._spent
            self._spent.add(nonce)
            return first
