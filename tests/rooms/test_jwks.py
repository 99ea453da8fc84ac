"""A remote key set through its days: fresh, ageing, old, dead, with its source up and down and the clock set back."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from conftest import HeldClock

from bridge import jwks
from bridge.errors import FetchFailed, Unavailable
from bridge.jose import VerificationKey
from bridge.jwks import AGEING, DEAD, FORGOTTEN, OLD, RETRY_PAUSE, KeySet
from bridge.reasons import Reason

A_MOMENT = jwks.FOREGROUND_DEADLINE / 2


class Source:
    """Where keys come from: counts its loads, fails while `broken`, makes callers wait while its gate is shut."""

    def __init__(self) -> None:
        self.keys: Mapping[str, VerificationKey] = {}
        self.publish("k", material=b"first")
        self.broken = False
        self.deaf = False  # lets the deadline pass
        self.gate = threading.Event()
        self.gate.set()
        self.deadlines: list[float] = []
        self.news = threading.Condition()

    def publish(self, *kids: str, material: bytes) -> None:
        self.keys = {kid: VerificationKey(kid, "RS256", material) for kid in kids}

    def __call__(self, deadline: float) -> Mapping[str, VerificationKey]:
        with self.news:
            self.deadlines.append(deadline)
            self.news.notify_all()
        if not self.gate.wait(20 if self.deaf else deadline):
            raise FetchFailed("deadline passed")
        if self.broken:
            raise FetchFailed("broken")
        return self.keys

    @property
    def loads(self) -> int:
        return len(self.deadlines)

    def wait_for(self, loads: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.loads >= loads, timeout=5)


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    yield source
    source.gate.set()
    settle()


@pytest.fixture
def keys(source: Source, clock: HeldClock) -> KeySet:
    return KeySet(source, clock)


@pytest.fixture
def warm(keys: KeySet, source: Source) -> KeySet:
    """Keys fetched just now; the source counts from here."""
    assert keys.get("k") is not None
    source.deadlines.clear()
    return keys


def settle() -> None:
    """Until every refresh behind the scenes is over."""
    for thread in threading.enumerate():
        if thread.name == "key-refresh":
            thread.join(10)


def material(key: VerificationKey | None) -> bytes | None:
    return None if key is None else key.key


def outcome(keys: KeySet, kid: str = "k") -> object:
    """What a look-up comes to: the key's material, None, or the reason for having none."""
    try:
        return material(keys.get(kid))
    except Unavailable as unavailable:
        return unavailable.reason


def at_once(act: Callable[..., Any], *args: Any) -> Any:
    began = time.monotonic()
    result = act(*args)
    assert time.monotonic() - began < A_MOMENT
    return result


# Age


def test_nothing_is_fetched_before_the_first_look_up(keys: KeySet, source: Source) -> None:
    assert (source.loads, keys.age()) == (0, None)

    assert outcome(keys) == b"first"
    assert (source.deadlines, keys.age()) == ([jwks.FOREGROUND_DEADLINE], 0)


@pytest.mark.parametrize("age", [0, 1, AGEING - 1])
def test_fresh_keys_are_served_as_they_are(age: int, warm: KeySet, source: Source, clock: HeldClock) -> None:
    clock.forward(age)

    assert outcome(warm) == b"first"
    settle()
    assert (source.loads, warm.age()) == (0, age)


@pytest.mark.parametrize("age", [AGEING, OLD - 1])
def test_ageing_keys_are_served_and_refreshed_behind(age: int, warm: KeySet, source: Source, clock: HeldClock) -> None:
    clock.forward(age)
    source.publish("k", material=b"second")
    source.gate.clear()

    assert [at_once(outcome, warm) for _ in range(3)] == [b"first"] * 3
    source.wait_for(1)
    source.gate.set()
    settle()
    assert (outcome(warm), source.deadlines) == (b"second", [jwks.BACKGROUND_DEADLINE])


@pytest.mark.parametrize("age", [OLD, DEAD - 1, DEAD, 10**9])
def test_old_keys_are_refreshed_before_use(age: int, warm: KeySet, source: Source, clock: HeldClock) -> None:
    clock.forward(age)
    source.publish("k", material=b"second")

    assert outcome(warm) == b"second"
    assert (source.deadlines, warm.age()) == ([jwks.FOREGROUND_DEADLINE], 0)


def test_a_key_that_is_no_longer_published_is_gone_after_a_refresh(
    warm: KeySet, source: Source, clock: HeldClock
) -> None:
    clock.forward(OLD)
    source.publish("new", material=b"second")

    assert outcome(warm) is None
    assert outcome(warm, "new") == b"second"


