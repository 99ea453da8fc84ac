"""A remote key set in a crowd, and in search of what it lacks: unknown kids, new material under a known one."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from conftest import HeldClock
from test_jwks import REFUSED, SERVED, Source, at_once, material, outcome, settle

from bridge import jwks
from bridge.jwks import COOL_DOWN, MOST_WAITING, KeySet

A_WHILE = 0.1  # for threads to come to their wait; a test that is right does not depend on it


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


# A crowd


def crowd(pool: ThreadPoolExecutor, source: Source, keys: KeySet) -> list[Future[object]]:
    """Eight look-ups, of which the first is loading and the others wait for it."""
    source.gate.clear()
    first = pool.submit(outcome, keys)
    source.wait_for(1)
    others = [pool.submit(outcome, keys) for _ in range(7)]
    threading.Event().wait(A_WHILE)
    return [first, *others]


@pytest.mark.parametrize("broken", [False, True])
def test_a_crowd_that_finds_no_keys_shares_one_fetch_and_its_outcome(
    broken: bool, keys: KeySet, source: Source
) -> None:
    with ThreadPoolExecutor(8) as pool:
        waiting = crowd(pool, source, keys)
        source.broken = broken
        source.gate.set()
        results = {future.result() for future in waiting}

    assert results == {REFUSED if broken else SERVED}
    assert source.loads == 1


def test_nobody_waits_longer_than_one_foreground_refresh(keys: KeySet, source: Source) -> None:
    source.deaf = True
    with ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        _, *others = crowd(pool, source, keys)
        assert {future.result() for future in others} == {REFUSED}
        assert time.monotonic() - began < jwks.FOREGROUND_DEADLINE + 1
        source.gate.set()

    assert outcome(keys) == SERVED


def test_a_few_may_wait_and_whoever_comes_then_takes_nobodys_thread(keys: KeySet, source: Source) -> None:
    with ThreadPoolExecutor(MOST_WAITING) as pool:
        waiting = crowd(pool, source, keys)
        assert len(waiting) == MOST_WAITING
        assert at_once(outcome, keys) == REFUSED
        source.gate.set()
        assert {future.result() for future in waiting} == {SERVED}

    assert outcome(keys) == SERVED


def test_a_good_token_never_waits_for_the_search_of_an_unknown_key(warm: KeySet, source: Source) -> None:
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        searching = pool.submit(outcome, warm, "unknown")
        source.wait_for(1)
        assert at_once(outcome, warm) == SERVED
        assert at_once(outcome, warm, "another") is None
        source.gate.set()
        assert searching.result() is None


# Unknown kids


@pytest.mark.parametrize(("threads", "most"), [(1, 2), (8, 3)])
def test_a_flood_of_unknown_kids_costs_one_fetch_per_cool_down(
    threads: int, most: int, keys: KeySet, source: Source, clock: HeldClock
) -> None:
    with ThreadPoolExecutor(threads) as pool:
        assert set(pool.map(lambda i: outcome(keys, f"kid-{i}"), range(1000))) == {None}
        clock.forward(COOL_DOWN - 1)
        assert set(pool.map(lambda i: outcome(keys, f"kid-{i}"), range(1000))) == {None}
    assert (outcome(keys), source.loads <= most) == (SERVED, True)

    clock.forward(1)
    before = source.loads
    assert (outcome(keys, "unknown"), source.loads) == (None, before + 1)


def test_a_new_key_is_found_at_once(warm: KeySet, source: Source) -> None:
    source.publish("k", "new", material=b"second")

    assert outcome(warm, "new") == b"second"
    assert (source.loads, warm.age()) == (1, 0)


def test_a_search_that_fails_takes_no_key_away(warm: KeySet, source: Source) -> None:
    source.broken = True

    assert (outcome(warm, "unknown"), outcome(warm)) == (None, SERVED)


# New material under a known id


def test_new_material_under_the_same_id_is_found_once_per_cool_down(
    warm: KeySet, source: Source, clock: HeldClock
) -> None:
    known = warm.get("k")
    assert known is not None
    source.publish("k", material=b"second")

    assert material(warm.get_again(known)) == b"second"
    assert outcome(warm) == b"second"
    clock.forward(COOL_DOWN - 1)
    assert (warm.get_again(known), source.loads) == (None, 1)
    clock.forward(1)
    assert (material(warm.get_again(known)), source.loads) == (b"second", 2)


@pytest.mark.parametrize("change", ["none", "withdrawn", "broken"])
def test_there_is_nothing_new_under_an_id_that_did_not_change(change: str, warm: KeySet, source: Source) -> None:
    known = warm.get("k")
    assert known is not None
    source.broken = change == "broken"
    if change == "withdrawn":
        source.publish("new", material=b"second")

    assert warm.get_again(known) is None
    assert outcome(warm) == (None if change == "withdrawn" else SERVED)


# A source that tells one key, by an id of its own


def test_any_kid_means_the_one_key(source: Source, clock: HeldClock) -> None:
    one = KeySet(source, clock, any_kid=True)

    assert {outcome(one, kid) for kid in ("k", "token-kid", "another")} == {SERVED}
    assert source.loads == 1


def test_the_one_key_is_found_again_under_whatever_id(source: Source, clock: HeldClock) -> None:
    one = KeySet(source, clock, any_kid=True)
    known = one.get("token-kid")
    assert known is not None
    source.publish("another-id", material=b"second")

    assert material(one.get_again(known)) == b"second"
    assert outcome(one, "token-kid") == b"second"
