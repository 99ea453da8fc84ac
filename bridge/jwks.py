"""A remote key set that stays usable: one fetch at a time, the last good keys kept, refreshed behind the scenes.

    fresh (< 5 min)      served as it is
    ageing (< 10 min)    served, and refreshed in the background
    old (< 24 h)         refreshed before use; if that fails, served all the same and refreshed in the background
    cold, or older       refreshed before use; if that fails, Unavailable, and refreshed in the background

After a failure nobody waits for a refresh until one has succeeded, or nobody has tried for a while. Never do more than
a few wait at once: they would take the threads that others need. An unknown kid, or a signature that does not fit, may
ask for one early refresh per cool-down (threats A5 to A7).
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.clock import Clock
from bridge.errors import FetchFailed, Unavailable
from bridge.jose import VerificationKey
from bridge.reasons import Reason
from bridge.waiting import about_to_wait

log = logging.getLogger(__name__)

Load = Callable[[float], Mapping[str, VerificationKey]]
"""Fetch the set within so many seconds; never empty. Raises FetchFailed."""

AGEING, OLD, DEAD = 300, 600, 86_400  # ages in seconds
COOL_DOWN, RETRY_PAUSE = 30, 5  # seconds
FORGOTTEN = 30  # seconds after which a failure says nothing of the source as it is now: nobody asked for keys meanwhile
MOST_WAITING = 8  # callers of one key set; whoever comes then gets what there is
FOREGROUND_DEADLINE, BACKGROUND_DEADLINE = 1.5, 5.0  # seconds


@dataclass(frozen=True, slots=True)
class _Kept:
    keys: Mapping[str, VerificationKey]
    fetched_at: int


class KeySet:
    """The keys of one issuer. Safe for any number of threads; nothing is fetched before the first look-up.

    `any_kid`: the source tells one key and an id for it that need not be the kid of tokens, so any kid means that key.
    """

    def __init__(self, load: Load, clock: Clock, *, any_kid: bool = False) -> None:
        self._load = load
        self._clock = clock
        self._any_kid = any_kid
        self._kept: _Kept | None = None
        self._failed_at: int | None = None  # the last try, if it failed
        self._asked_early_at: int | None = None
        self._tries = 0
        self._fetching = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_WAITING)

    def get(self, kid: str) -> VerificationKey | None:
        """The key of that id, or None if the issuer publishes none. Raises Unavailable(KEYS_UNAVAILABLE)."""
        keys = self._current()
        if self._find(keys, kid) is None and self._may_ask_early():
            keys = self._refreshed() or keys
        return self._find(keys, kid)

    def get_again(self, known: VerificationKey) -> VerificationKey | None:
        """The key that now stands under the same id, if it is another one: for a signature that did not fit."""
        if not self._may_ask_early():
            return None
        key = self._find(self._refreshed() or {}, known.kid)
        return key if key is not None and key.key != known.key else None

    def warm(self) -> None:
        """Begin to fetch the keys, before the first request has to wait for them."""
        self._refresh_behind()

    def keep_fresh(self, now: int) -> None:
        """Fetch the keys anew if they age, or were asked for in vain: for a thread beside the requests."""
        del now
        if self._tries and (self._kept is None or self._since(self._kept.fetched_at) >= AGEING):
            self._refresh_behind()

    def age(self) -> int | None:
        """Seconds since the keys were last fetched with success; None if never."""
        return None if self._kept is None else self._since(self._kept.fetched_at)

    def _find(self, keys: Mapping[str, VerificationKey], kid: str) -> VerificationKey | None:
        return next(iter(keys.values()), None) if self._any_kid else keys.get(kid)

    def _current(self) -> Mapping[str, VerificationKey]:
        kept = self._kept
        age = DEAD if kept is None else self._since(kept.fetched_at)
        if age >= OLD and (self._failed_at is None or self._since(self._failed_at) >= FORGOTTEN):
            self._refreshed()
            kept = self._kept
        elif age >= AGEING:
            self._refresh_behind()
        if kept is None or self._since(kept.fetched_at) >= DEAD:
            raise Unavailable(Reason.KEYS_UNAVAILABLE, "no usable key set", retry_after=RETRY_PAUSE)
        return kept.keys

    def _refreshed(self) -> Mapping[str, VerificationKey] | None:
        """What a fetch brought, be it ours or the one that was under way; None if it brought nothing in time."""
        about_to_wait()
        tries = self._tries
        if not self._places.acquire(blocking=False):
            return None
        try:
            if not self._fetching.acquire(timeout=FOREGROUND_DEADLINE):
                return None
            try:
                if self._tries == tries:
                    return self._fetch(FOREGROUND_DEADLINE)
                return self._kept.keys if self._kept is not None and self._failed_at is None else None
            finally:
                self._fetching.release()
        finally:
            self._places.release()

    def _refresh_behind(self) -> None:
        paused = self._failed_at is not None and self._since(self._failed_at) < RETRY_PAUSE
        if not paused and self._fetching.acquire(blocking=False):
            threading.Thread(target=self._fetch_and_release, name="key-refresh", daemon=True).start()

    def _fetch_and_release(self) -> None:
        try:
            self._fetch(BACKGROUND_DEADLINE)
        finally:
            self._fetching.release()

    def _fetch(self, deadline: float) -> Mapping[str, VerificationKey] | None:
        try:
            keys = self._load(deadline)
        except FetchFailed as error:
            self._failed_at = self._clock()
            log.warning("key set not refreshed", extra={"cause": str(error)})
            return None
        finally:
            self._tries += 1
        self._kept, self._failed_at = _Kept(keys, self._clock()), None
        return keys

    def _may_ask_early(self) -> bool:
        if self._asked_early_at is not None and self._since(self._asked_early_at) < COOL_DOWN:
            return False
        about_to_wait()
        self._asked_early_at = self._clock()
        return True

    def _since(self, moment: int) -> int:
        # After the clock was set back, what we keep would look new for ever; so it counts as old.
        elapsed = self._clock() - moment
        return elapsed if elapsed >= 0 else OLD