# Failure

SERVED, REFUSED = b"first", Reason.KEYS_UNAVAILABLE


@pytest.mark.parametrize(
    ("age", "result"), [(AGEING, SERVED), (OLD, SERVED), (DEAD - 1, SERVED), (DEAD, REFUSED), (10**9, REFUSED)]
)
def test_keys_outlive_a_failing_source_for_a_day(
    age: int, result: object, warm: KeySet, source: Source, clock: HeldClock
) -> None:
    clock.forward(age)
    source.broken = True

    assert outcome(warm) == result
    settle()
    assert (outcome(warm), source.loads, warm.age()) == (result, 1, age)


def test_cold_keys_of_a_failing_source_are_unavailable_for_now(keys: KeySet, source: Source) -> None:
    source.broken = True

    with pytest.raises(Unavailable) as unavailable:
        keys.get("k")
    assert (unavailable.value.reason, unavailable.value.retry_after) == (Reason.KEYS_UNAVAILABLE, RETRY_PAUSE)
    assert keys.age() is None


@pytest.mark.parametrize(("age", "result"), [(None, REFUSED), (OLD, SERVED), (DEAD, REFUSED)])
def test_after_a_failure_nobody_waits_and_success_is_found_behind(
    age: int | None, result: object, keys: KeySet, source: Source, clock: HeldClock
) -> None:
    if age is not None:
        assert outcome(keys) == SERVED
        clock.forward(age)
    source.broken = True
    assert outcome(keys) == result
    source.broken = False
    source.publish("k", material=b"second")
    source.deadlines.clear()
    source.gate.clear()

    clock.forward(RETRY_PAUSE - 1)
    assert (at_once(outcome, keys), source.loads) == (result, 0)
    clock.forward(1)
    assert [at_once(outcome, keys) for _ in range(3)] == [result] * 3
    source.wait_for(1)
    source.gate.set()
    settle()
    assert (outcome(keys), source.deadlines) == (b"second", [jwks.BACKGROUND_DEADLINE])


def test_once_healed_old_keys_are_refreshed_before_use_again(warm: KeySet, source: Source, clock: HeldClock) -> None:
    source.broken = True
    clock.forward(OLD)
    outcome(warm)
    source.broken = False
    clock.forward(RETRY_PAUSE)
    outcome(warm)
    settle()

    source.publish("k", material=b"second")
    clock.forward(OLD)
    assert outcome(warm) == b"second"


@pytest.mark.parametrize("age", [None, OLD, DEAD])
def test_a_failure_of_long_ago_does_not_cost_the_next_caller_an_answer(
    age: int | None, keys: KeySet, source: Source, clock: HeldClock
) -> None:
    if age is not None:
        outcome(keys)
        clock.forward(age)
    source.broken = True
    outcome(keys)
    settle()
    source.broken = False
    source.publish("k", material=b"second")

    clock.forward(FORGOTTEN)
    assert outcome(keys) == b"second"


def test_keys_that_were_asked_for_in_vain_are_fetched_before_anybody_asks_again(
    keys: KeySet, source: Source, clock: HeldClock
) -> None:
    keys.keep_fresh(0)
    settle()
    assert source.loads == 0, "nobody has asked for them"
    source.broken = True
    outcome(keys)
    source.broken = False

    clock.forward(RETRY_PAUSE)
    keys.keep_fresh(0)
    settle()
    assert keys.age() == 0


def test_keys_are_warm_before_the_first_caller_comes(keys: KeySet, source: Source) -> None:
    keys.warm()
    settle()
    assert (keys.age(), source.deadlines) == (0, [jwks.BACKGROUND_DEADLINE])
    assert outcome(keys) == SERVED


# A clock set back


@pytest.mark.parametrize("broken", [False, True])
def test_after_the_clock_was_set_back_keys_count_as_old(
    broken: bool, warm: KeySet, source: Source, clock: HeldClock
) -> None:
    clock.forward(-3600)
    source.broken = broken
    source.publish("k", material=b"second")

    assert outcome(warm) == (SERVED if broken else b"second")
    assert source.loads == 1


def test_after_the_clock_was_set_back_neither_pause_nor_cool_down_lasts_for_ever(
    warm: KeySet, source: Source, clock: HeldClock
) -> None:
    source.broken = True
    assert outcome(warm, "unknown") is None
    source.broken = False
    clock.forward(-3600)

    assert outcome(warm) == SERVED
    settle()
    assert (source.loads, warm.age()) == (2, 0)
    source.publish("k", "new", material=b"second")
    assert outcome(warm, "new") == b"second"
