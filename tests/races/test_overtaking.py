"""Two transactions in each other's way, in a certain order: the second meets what the first has not committed yet."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from databases import rows
from racing import wait_for_the_lock

from bridge.errors import Refused
from bridge.model import Assertion, Client, Environment, Identity
from bridge.store import Database, Tx, clients, recognition, seen
from bridge.store.clients import secret_digest

T = TypeVar("T")
Verb = Callable[[Tx], T]

DAY = 86400
NOW = 1_795_400_000
ENVIRONMENT = Environment("11111111-1111-4111-8111-111111111111")
USER_ID = "22222222-2222-4222-8222-222222222222"
IDENTITY = Identity(
    ENVIRONMENT.environment_id, USER_ID, {"name": "first"}, complete=True, told_at=NOW, credentials_digest="d"
)
ASSERTION = Assertion(ENVIRONMENT, USER_ID, "sid", None, NOW, NOW + 7200, None, "large", b"1" * 32, {})

pytestmark = pytest.mark.both_databases


def told(at: int, *, by: Assertion = ASSERTION, **changes: Any) -> Verb[recognition.Known]:
    who = replace(IDENTITY, told_at=at, **changes)
    return lambda tx: recognition.recognise(tx, who, by, primary_environment=ENVIRONMENT.environment_id, now=NOW)


def test_an_older_saying_does_not_replace_a_newer_one_that_it_did_not_see(
    database: Database, database_url: str, one_overtakes: Any
) -> None:
    database.decide(told(NOW))
    newer, older = told(NOW + 2, claims={"name": "newer"}), told(NOW + 1, claims={"name": "older"})
    assert [known.user.claims["name"] for known in one_overtakes(newer, older)] == ["newer", "newer"]
    assert rows(database_url, "SELECT told_at FROM users") == [(NOW + 2,)]
    assert database.decide(told(NOW)).user.claims == {"name": "newer"}


def test_a_later_saying_replaces_an_earlier_one_that_it_did_not_see(database: Database, one_overtakes: Any) -> None:
    database.decide(told(NOW))
    earlier, later = told(NOW + 1, claims={"name": "earlier"}), told(NOW + 2, claims={"name": "later"})
    assert [known.user.claims["name"] for known in one_overtakes(earlier, later)] == ["earlier", "later"]
    assert database.decide(told(NOW)).user.claims == {"name": "later"}


def test_an_incomplete_saying_keeps_the_profile_that_it_did_not_see(database: Database, one_overtakes: Any) -> None:
    database.decide(told(NOW))
    whole, small = told(NOW, claims={"name": "whole"}), told(NOW + 1, complete=False, claims={"name": "small"})
    assert [known.user.claims["name"] for known in one_overtakes(whole, small)] == ["whole", "whole"]
    assert database.decide(told(NOW)).user.claims == {"name": "whole"}


@pytest.mark.parametrize("known_before", [True, False])
def test_a_session_keeps_its_earliest_beginning_and_its_latest_end(
    database: Database, database_url: str, one_overtakes: Any, known_before: bool
) -> None:
    database.decide(told(NOW, by=ASSERTION if known_before else replace(ASSERTION, sid="another")))
    early = replace(ASSERTION, issued_at=NOW - 500, refresh_expires_at=NOW + 40 * DAY)
    late = replace(ASSERTION, issued_at=NOW - 100, refresh_expires_at=NOW + 35 * DAY)
    assert [known.auth_time for known in one_overtakes(told(NOW, by=early), told(NOW, by=late))] == [NOW - 500] * 2
    found = rows(database_url, "SELECT auth_time, expires_at FROM upstream_sessions WHERE session_key = 'sid'")
    assert found == [(NOW - 500, NOW + 40 * DAY + 60)]


def test_a_session_key_is_the_first_users_even_if_the_second_did_not_see_them(
    database: Database, database_url: str, one_overtakes: Any
) -> None:
    other = replace(ASSERTION, user_id="another", issued_at=NOW - 500)
    first, second = told(NOW), told(NOW, user_id="another", by=other)
    # Who comes so late that they see the first is refused; who does not proves nothing.
    with suppress(Refused):
        assert [known.auth_time for known in one_overtakes(first, second)] == [NOW, NOW - 500]
    assert rows(database_url, "SELECT user_id, auth_time FROM upstream_sessions") == [(USER_ID, NOW)]


def test_a_user_whom_two_meet_at_once_is_one_user_with_the_later_claims(
    database: Database, database_url: str, one_overtakes: Any
) -> None:
    first, second = told(NOW, claims={"name": "first"}), told(NOW + 1, claims={"name": "second"})
    assert [known.user.claims["name"] for known in one_overtakes(first, second)] == ["first", "second"]
    assert rows(database_url, "SELECT told_at FROM users") == [(NOW + 1,)]


def test_two_secrets_are_live_at_most_though_two_are_made_at_once(database: Database, one_overtakes: Any) -> None:
    def add_secret(tx: Tx) -> str:
        return secret_digest(clients.add_secret(tx, "app", NOW, overlap=100))

    with database.writing() as tx:
        assert clients.add(tx, Client("app"), NOW)
        add_secret(tx)
    first, second = one_overtakes(add_secret, add_secret)
    with database.reading() as tx:
        found = clients.find(tx, "app")
    assert found is not None
    assert [(secret.sha256, secret.not_after) for secret in found.secrets] == [(first, NOW + 100), (second, None)]


def test_a_change_to_a_client_is_made_to_what_another_change_left(database: Database, one_overtakes: Any) -> None:
    def change(**settings: Any) -> Verb[bool]:
        def verb(tx: Tx) -> bool:
            found = clients.find_to_change(tx, "app")
            assert found is not None
            return clients.change(tx, replace(found, **settings), NOW)

        return verb

    with database.writing() as tx:
        clients.add(tx, Client("app"), NOW)
    one_overtakes(change(disabled=True), change(name="New"))
    with database.reading() as tx:
        assert clients.find(tx, "app") == Client("app", disabled=True, name="New")


def test_what_was_taken_by_a_transaction_that_fails_goes_to_who_waited(database: Database, database_url: str) -> None:
    waiting: list[Future[bool]] = []

    def take_and_fail(tx: Tx) -> None:
        assert seen.take_once(tx, ASSERTION)
        waiting.append(pool.submit(database.decide, lambda tx: seen.take_once(tx, ASSERTION)))
        wait_for_the_lock(database_url, waiting[0])
        raise ZeroDivisionError

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(ZeroDivisionError):
            database.decide(take_and_fail)
        assert waiting[0].result(timeout=30) is True
