"""How many questions to Dynamic's API a process allows itself: Dynamic limits every caller, by address."""

from threading import Lock

PER_MINUTE = 100  # Dynamic's limit for a long time: 500 in five minutes from one address
BURST = 50  # at once; Dynamic's is 60 in ten seconds


class Allowance:
    """A bucket of questions, filled again as time goes on. `share` is this process's part of the machine's address."""

    def __init__(self, share: float = 1.0) -> None:
        self._per_second = PER_MINUTE * share / 60
        self._most = max(1.0, BURST * share)
        self._left = self._most
        self._filled_at = 0
        self._lock = Lock()

    def take(self, now: int) -> bool:
        """Whether one more question is allowed now; if so, it has been asked."""
        with self._lock:
            passed = max(0, now - self._filled_at)  # a clock that was set back fills nothing twice
            self._left = min(self._most, self._left + passed * self._per_second)
            self._filled_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True
