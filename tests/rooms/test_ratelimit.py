"""Rate limits: what is counted together, when it is forgotten, and that it stays small."""

import tracemalloc
from collections.abc import Callable

import pytest
from conftest import HeldClock

from bridge.config.settings import DEFAULT_LIMITS
from bridge.errors import Refused
from bridge.ratelimit import RateLimits, source_of
from bridge.ratelimit.windows import MOST, Windows
from bridge.reasons import Reason

ENVIRONMENT = "1a1a1a1a-1a1a-4a1a-8a1a-1a1a1a1a1a1a"


@pytest.fixture
def limits(clock: HeldClock) -> RateLimits:
    return RateLimits(dict.fromkeys(DEFAULT_LIMITS, "2/minute"), sources_known=True, clock=clock)


def refused(count: Callable[..., None], *who: str) -> Refused | None:
    try:
        count(*who)
    except Refused as why:
        return why
    return None


def test_what_is_over_the_limit_is_told_when_to_come_again(limits: RateLimits, clock: HeldClock) -> None:
    for _ in range(2):
        limits.of_client("app")
    clock.forward(20)
    why = refused(limits.of_client, "app")
    assert why is not None
    assert (why.reason, why.detail, why.retry_after) == (Reason.TOO_MANY_REQUESTS, "client", 40)
    clock.forward(40)
    assert refused(limits.of_client, "app") is None


def test_nobody_is_told_to_come_at_once(clock: HeldClock) -> None:
    limits = RateLimits({"client": "1/second"}, sources_known=True, clock=clock)
    limits.of_client("app")
    why = refused(limits.of_client, "app")
    assert why is not None
    assert why.retry_after == 1


def test_one_key_of_a_kind_and_one_kind_do_not_count_for_another(limits: RateLimits) -> None:
    for _ in range(3):
        refused(limits.of_client, "app")
    assert refused(limits.of_client, "app")
    assert refused(limits.of_client, "other") is None
    assert refused(limits.of_source, "app") is None
    assert refused(limits.of_user, "app", ENVIRONMENT, "app") is None


def test_a_user_is_one_of_their_environment_at_one_client(limits: RateLimits) -> None:
    for _ in range(2):
        limits.of_user("app", ENVIRONMENT, "one")
    assert refused(limits.of_user, "app", ENVIRONMENT, "one")
    assert refused(limits.of_user, "app", ENVIRONMENT.replace("1a", "2b"), "one") is None
    assert refused(limits.of_user, "other", ENVIRONMENT, "one") is None


def test_what_is_not_named_is_not_limited(clock: HeldClock) -> None:
    limits = RateLimits({}, sources_known=True, clock=clock)
    for _ in range(100):
        limits.of_source("192.0.2.1")
        limits.failed("192.0.2.1")
        limits.of_client("app")
        limits.of_user("app", ENVIRONMENT, "one")
        limits.forged(ENVIRONMENT, "192.0.2.1")


def test_the_address_of_an_unknown_proxy_is_nobody(clock: HeldClock) -> None:
    limits = RateLimits({"source": "1/minute", "webhooks": "1/minute"}, sources_known=False, clock=clock)
    for _ in range(10):
        limits.of_source("10.0.0.1")
        limits.forged(ENVIRONMENT, "10.0.0.1")


def test_forged_webhooks_count_for_their_address_and_environment(limits: RateLimits) -> None:
    for _ in range(2):
        limits.forged(ENVIRONMENT, "192.0.2.1")
    assert refused(limits.forged, ENVIRONMENT, "192.0.2.1")
    assert refused(limits.forged, ENVIRONMENT, "192.0.2.2") is None
    assert refused(limits.forged, "another", "192.0.2.1") is None


def begun(limits: RateLimits, *peers: str) -> int:
    return sum(refused(limits.of_sign_in, peer) is None for peer in peers)


def test_the_workers_of_a_machine_share_its_limit_of_sign_ins(clock: HeldClock) -> None:
    for workers, each in ((1, 9), (4, 2), (100, 1)):
        limits = RateLimits({"signins": "9/minute"}, sources_known=True, workers=workers, clock=clock)
        assert begun(limits, *["192.0.2.1"] * 20) == each
        assert begun(limits, "192.0.2.2") == 1


def test_a_network_begins_four_times_what_a_home_in_it_may(clock: HeldClock) -> None:
    limits = RateLimits({"signins": "10/minute"}, sources_known=True, clock=clock)
    assert begun(limits, *["2001:db8:7:1::1"] * 100) == 10
    assert begun(limits, *(f"2001:db8:7:{home:x}::1" for home in range(2, 1000))) == 30
    why = refused(limits.of_sign_in, "2001:db8:7::1")
    assert why is not None
    assert why.detail == "signins"
    assert begun(limits, "2001:db8:8::1", "192.0.2.1", "::ffff:192.0.2.1") == 3
    unknown = RateLimits({"signins": "1/minute"}, sources_known=False, clock=clock)
    assert begun(unknown, *["2001:db8::1"] * 5) == 5


def test_after_the_clock_was_set_back_nobody_waits_longer_than_a_window(limits: RateLimits, clock: HeldClock) -> None:
    for _ in range(3):
        refused(limits.of_client, "app")
    clock.forward(-3600)
    assert refused(limits.of_client, "app") is None


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("192.0.2.1", "192.0.2.1:4711"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("192.0.2.1", "::FFFF:C000:201"),
        ("2001:db8::1", "2001:0DB8:0:0:ffff:ffff:ffff:ffff"),
        ("2001:db8::1", "[2001:db8::2]:4711"),
        ("2001:db8::1", "2001:db8::1%eth0"),
        ("", "unknown"),
        ("unknown", "192.0.2.1, 192.0.2.2"),
        ("x" * 10_000, "_hidden"),
        ("192.0.2.01", "192.0.2.1.evil.example"),
    ],
)
def test_two_spellings_of_one_source_count_together(one: str, same: str) -> None:
    assert source_of(one) == source_of(same)


@pytest.mark.parametrize(
    ("one", "another"),
    [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1"), ("192.0.2.1", "2001:db8::1"), ("", "192.0.2.1")],
)
def test_two_sources_count_apart(one: str, another: str) -> None:
    assert source_of(one) != source_of(another)


def test_a_million_keys_take_no_more_room_than_a_hundred_thousand(clock: HeldClock) -> None:
    windows = Windows(clock)
    for number in range(1_000_000):
        if number == 700_000:
            tracemalloc.start()  # whatever is kept at the end is made after this
        windows.incr(f"LIMITER/source/{number:x}::/3000/1/minute", 60)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(windows) <= 2 * MOST
    assert taken < 40e6


def test_a_key_that_is_used_is_not_forgotten_in_a_flood_of_others(clock: HeldClock) -> None:
    windows = Windows(clock, most=100)
    for number in range(10_000):
        windows.incr(f"other {number}", 60)
        if number % 50 == 0:
            windows.incr("mine", 60)
    assert windows.get("mine") == 200


def test_the_storage_forgets_what_it_is_told_to(clock: HeldClock) -> None:
    windows = Windows(clock)
    windows.incr("a", 60)
    windows.incr("b", 60)
    windows.clear("a")
    assert (windows.get("a"), windows.get("b"), windows.check()) == (0, 1, True)
    assert windows.reset() == 1
    assert (windows.get("b"), windows.get_expiry("b")) == (0, clock())
