"""The requests that came in, for tests to count."""

from collections import deque
from threading import RLock

REMEMBERED = 10_000


class RequestLog:
    """The latest requests. Thread-safe."""

    def __init__(self, lock: RLock) -> None:
        self._log_lock = lock
        self._requests: deque[str] = deque(maxlen=REMEMBERED)

    @property
    def requests(self) -> list[str]:
        """The latest requests as "METHOD /path", oldest first; those to /admin are not kept."""
        with self._log_lock:
            return list(self._requests)

    def note_request(self, method: str, path: str) -> None:
        """Remember a request."""
        with self._log_lock:
            self._requests.append(f"{method} {path}")

    def count(self, path_substring: str) -> int:
        """How many of `requests` have this in their path."""
        return sum(path_substring in line.partition(" ")[2] for line in self.requests)

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        with self._log_lock:
            self._requests.clear()
