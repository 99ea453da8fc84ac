"""The loop: who has something due, and a thread for each, so that a slow receiver holds up nobody but itself.

Any number of processes may run it beside each other. While the database is away it waits.
"""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from bridge.clock import CLOCKS_DIFFER, Clock
from bridge.delivery.carriers import Carrier, Result, Verdict
from bridge.delivery.settling import Attempt, settle
from bridge.delivery.turns import Turns
from bridge.errors import Unavailable
from bridge.store import leases, outbox
from bridge.store.outbox import Claimed, Kind, Lane

log = logging.getLogger(__name__)

POLL = 0.5  # seconds between two looks into the outbox
THREADS = 10  # lanes that are worked off at once
THREADS_EACH = 4  # of these for one receiver, and only while half of all are free
BATCH = 8  # messages that a thread claims at once
LEASE = 30  # seconds that they are its own
DEADLINE = 6  # seconds that one attempt takes at most
TURN = 5.0  # seconds that a thread stays with one receiver

_STOPS_THE_LANE = (Verdict.AWAY, Verdict.NOT_TRIED)


class Delivery:
    """Carries messages out, by one carrier for each kind; of other kinds it takes none."""

    def __init__(self, turns: Turns, carriers: Mapping[Kind, Carrier], clock: Clock) -> None:
        self._turns = turns
        self._carriers = carriers
        self._clock = clock
        self._stop = threading.Event()
        self._news = threading.Event()
        self._busy: Counter[Lane] = Counter()
        self._changing = threading.Lock()
        self._reachable = True
        self._looked_at = 0

    def run_due(self, now: int) -> None:
        """Do here and now all that is due at that moment, one after the other. Raises Unavailable."""
        worked = True
        while worked:
            worked = False
            for lane in self._due(now):
                while self._work(lane, lambda: now):
                    worked = True

    def run(self, *, once: bool = False) -> None:
        """Go on until `stop`; `once`: until nothing is due. Returns when what is under way is done."""
        while not self._stop.is_set():
            was_idle = not self._busy.total()  # asked first: what a thread has in hand is not due
            due = self._look()
            if once and due == [] and was_idle:
                return
            for lane in due or ():
                self._start(lane)
            self._news.wait(POLL)
            self._news.clear()
        self._wait_for_threads()

    def stop(self) -> None:
        """End `run` soon: what is being sent is finished, what was only claimed is handed back."""
        self._stop.set()
        self._news.set()

    def _due(self, now: int) -> list[Lane]:
        with self._turns.database.reading() as tx:
            return outbox.due(tx, self._carriers, now)

    def _look(self) -> list[Lane] | None:
        """What is due, in no order that could favour anybody; None while the database is away."""
        now = self._clock()
        try:
            if now < self._looked_at - CLOCKS_DIFFER:  # what was noted by it has lost its sense
                self._after_the_clock_was_set_back(now)
            self._looked_at = now
            due = self._due(now)
        except Unavailable as why:
            self._say_unreachable(why)
            return None
        self._reachable = True
        random.shuffle(due)
        return sorted(due, key=lambda lane: self._busy[lane])

    def _after_the_clock_was_set_back(self, now: int) -> None:
        with self._turns.writing() as tx:
            # One of all who notice it: each time costs every message an attempt, and a few are too many.
            if not leases.take(tx, "make_due", now, seconds=CLOCKS_DIFFER):
                return
            made_due = outbox.make_due(tx, now)
        log.warning("the clock was set back", extra={"made_due": made_due})

    def _start(self, lane: Lane) -> None:
        with self._changing:
            free, mine = THREADS - self._busy.total(), self._busy[lane]
            if not free or (mine and (mine >= THREADS_EACH or free <= THREADS // 2)):
                return
            self._busy[lane] += 1
        threading.Thread(target=self._take_turn, args=(lane,), name="delivery-lane", daemon=True).start()

    def _take_turn(self, lane: Lane) -> None:
        ends_at, worked = time.monotonic() + TURN, False
        try:
            while not self._stop.is_set() and time.monotonic() < ends_at and self._work(lane, self._clock):
                worked = True
        except Unavailable as why:
            self._say_unreachable(why)
        finally:
            with self._changing:
                self._busy[lane] -= 1
            if worked:
                self._news.set()

    def _work(self, lane: Lane, clock: Clock) -> bool:
        """Claim a few messages and carry them; whether to go on. Raises Unavailable: their lease runs out then."""
        with self._turns.writing() as tx:
            claimed = outbox.claim(tx, lane, clock(), limit=BATCH, lease=LEASE)
        for number, message in enumerate(claimed):
            if self._stop.is_set() or clock() + DEADLINE > message.lease_ends:
                self._hand_back(claimed[number:], clock())
                return True
            result = self._carry(message, clock)
            if result.verdict in _STOPS_THE_LANE:
                self._hand_back(claimed[number + 1 :], clock())
                return False
        return bool(claimed)

    def _carry(self, claimed: Claimed, clock: Clock) -> Result:
        carrier = self._carriers[claimed.message.kind]
        try:
            result = carrier.carry(claimed.message, clock())
        except Unavailable:
            raise
        except Exception:
            log.exception("delivery failed", extra={"kind": claimed.message.kind.value})
            result = Result(Verdict.REFUSED, "internal error")
        try:
            with self._turns.writing() as tx:
                settle(tx, Attempt(carrier, claimed, random.random(), clock()), result)  # noqa: S311 - it spreads load
        except Unavailable:
            raise
        except Exception:  # its lease brings it back; those behind it go on
            log.exception("delivery could not settle", extra={"kind": claimed.message.kind.value})
        return result

    def _hand_back(self, rest: Sequence[Claimed], now: int) -> None:
        if rest:
            with self._turns.writing() as tx:
                outbox.hand_back(tx, rest, now)

    def _wait_for_threads(self) -> None:
        give_up_at = time.monotonic() + DEADLINE + 2
        while self._busy.total() and time.monotonic() < give_up_at:
            time.sleep(0.02)

    def _say_unreachable(self, why: Unavailable) -> None:
        if self._reachable:
            log.warning("delivery waits for the database", extra={"cause": str(why)})
        self._reachable = False
