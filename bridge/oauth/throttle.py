"""Failed client authentication slows down: after ten failures in a minute, more failures are answered 429."""

from threading import Lock

WINDOW = 60  # seconds
ALLOWED = 10  # failures in a window
_LIMIT = 10_000  # keys remembered


class Throttle:
    """Counts failures per key in this process; several processes allow as many times more.

    It never stands in the way of a right secret: else anybody behind the same proxy could lock a client out by
    guessing badly. Secrets are 256 random bits, so guessing is hopeless with or without it; what it saves is work
    and log.
    """

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, int]] = {}  # key: start of its window, failures in it
        self._lock = Lock()

    def failed(self, key: str, now: int) -> int:
        """Count a failure; the seconds to wait if it was one too many, else 0."""
        with self._lock:
            started_at, count = self._failures.get(key, (now, 0))
            if not 0 <= now - started_at < WINDOW:
                started_at, count = now, 0
            if len(self._failures) >= _LIMIT:
                self._failures.clear()
            self._failures[key] = (started_at, count + 1)
        return 0 if count < ALLOWED else started_at + WINDOW - now
