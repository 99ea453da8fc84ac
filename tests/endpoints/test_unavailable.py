"""What we depend on is away: 503 with Retry-After, nobody is refused, nothing is lost."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import OFFLINE, Bridge
from postgres import PostgresServer


@pytest.mark.parametrize("fault", ["down", "error", "garbage", "empty", "redirecting", "huge", "gzip_bomb"])
def test_no_keys_at_all_is_503_and_never_a_refusal(bridge: Bridge, fault: str) -> None:
    bridge.add_client()
    assertion = bridge.assertion()
    bridge.dynamic.emulator.faults.set("/sdk", fault)
    answer = bridge.exchange(assertion)
    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json["error_uri"].endswith("keys_unavailable")


def test_remembered_keys_carry_through_an_outage_of_a_day(bridge: Bridge) -> None:
    bridge.add_client()
    user = bridge.user()
    assert bridge.exchange(bridge.assertion(user)).status_code == 200
    bridge.dynamic.emulator.faults.set("/sdk", "down")
    for _ in range(23):
        bridge.clock.forward(3600)
        assert bridge.exchange(bridge.assertion(user)).status_code == 200
    bridge.clock.forward(2 * 3600)
    assert bridge.exchange(bridge.assertion(user)).status_code == 503


def test_a_rotated_key_is_found_at_once_and_a_withdrawn_one_is_refused(bridge: Bridge) -> None:
    bridge.add_client()
    user = bridge.user()
    old = bridge.assertion(user)
    assert bridge.exchange(old).status_code == 200
    bridge.dynamic.emulator.rotate_key(keep_old=False)
    assert bridge.exchange(bridge.assertion(user)).status_code == 200
    assert bridge.exchange(old).json["error_uri"].endswith("key_unknown")


def test_a_flood_of_unknown_keys_costs_dynamic_nothing_and_good_tokens_less(bridge: Bridge) -> None:
    bridge.add_client()
    user = bridge.user()
    good = bridge.assertion(user)
    assert bridge.exchange(good).status_code == 200
    bridge.dynamic.emulator.clear_requests()
    for number in range(100):
        bad = bridge.exchange(bridge.assertion(user, header={"kid": f"unknown-{number}"}))
        assert bad.json["error_uri"].endswith("key_unknown")
        assert bridge.exchange(good).status_code == 200
    assert bridge.dynamic.emulator.count("jwks") <= 3


def test_a_locked_database_is_503_and_nothing_is_half_written(bridge: Bridge) -> None:
    bridge.add_client(assertion_once=True)
    bridge.exchange(bridge.assertion())
    assertion = bridge.assertion()
    holder = sqlite3.connect("bridge.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answer = bridge.exchange(assertion)
    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert answer.json["error_uri"].endswith("database_unavailable")
    holder.execute("ROLLBACK")
    holder.close()
    assert bridge.exchange(assertion).status_code == 200


def test_a_database_that_is_gone_is_503_and_not_ready(bridge: Bridge) -> None:
    bridge.add_client()
    bridge.exchange(bridge.assertion())
    bridge.database.close()
    bridge.http.application.extensions["bridge"].database.close()
    for name in ("bridge.db", "bridge.db-wal", "bridge.db-shm"):
        Path(name).unlink(missing_ok=True)
    Path("bridge.db").mkdir()
    assert bridge.exchange(bridge.assertion()).status_code == 503
    ready = bridge.http.get("/readyz")
    assert (ready.status_code, ready.json["parts"]["database"]) == (503, "does not answer")
    assert bridge.http.get("/healthz").status_code == 200
    Path("bridge.db").rmdir()


def test_a_postgresql_that_is_stopped_is_503_and_serves_again_when_it_is_back(
    make_bridge: Callable[..., Bridge], own_postgresql: PostgresServer
) -> None:
    bridge = make_bridge(BRIDGE_DATABASE_URL=own_postgresql.url())
    bridge.add_client(assertion_once=True)
    user = bridge.user()
    taken, assertion = bridge.assertion(user), bridge.assertion(user)
    assert bridge.exchange(taken).status_code == 200
    own_postgresql.stop()
    for _ in range(2):
        answer = bridge.exchange(assertion)
        assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
        assert answer.json["error_uri"].endswith("database_unavailable")
    ready = bridge.http.get("/readyz")
    assert (ready.status_code, ready.json["parts"]["database"]) == (503, "does not answer")
    own_postgresql.start()
    assert bridge.exchange(assertion).status_code == 200
    bridge.clock.forward(1)
    assert bridge.http.get("/readyz").status_code == 200
    assert bridge.exchange(taken).json["error_uri"].endswith("assertion_replayed")


def test_a_revocation_that_could_not_be_kept_is_no_success(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    token = bridge.keep()
    with closing(sqlite3.connect(Path("bridge.db"), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        answer = bridge.call("/revoke", token)
        assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
        holder.execute("ROLLBACK")
    assert bridge.call("/introspect", token).json["active"] is True
    assert bridge.call("/revoke", token).status_code == 200


def test_nothing_is_spent_for_an_answer_that_could_not_be_signed(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    token = bridge.keep()
    bridge.clock.forward(60)  # from here on the keys are read before anything is signed
    with bridge.database.writing() as tx:
        tx.exec_driver_sql("UPDATE signing_keys SET private_key = 'sealed under another key' WHERE state = 'active'")
        tx.exec_driver_sql("UPDATE signing_keys SET kid = 'x' || kid")
    answer = bridge.refresh(token)
    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert bridge.rows("SELECT state FROM refresh_tokens") == [("unspent",)]
