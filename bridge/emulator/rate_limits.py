"""How often Dynamic lets one address call, by kind of endpoint, as far as its documentation says."""

from collections import deque
from dataclasses import dataclass
from threading import RLock


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many calls in any so many seconds."""

    most: int
    seconds: int


Kind = tuple[Limit, ...]

EVERY_CALL: Kind = (Limit(60, 10), Limit(250, 60), Limit(500, 300))
SIGN_INS_AND_NONCES: Kind = (Limit(10, 60),)
CODES: Kind = (Limit(3, 60),)

SENDS_A_CODE = ("/emailVerifications/create", "/emailVerifications/retry")
SIGNS_IN = ("/signin", "/signIn", "/verify", "/verify/link", "/nonce", "/nonces")


class RateLimits:
    """The calls of late, by kind. One address calls the emulator: this machine. Thread-safe."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._calls: dict[Kind, deque[int]] = {}

    def wait(self, path: str, now: int) -> int:
        """0 for a call that is let through, which then counts; or the seconds until one would be."""
        kinds = _kinds(path)
        with self._lock:
            waits = [self._until_free(kind, limit, now) for kind in kinds for limit in kind]
            if max(waits) == 0:
                for kind in kinds:
                    self._calls[kind].append(now)
            return max(waits)

    def forget(self) -> None:
        """As if nobody had called."""
        with self._lock:
            self._calls.clear()

    def _until_free(self, kind: Kind, limit: Limit, now: int) -> int:
        calls = self._calls.setdefault(kind, deque(maxlen=max(each.most for each in kind)))
        if len(calls) < limit.most:
            return 0
        return max(0, calls[-limit.most] + limit.seconds - now)


def _kinds(path: str) -> list[Kind]:
    kinds = [EVERY_CALL]
    if path.endswith(SENDS_A_CODE):
        kinds.append(CODES)
    elif path.endswith(SIGNS_IN):
        kinds.append(SIGN_INS_AND_NONCES)
    return kinds
