"""How a network goes wrong, told by path: which fault a request meets. What each does is in `edge`."""

from dataclasses import dataclass, replace
from enum import StrEnum
from threading import RLock

BASE = "/api/v0"


class FaultMode(StrEnum):
    """What a caller meets in place of the answer (after the wait, for `slow`; byte by byte, for `dripping`)."""

    down = "down"
    error = "error"
    slow = "slow"
    dripping = "dripping"
    huge = "huge"
    redirecting = "redirecting"
    garbage = "garbage"
    empty = "empty"
    gzip_bomb = "gzip_bomb"
    rate_limited = "rate_limited"


@dataclass(frozen=True, slots=True)
class Fault:
    """A mode and its measures: `delay` in seconds (slow), `size` in bytes (huge), `location` (redirecting), and after
    how many requests it passes (`times`, None for never)."""

    mode: FaultMode
    delay: float = 5.0
    size: int = 8 * 1024 * 1024
    location: str = "http://127.0.0.1:9/"
    times: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.delay <= 600:
            raise ValueError("delay must be 0 to 600 seconds")
        if not 0 <= self.size <= 2**40:
            raise ValueError("size must be 0 to 2^40 bytes")
        if not (self.location.isascii() and self.location.isprintable()):
            raise ValueError("location must be printable ASCII")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be at least 1")


class Faults:
    """The faults in force, by path prefix; the longest prefix that fits is the one met."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._faults: dict[str, Fault] = {}

    def set(
        self,
        path_prefix: str,
        mode: FaultMode | str,
        *,
        delay: float = 5.0,
        size: int = 8 * 1024 * 1024,
        location: str = "http://127.0.0.1:9/",
        times: int | None = None,
    ) -> None:
        """From now on requests whose path begins so meet the fault. The prefix may leave out /api/v0; "/" is every
        path but the admin API's. ValueError on a prefix without its slash, or a measure out of range."""
        if not path_prefix.startswith("/"):
            raise ValueError("path_prefix must begin with a slash")
        fault = Fault(FaultMode(mode), delay, size, location, times)
        with self._lock:
            self._faults[path_prefix] = fault

    def clear(self, path_prefix: str | None = None) -> None:
        """All is well again, or only below this prefix as it was set."""
        with self._lock:
            if path_prefix is None:
                self._faults.clear()
            else:
                self._faults.pop(path_prefix, None)

    def in_force(self) -> dict[str, Fault]:
        """The faults by their prefix."""
        with self._lock:
            return dict(self._faults)

    def meet(self, path: str) -> Fault | None:
        """The fault that a request to this path meets, counted against its `times`."""
        with self._lock:
            fitting = [prefix for prefix in self._faults if _fits(path, prefix)]
            if not fitting:
                return None
            prefix = max(fitting, key=len)
            fault = self._faults[prefix]
            if fault.times == 1:
                del self._faults[prefix]
            elif fault.times is not None:
                self._faults[prefix] = replace(fault, times=fault.times - 1)
            return fault


def _fits(path: str, prefix: str) -> bool:
    return path.startswith(prefix) or path.removeprefix(BASE).startswith(prefix)
