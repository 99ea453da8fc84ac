"""Through pgbouncer in transaction mode, with fewer server connections than clients."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from threading import Barrier
from time import monotonic
from typing import Any

import psycopg
import pytest
from conftest import Bridge
from databases import rows
from pgbouncer import SERVER_CONNECTIONS
from sqlalchemy import make_url, select

from bridge.errors import Unavailable
from bridge.model import Assertion, Client, Environment, Identity
from bridge.store import Database, Tx, clients, recognition, seen
from bridge.store.postgresql import ANSWER_TIMEOUT

NOW = 1_795_400_000
ENVIRONMENT = Environment("11111111-1111-4111-8111-111111111111")
USER_ID = "22222222-2222-4222-8222-222222222222"
THREADS = 20
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

pytestmark = pytest.mark.only_postgresql


@pytest.fixture
def url(database_url: str, pgbouncer: str) -> str:
    """The test's database, by way of pgbouncer."""
    name = make_url(database_url).database
    return make_url(pgbouncer).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with Database(url) as made:
        yield made


def at_once(work: Callable[[int], Any]) -> list[Any]:
    ready = Barrier(THREADS)

    def once(number: int) -> Any:
        ready.wait(timeout=30)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(once, range(THREADS)))


def token(number: int) -> Assertion:
    return Assertion(ENVIRONMENT, USER_ID, "sid", None, NOW - number, NOW + 7200, None, "large", b"1" * 32, {})


def everything(tx: Tx, number: int) -> tuple[str, bool, bool]:
    """Verbs of the store, in one transaction."""
    who = Identity(
        ENVIRONMENT.environment_id,
        USER_ID,
        {"name": f"{number}"},
        complete=True,
        told_at=NOW + number,
        credentials_digest="d",
    )
    known = recognition.recognise(tx, who, token(number), primary_environment=ENVIRONMENT.environment_id, now=NOW)
    added = clients.add(tx, Client("app"), NOW)
    return known.user.sub, added, seen.take_once(tx, token(number))


def test_the_store_does_what_it_says(database: Database, database_url: str) -> None:
    subs, added, taken = zip(*at_once(lambda number: database.decide(lambda tx: everything(tx, number))), strict=True)
    assert set(subs) == {USER_ID}
    assert Counter(added) == Counter(taken) == {True: 1, False: THREADS - 1}
    assert rows(database_url, "SELECT told_at FROM users") == [(NOW + THREADS - 1,)]
    assert rows(database_url, "SELECT auth_time FROM upstream_sessions") == [(NOW - THREADS + 1,)]


def test_every_transaction_has_its_limits_and_leaves_none_behind(
    database: Database, database_url: str, url: str
) -> None:
    def limits(number: int) -> tuple[str, ...]:
        try:
            with database.writing() as tx:
                found = tuple(str(tx.exec_driver_sql(f"SHOW {limit}").scalar()) for limit in LIMITS)
                if number % 2:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        return found

    assert set(at_once(limits)) == {("4s", "3s", "5s")}
    with closing(psycopg.connect(url, autocommit=True)) as stranger:
        for _ in range(2 * SERVER_CONNECTIONS):
            assert [stranger.execute(f"SHOW {limit}").fetchone() for limit in LIMITS] == [("0",)] * 3
            assert stranger.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
            assert stranger.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
    servers = rows(
        database_url,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert 1 <= servers[0][0] <= SERVER_CONNECTIONS


def test_what_another_client_left_in_the_session_does_not_lift_the_limits(database: Database, url: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as careless:
        careless.execute("SET statement_timeout = 0")
        careless.execute("SET default_transaction_isolation = 'serializable'")
        with database.writing() as tx:
            assert tx.exec_driver_sql("SHOW statement_timeout").scalar() == "4s"
            assert tx.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


def test_who_waits_too_long_in_the_queue_is_told_to_come_again(database: Database, url: str) -> None:
    with ExitStack() as held:
        for _ in range(SERVER_CONNECTIONS):
            held.enter_context(closing(psycopg.connect(url, autocommit=True))).execute("BEGIN")
        began = monotonic()
        with pytest.raises(Unavailable, match="NoAnswerInTime"), database.reading():
            pass
        assert ANSWER_TIMEOUT <= monotonic() - began < ANSWER_TIMEOUT + 2
    with database.reading() as tx:
        tx.execute(select(1))


def test_of_many_exchanges_at_once_one_takes_the_assertion(make_bridge: Callable[..., Bridge], url: str) -> None:
    bridge = make_bridge(BRIDGE_DATABASE_URL=url)
    bridge.add_client(assertion_once=True)
    assertion = bridge.assertion()
    application = bridge.http.application

    def exchange(_: int) -> int:
        return replace(bridge, http=application.test_client()).exchange(assertion).status_code

    assert Counter(at_once(exchange)) == {200: 1, 400: THREADS - 1}
