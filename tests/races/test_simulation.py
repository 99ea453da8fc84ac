"""A week of many devices, each with its tabs, its sleep and its bad network: no honest user is thrown out.

By the verbs of store and lifecycle, with a clock of the simulation's own.
"""

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from families import APP, NOW, open_family, present

from bridge.errors import Refused
from bridge.lifecycle.refresh import HandleState
from bridge.model import Client
from bridge.store import Database
from bridge.store.sweep import sweep

DAY, HOUR = 86400, 3600
DAYS = 7
LOST = 0.05  # of all answers never reach the device, every day
RENEWS_EVERY = 600  # seconds, while it is in use
YEAR = 365 * DAY


@dataclass
class Device:
    """A relying party's session on one device: the last refresh token that it managed to store."""

    token: str
    fresh_until: int = 0  # its access token; nobody refreshes before
    bursts_left: int = 0
    is_out: bool = False


@dataclass(order=True)
class Step:
    """Something that happens: a device wakes, a tab reads what is stored, sends a refresh, or receives its answer."""

    at: int
    number: int
    device: Device = field(compare=False)
    what: str = field(compare=False)
    token: str = field(compare=False, default="")


class Week:
    """What happens in the order of time."""

    def __init__(self, database: Database, client: Client, chance: random.Random, *, longest_sleep: int) -> None:
        self._database = database
        self._client = client
        self._chance = chance
        self._longest_sleep = longest_sleep
        self._steps: list[Step] = []
        self._number = 0
        self.states: Counter[HandleState] = Counter()
        self.thrown_out: list[str] = []
        self.lost = 0

    def run(self, devices: list[Device], ends_at: int) -> None:
        for device in devices:
            self._later(self._chance.randrange(DAY), NOW, device, "wakes")
        next_sweep = NOW + DAY
        while self._steps and self._steps[0].at < ends_at:
            step = heapq.heappop(self._steps)
            if step.at >= next_sweep:
                sweep(self._database, next_sweep, audit_retention=YEAR)
                next_sweep += DAY
            getattr(self, f"_{step.what}")(step)

    def _later(self, seconds: int, now: int, device: Device, what: str, token: str = "") -> None:
        self._number += 1
        heapq.heappush(self._steps, Step(now + seconds, self._number, device, what, token))

    def _wakes(self, step: Step) -> None:
        step.device.bursts_left = self._chance.randint(1, 3)
        self._bursts(step)

    def _bursts(self, step: Step) -> None:
        """One tab needs its tokens, or several at once; then the device goes on."""
        device, chance = step.device, self._chance
        for _ in range(1 if chance.random() < 0.7 else chance.randint(2, 5)):
            self._later(chance.randrange(6), step.at, device, "reads")
        device.bursts_left -= 1
        if device.bursts_left > 0:
            # After a lost answer the user may also try again at once.
            self._later(chance.choice((RENEWS_EVERY, RENEWS_EVERY, 45)), step.at, device, "bursts")
        else:
            self._later(chance.randrange(4 * HOUR, self._longest_sleep), step.at, device, "wakes")

    def _reads(self, step: Step) -> None:
        """A tab looks at what is stored now, and refreshes a moment later if that has expired."""
        if step.at >= step.device.fresh_until and not step.device.is_out:
            self._later(self._chance.randrange(6), step.at, step.device, "sends", step.device.token)

    def _sends(self, step: Step) -> None:
        device, sent = step.device, step.token
        if device.is_out:
            return
        try:
            token, state = self._database.decide(lambda tx: present(tx, self._client, sent, step.at))
        except Refused as refused:
            device.is_out = True
            self.thrown_out.append(refused.reason.code)
            return
        self.states[state] += 1
        if self._chance.random() < LOST:
            self.lost += 1
        else:
            self._later(self._chance.randrange(4), step.at, device, "receives", token)

    def _receives(self, step: Step) -> None:
        step.device.token = step.token  # the last to come wins, as with a cookie
        step.device.fresh_until = step.at + RENEWS_EVERY - 60


def a_week(database: Database, client: Client, devices: int, *, longest_sleep: int, seed: int) -> Week:
    week = Week(database, client, random.Random(seed), longest_sleep=longest_sleep)
    week.run([Device(open_family(database, client)) for _ in range(devices)], NOW + DAYS * DAY)
    return week


@pytest.mark.parametrize("devices", [100, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_many_devices_in_a_week_of_lost_answers_and_no_honest_user_is_thrown_out(
    database_in_memory: Database, devices: int
) -> None:
    week = a_week(database_in_memory, APP, devices, longest_sleep=23 * HOUR, seed=1)
    assert week.thrown_out == []
    assert week.lost > devices
    assert week.states[HandleState.JUST_SPENT] > 3 * devices, "parallel refreshes"
    assert week.states[HandleState.UNFOLLOWED] > 0.3 * devices, "those who came back later with the predecessor"


def test_nobody_is_thrown_out_who_is_away_over_a_long_weekend(database_in_memory: Database) -> None:
    assert a_week(database_in_memory, APP, 100, longest_sleep=72 * HOUR, seed=2).thrown_out == []


@pytest.mark.parametrize(
    "strict", [{"refresh_retry_ttl": DAY}, {"refresh_retry_ttl": 0}, {"refresh_grace": 0, "refresh_retry_ttl": 0}]
)
def test_with_less_patience_honest_users_are_thrown_out(database_in_memory: Database, strict: dict[str, int]) -> None:
    """Why the windows are as long as they are: an answer that was lost, and nobody there for a day."""
    client = replace(APP, **strict)
    assert set(a_week(database_in_memory, client, 100, longest_sleep=72 * HOUR, seed=2).thrown_out) == {
        "refresh_token_reused"
    }
