"""What a request costs the database: one transaction that is committed, and few statements (BEGIN and COMMIT apart)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import OFFLINE, Bridge
from watching import hearing

pytestmark = pytest.mark.both_databases


@contextmanager
def counting() -> Iterator[dict[str, int]]:
    """The statements and the transactions of a block; reading ones are ended by a commit as well."""
    counts = {"statements": 0, "writes": 0, "commits": 0}

    def heard(statement: str) -> None:
        if statement.startswith("BEGIN"):
            counts["writes"] += "IMMEDIATE" in statement or "READ COMMITTED" in statement
        elif statement == "COMMIT":
            counts["commits"] += 1
        elif not statement.startswith("PRAGMA"):
            counts["statements"] += 1

    with hearing(heard):
        yield counts


def cost(request: Callable[[], Any]) -> dict[str, int]:
    with counting() as counts:
        assert request().status_code == 200
    return counts


@pytest.fixture
def offline(bridge: Bridge) -> Bridge:
    """A bridge that has seen its client a moment ago."""
    bridge.add_client(**OFFLINE)
    bridge.exchange(bridge.assertion())
    return bridge


def test_a_refresh_is_four_statements_and_one_commit(offline: Bridge) -> None:
    first = offline.keep()
    second = offline.refresh(first).json["refresh_token"]
    assert cost(lambda: offline.refresh(second)) == {"statements": 4, "writes": 1, "commits": 1}


def test_a_retry_is_four_statements_and_one_commit(offline: Bridge) -> None:
    token = offline.keep()
    for _ in range(3):
        token = offline.refresh(first := token).json["refresh_token"]
    assert cost(lambda: offline.refresh(first)) == {"statements": 4, "writes": 1, "commits": 1}


def test_an_exchange_of_a_known_user_is_two_statements_and_four_if_the_grant_is_kept(offline: Bridge) -> None:
    assertion = offline.assertion()
    offline.exchange(assertion)
    assert cost(lambda: offline.exchange(assertion)) == {"statements": 2, "writes": 1, "commits": 1}
    kept = cost(lambda: offline.exchange(assertion, scope="openid offline_access"))
    assert kept == {"statements": 4, "writes": 1, "commits": 1}


def test_userinfo_is_one_statement(offline: Bridge) -> None:
    assertion = offline.assertion()
    for scope in ("openid", "openid offline_access"):
        token = offline.exchange(assertion, scope=scope).json["access_token"]
        assert cost(lambda token=token: offline.userinfo(token)) == {"statements": 1, "writes": 0, "commits": 1}


def test_a_revocation_is_three_statements_and_one_commit(offline: Bridge) -> None:
    token = offline.keep()
    assert cost(lambda: offline.call("/revoke", token)) == {"statements": 3, "writes": 1, "commits": 1}
