"""What PostgreSQL does that SQLite cannot: fail in many ways, none of which may hold a request or look like a bug."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from time import monotonic
from typing import Any

import psycopg
import pytest
from postgres import PostgresServer
from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError
from watching import hearing

from bridge.cli.schema import upgrade
from bridge.errors import Unavailable
from bridge.model import Client
from bridge.store import Database, Tx, clients
from bridge.store.engines import is_database_url
from bridge.store.postgresql import ANSWER_TIMEOUT, IDLE_TIMEOUT, LOCK_TIMEOUT, STATEMENT_TIMEOUT

NOW = 1_795_400_000
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

pytestmark = pytest.mark.only_postgresql


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(database_url) as made:
        upgrade(made)
        yield made


def shown(tx: Tx, setting: str) -> str:
    return str(tx.exec_driver_sql(f"SHOW {setting}").scalar())


def add(name: str) -> Callable[[Tx], bool]:
    return lambda tx: clients.add(tx, Client(name), NOW)


def answers_again(database: Database) -> bool:
    return database.decide(lambda tx: tx.execute(text("SELECT 1")).scalar()) == 1


def test_every_transaction_has_its_limits_and_the_session_has_none(database: Database) -> None:
    for transaction in (database.reading, database.writing, database.rehearsing):
        with transaction() as tx:
            assert [shown(tx, limit) for limit in LIMITS] == ["4s", "3s", "5s"]
    with database.migrating() as tx:
        assert [shown(tx, limit) for limit in LIMITS] == ["0", "3s", "0"]
    with database.reading() as tx:
        driver: Any = tx.connection.driver_connection
        driver.commit()
        assert [driver.execute(f"SHOW {limit}").fetchone() for limit in LIMITS] == [("0",)] * 3
        assert driver.prepare_threshold is None
    assert max(STATEMENT_TIMEOUT, LOCK_TIMEOUT, IDLE_TIMEOUT, ANSWER_TIMEOUT * 1000) <= 5000


def test_who_writes_sees_what_others_committed_and_who_reads_sees_one_state(database: Database) -> None:
    count = text("SELECT count(*) FROM clients")
    with database.reading() as reading, database.writing() as writing:
        assert [tx.execute(count).scalar() for tx in (reading, writing)] == [0, 0]
        database.decide(add("app"))
        assert [tx.execute(count).scalar() for tx in (reading, writing)] == [0, 1]


def test_a_transaction_is_its_begin_its_statements_and_its_end(database: Database, database_url: str) -> None:
    said: list[str] = []

    database.decide(add("first"))  # what SQLAlchemy asks a new server is over now
    with hearing(said.append):
        database.decide(add("second"))
    assert [statement.split()[0] for statement in said] == ["BEGIN", "INSERT", "COMMIT"]
    assert said[0].count("SET LOCAL") == 3


def test_who_waits_too_long_for_a_lock_is_told_to_come_again(database: Database) -> None:
    database.decide(add("app"))
    with database.writing() as holder:
        clients.find_to_change(holder, "app")
        began = monotonic()
        with pytest.raises(Unavailable, match="LockNotAvailable"):
            database.decide(lambda tx: clients.find_to_change(tx, "app"))
        assert LOCK_TIMEOUT / 1000 <= monotonic() - began < 5
    assert database.decide(lambda tx: clients.find_to_change(tx, "app")) == Client("app")


def test_a_statement_that_takes_too_long_is_ended_by_the_server(database: Database) -> None:
    began = monotonic()
    with pytest.raises(Unavailable, match="QueryCanceled"), database.reading() as tx:
        tx.execute(text("SELECT pg_sleep(30)"))
    assert STATEMENT_TIMEOUT / 1000 <= monotonic() - began < 5
    assert answers_again(database)


def test_of_two_in_a_deadlock_one_goes_on_and_one_is_told_to_come_again(database: Database) -> None:
    database.decide(add("a"))
    database.decide(add("b"))
    both_hold_one = Barrier(2)

    def change(first: str, second: str) -> bool | str:
        def verb(tx: Tx) -> bool:
            clients.change(tx, Client(first), NOW)
            both_hold_one.wait(timeout=10)
            return clients.change(tx, Client(second), NOW)

        try:
            return database.decide(verb)
        except Unavailable as unavailable:
            return unavailable.detail

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(change, "ab", "ba")) == {True, "DeadlockDetected"}


def test_a_server_that_takes_no_writes_is_unavailable_and_its_connections_are_given_up(
    database: Database, database_url: str
) -> None:
    name = database_url.rpartition("/")[2]
    database.decide(add("app"))
    with psycopg.connect(database_url, autocommit=True) as operator:
        operator.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(Unavailable, match="ReadOnlySqlTransaction"):
            database.decide(add("other"))
        with database.reading() as tx:
            assert clients.find(tx, "app") == Client("app")
        operator.execute("SET default_transaction_read_only = off")
        operator.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        # The next connection would write; the one that could not is not used again once it has failed.
        with pytest.raises(Unavailable):
            database.decide(add("other"))
        assert database.decide(add("other"))


def test_a_reading_transaction_that_writes_is_a_bug(database: Database) -> None:
    with pytest.raises(AssertionError), database.reading() as tx:
        clients.add(tx, Client("app"), NOW)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT * FROM nothing", ProgrammingError),
        ("SELECT 1 / 0", DataError),
        ("INSERT INTO secrets VALUES (NULL, '', 1)", IntegrityError),
    ],
)
def test_a_bug_in_a_statement_is_not_taken_for_a_database_that_is_away(
    database: Database, statement: str, error: type[Exception]
) -> None:
    with pytest.raises(error), database.writing() as tx:
        tx.execute(text(statement))
    assert answers_again(database)


def test_who_cannot_connect_is_told_so_and_nobody_reads_the_password(own_postgresql: PostgresServer) -> None:
    for url in (
        own_postgresql.url("nothing"),
        own_postgresql.url(user="nobody"),
        own_postgresql.url(password="wrong-password"),
        "postgresql://me:wrong-password@127.0.0.1:1/bridge",
        "postgresql://me:wrong-password@name.invalid/bridge",
    ):
        with Database(url) as database:
            with pytest.raises(Unavailable, match="OperationalError") as unavailable, database.reading():
                pass
            password = url.split(":")[2].partition("@")[0]
            error: BaseException | None = unavailable.value
            while error is not None:
                assert password not in f"{error!r}{error}"
                error = error.__cause__ or error.__context__
            assert password not in repr(database)


def fill_pool(database: Database) -> None:
    with ExitStack() as held:
        for _ in range(6):
            held.enter_context(database.reading())


def test_a_server_that_was_restarted_is_used_again_without_an_error(own_postgresql: PostgresServer) -> None:
    with Database(own_postgresql.url()) as database:
        fill_pool(database)
        own_postgresql.stop()
        own_postgresql.start()
        fill_pool(database)
        assert answers_again(database)


def test_a_server_that_is_away_is_unavailable_until_it_is_back(own_postgresql: PostgresServer) -> None:
    with Database(own_postgresql.url()) as database:
        fill_pool(database)
        own_postgresql.stop()
        for _ in range(3):
            with pytest.raises(Unavailable):
                answers_again(database)
        with pytest.raises(Unavailable):
            database.check_schema()
        own_postgresql.start()
        fill_pool(database)


def test_a_server_that_freezes_holds_nobody(own_postgresql: PostgresServer) -> None:
    frozen: list[int] = []

    def freeze(tx: Tx) -> None:
        frozen.append(int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one()))
        os.kill(frozen[0], signal.SIGSTOP)
        tx.execute(text("SELECT 1"))

    with Database(own_postgresql.url()) as database:
        began = monotonic()
        with pytest.raises(Unavailable, match="NoAnswer"):
            database.decide(freeze)
        assert ANSWER_TIMEOUT <= monotonic() - began < ANSWER_TIMEOUT + 2
        assert answers_again(database)
        os.kill(frozen[0], signal.SIGCONT)


def test_a_server_with_no_connection_left_is_unavailable(own_postgresql: PostgresServer) -> None:
    with psycopg.connect(own_postgresql.url(), autocommit=True) as operator:
        operator.execute("CREATE ROLE guest LOGIN PASSWORD 'guest' CONNECTION LIMIT 1")
        url = own_postgresql.url(user="guest", password="guest")
        with Database(url) as first, Database(url) as second:
            with first.reading(), pytest.raises(Unavailable), second.reading():
                pass
            first.close()
            assert answers_again(second)


def test_who_waits_for_another_to_migrate_waits_longer_than_for_a_row(database: Database) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.migrating() as tx:
            assert shown(tx, "lock_timeout") == "3s"
            other = pool.submit(upgrade, database)
            tx.execute(text("SELECT pg_sleep(:longer)"), {"longer": LOCK_TIMEOUT / 1000 + 0.5})
            assert not other.done()
        other.result(timeout=30)
    database.check_schema()


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("postgresql://bridge:secret@db/bridge", True),
        ("postgres://bridge:secret@db/bridge?sslmode=verify-full&sslrootcert=ca.pem", True),
        ("postgresql+psycopg://bridge@/bridge?host=a:5432&host=b:5432&target_session_attrs=read-write", True),
        ("postgresql://bridge@db/bridge?pgbouncer=true", False),  # it would fail at the first request
        ("postgresql+psycopg2://bridge@db/bridge", False),
        ("postgresql+asyncpg://bridge@db/bridge", False),
        ("postgresql://bridge@db:port/bridge", False),
        ("mysql://bridge@db/bridge", False),
    ],
)
def test_a_url_is_understood_or_a_fault(url: str, good: bool) -> None:
    assert is_database_url(url) is good
