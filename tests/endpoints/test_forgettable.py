"""What may be forgotten at a power cut does not wait for the disk; what somebody relies on does."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import OFFLINE, Bridge
from sqlalchemy import insert, text
from watching import hearing

from bridge.store.tables import audit, seen_assertions
from bridge.store.transaction import MustLast, fixed

pytestmark = pytest.mark.both_databases


def waits_for_disk(bridge: Bridge, request: Callable[[], Any]) -> list[bool]:
    """Of each writing transaction that the request commits: whether its commit waits for the disk."""
    found: list[bool] = []
    waits = True  # what SQLite's connection was left in is said anew only when it changes
    with bridge.database.writing():
        pass

    def heard(statement: str) -> None:
        nonlocal waits
        if statement.startswith("PRAGMA synchronous"):
            waits = statement.endswith("FULL")
        elif "READ COMMITTED" in statement:
            found.append("synchronous_commit = off" not in statement)
        elif statement == "BEGIN IMMEDIATE":
            found.append(waits)

    with hearing(heard):
        answer = request()
    assert answer.status_code == 200, answer.json
    return found


def test_an_exchange_that_keeps_nothing_does_not_wait_for_the_disk(bridge: Bridge) -> None:
    bridge.add_client()
    assert waits_for_disk(bridge, lambda: bridge.exchange(bridge.assertion())) == [False]


def test_a_refresh_token_waits_for_the_disk_when_it_is_made_and_when_it_is_spent(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    assert waits_for_disk(bridge, lambda: bridge.exchange(bridge.assertion(), scope="openid offline_access")) == [True]
    token = bridge.keep()
    assert waits_for_disk(bridge, lambda: bridge.refresh(token)) == [True]
    assert waits_for_disk(bridge, lambda: bridge.call("/revoke", token)) == [True]


@pytest.mark.parametrize(
    "settings",
    [{"assertion_once": True}, {"backchannel_logout_uri": "https://app.example.com/logout"}],
    ids=["once", "told"],
)
def test_what_is_remembered_of_an_exchange_for_its_client_waits_for_the_disk(
    bridge: Bridge, settings: dict[str, Any]
) -> None:
    bridge.add_client(**settings)
    assert waits_for_disk(bridge, lambda: bridge.exchange(bridge.assertion())) == [True]


def test_what_must_last_cannot_be_written_in_a_transaction_that_may_be_forgotten(bridge: Bridge) -> None:
    values = {"environment_id": "e", "digest": b"d", "expires_at": 1}
    take = fixed(insert(seen_assertions), *values)
    for written in (take, insert(seen_assertions), text("DELETE FROM users")):
        with pytest.raises(MustLast), bridge.database.writing_forgettable() as tx:
            tx.execute(written, values if written is take else {})
    with bridge.database.reading() as tx:
        assert tx.execute(seen_assertions.select()).all() == []


def test_a_decision_that_turns_out_to_end_something_is_taken_anew_so_that_it_lasts(bridge: Bridge) -> None:
    accesses: list[str] = []

    def verb(tx: Any) -> str:
        accesses.append(tx.access.name)
        tx.execute(audit.delete())
        return "done"

    assert bridge.database.decide(verb, forgettable=True) == "done"
    assert accesses == ["FORGETTABLE", "WRITE"]
