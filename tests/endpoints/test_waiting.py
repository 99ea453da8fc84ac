"""A thread that may not wait for others answers what needs nobody, and gives the rest up before it has done a thing."""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Thread
from typing import Any

import pytest
from conftest import APP_ORIGIN, OFFLINE, Bridge
from loading import until

from bridge.dynamic.allowance import BURST
from bridge.waiting import MustWait, never_on_this_thread


def on_the_loop(work: Any) -> Any:
    """What `work` answers on a thread that may not wait, or MustWait."""
    answers: list[Any] = []

    def run() -> None:
        never_on_this_thread()
        try:
            answers.append(work())
        except MustWait as must_wait:
            answers.append(must_wait)

    thread = Thread(target=run)
    thread.start()
    thread.join(timeout=30)
    return answers[0]


def reads_on_the_loop(bridge: Bridge, access_token: str) -> bool:
    answer = on_the_loop(lambda: bridge.userinfo(access_token))
    return not isinstance(answer, MustWait) and answer.status_code == 200


def test_an_exchange_waits_for_keys_and_profiles_on_another_thread_and_is_whole_then(bridge: Bridge) -> None:
    bridge.add_client(scopes=("openid", "email"))
    user = bridge.user()
    small = bridge.assertion(user, shape="small")
    assert isinstance(on_the_loop(lambda: bridge.exchange(small)), MustWait)  # Dynamic's keys are not known
    assert bridge.rows("SELECT count(*) FROM audit WHERE event = 'issued'") == [(0,)]
    assert on_the_loop(lambda: bridge.http.get("/jwks")).status_code == 200

    assert bridge.exchange(bridge.assertion(bridge.user(email="other@example.com"))).status_code == 200
    assert isinstance(on_the_loop(lambda: bridge.exchange(small)), MustWait)  # nor is the profile
    assert bridge.dynamic.emulator.count("/users") == 0
    answer = bridge.exchange(small)
    assert answer.status_code == 200
    assert bridge.dynamic.emulator.count("/users") == 1

    large = bridge.assertion(user, origin=APP_ORIGIN)
    assert on_the_loop(lambda: bridge.exchange(large)).status_code == 200


def test_an_unknown_kid_asks_for_another_thread_without_using_up_its_early_refresh(bridge: Bridge) -> None:
    bridge.add_client()
    bridge.exchange(bridge.assertion())
    bridge.dynamic.emulator.rotate_key()
    fresh = bridge.assertion()
    assert isinstance(on_the_loop(lambda: bridge.exchange(fresh)), MustWait)
    assert bridge.exchange(fresh).status_code == 200


def test_another_writer_is_waited_for_on_another_thread_and_what_reads_goes_on(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    token = bridge.keep()
    answer = bridge.refresh(token).json
    with closing(sqlite3.connect("bridge.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert isinstance(on_the_loop(lambda: bridge.refresh(answer["refresh_token"])), MustWait)
        assert time.monotonic() - began < 1
        until(lambda: reads_on_the_loop(bridge, answer["access_token"]))  # it asks for nothing at all at first
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(bridge.refresh, answer["refresh_token"])
            time.sleep(0.1)
            other.execute("ROLLBACK")
            assert waiting.result(timeout=10).status_code == 200
    until(lambda: reads_on_the_loop(bridge, answer["access_token"]))
    assert on_the_loop(lambda: bridge.refresh(token)).status_code == 200


@pytest.mark.only_postgresql
def test_whatever_asks_a_database_server_is_for_another_thread(bridge: Bridge) -> None:
    bridge.add_client()
    assert isinstance(on_the_loop(lambda: bridge.exchange(bridge.assertion())), MustWait)
    assert on_the_loop(lambda: bridge.http.get("/healthz")).status_code == 200


def test_a_live_check_uses_up_nothing_before_it_may_wait(make_bridge: Callable[..., Bridge]) -> None:
    token = "dyn_" + "0" * 56
    bridge = make_bridge(DYNAMIC_LIVE_CHECK="closed", DYNAMIC_API_TOKEN=token)
    bridge.dynamic.emulator.api_token = token
    bridge.add_client(**OFFLINE)
    refresh_token = bridge.keep()
    for _ in range(BURST + 1):  # as many questions as there are at once, and one more
        assert isinstance(on_the_loop(lambda: bridge.refresh(refresh_token)), MustWait)
    assert bridge.refresh(refresh_token).status_code == 200
