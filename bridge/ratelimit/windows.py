"""Where counts are kept: in this process, bounded, and by our clock. The storage that limits brings along is neither.

What is counted under a key lives for two generations of `most` keys after its last use. Who comes up with more keys
than that only makes others forgotten, which forgives them.
"""

from threading import Lock

from limits.storage import Storage

from bridge.clock import Clock

MOST = 50_000  # keys of one generation: some 20 MB in all


class _Window:
    """What was counted under a key, and until when that counts."""

    __slots__ = ("count", "ends_at")

    def __init__(self) -> None:
        self.count = 0
        self.ends_at = 0


class Windows(Storage):
    """The storage of the rate limits of one process. Safe for any number of threads."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock, most: int = MOST) -> None:
        super().__init__()
        self._clock = clock
        self._most = most
        self._recent: dict[str, _Window] = {}
        self._earlier: dict[str, _Window] = {}
        self._lock = Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing goes wrong here."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count `amount` under a key whose window takes `expiry` seconds; what has been counted in it."""
        now = self._clock()
        with self._lock:
            window = self._recent.get(key)
            if window is None:
                window = self._recalled(key)
            if not now < window.ends_at <= now + expiry:  # over, or the clock was set back
                window.count, window.ends_at = 0, now + int(expiry)
            window.count += amount
            return window.count

    def get(self, key: str) -> int:
        """What has been counted in the window that is open."""
        window = self._find(key)
        return window.count if window is not None and window.ends_at > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since 1970."""
        window = self._find(key)
        return window.ends_at if window is not None else self._clock()

    def check(self) -> bool:
        """It always works."""
        return True

    def reset(self) -> int:
        """Forget everything; how many keys that were."""
        with self._lock:
            held = len(self)
            self._recent, self._earlier = {}, {}
            return held

    def clear(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._recent.pop(key, None)
            self._earlier.pop(key, None)

    def __len__(self) -> int:
        return len(self._recent) + len(self._earlier)

    def _find(self, key: str) -> _Window | None:
        return self._recent.get(key) or self._earlier.get(key)

    def _recalled(self, key: str) -> _Window:
        """The window of a key that was not used in this generation. What was used in neither is forgotten."""
        window = self._earlier.pop(key, None) or _Window()
        if len(self._recent) >= self._most:
            self._earlier, self._recent = self._recent, {}
        self._recent[key] = window
        return window
