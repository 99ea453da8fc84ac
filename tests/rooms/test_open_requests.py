"""How many authorization requests of one client are kept: bounded, however many ask."""

from collections.abc import Iterator

import pytest
from conftest import HeldClock

from bridge.cli.schema import upgrade
from bridge.errors import Refused
from bridge.store import Database
from bridge.store.open_requests import PAUSE, OpenRequests
from bridge.store.requests import TTL, finish

pytestmark = pytest.mark.both_databases


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(database_url) as database:
        upgrade(database)
        yield database


def begun(
    database: Database,
    open_requests: OpenRequests,
    many: int,
    now: int,
    client_id: str = "app",
    browser: str | None = "a browser",
) -> int:
    """How many of so many were begun, each in its own transaction."""

    def one() -> bool:
        try:
            with database.writing() as tx:
                open_requests.begin(tx, client_id, "q=1", browser, now)
        except Refused:
            return False
        return True

    return sum(one() for _ in range(many))


def kept(database: Database, client_id: str = "app") -> int:
    with database.reading() as tx:
        found = tx.exec_driver_sql(f"SELECT count(*) FROM requests WHERE client_id = '{client_id}'")
        return int(found.scalar_one())


def test_one_client_has_so_many_open_and_no_more_and_another_does_not_mind(
    database: Database, clock: HeldClock
) -> None:
    open_requests = OpenRequests(most=150)
    assert begun(database, open_requests, 200, clock()) == 150
    assert kept(database) == 150
    assert begun(database, open_requests, 10, clock(), "other") == 10


def test_what_has_run_out_makes_room(database: Database, clock: HeldClock) -> None:
    open_requests = OpenRequests(most=150)
    assert begun(database, open_requests, 200, clock()) == 150
    clock.forward(TTL)
    assert begun(database, open_requests, 1, clock()) == 0  # the very second
    clock.forward(PAUSE)
    assert begun(database, open_requests, 200, clock()) == 150
    assert kept(database) == 150


def test_finished_sign_ins_keep_no_other_out(database: Database, clock: HeldClock) -> None:
    open_requests = OpenRequests(most=150)
    for _ in range(600):
        with database.writing() as tx:
            assert finish(tx, open_requests.begin(tx, "app", "q=1", "a browser", clock()), clock())
    assert kept(database) <= 150
    assert begun(database, open_requests, 200, clock()) == 150


def test_what_is_answered_is_forgotten_before_what_has_run_out(database: Database, clock: HeldClock) -> None:
    open_requests = OpenRequests(most=150)
    begun(database, open_requests, 100, clock())
    clock.forward(TTL + 1)
    for _ in range(500):
        with database.writing() as tx:
            assert finish(tx, open_requests.begin(tx, "app", "q=1", "a browser", clock()), clock())
    with database.reading() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM requests WHERE finished_at IS NULL").scalar_one() == 100


def test_what_began_without_a_browser_makes_room_after_a_minute(database: Database, clock: HeldClock) -> None:
    open_requests = OpenRequests(most=150)
    assert begun(database, open_requests, 200, clock(), browser=None) == 150
    clock.forward(61)
    assert begun(database, open_requests, 200, clock()) == 150
    assert begun(database, open_requests, 50, clock()) == 0


def test_what_is_remembered_for_a_page_left_open_stays_while_there_is_room(
    database: Database, clock: HeldClock
) -> None:
    open_requests = OpenRequests(most=150)
    begun(database, open_requests, 100, clock())
    clock.forward(TTL + 1)
    begun(database, open_requests, 50, clock())
    assert kept(database) == 150


def test_several_processes_together_keep_hardly_more(database: Database, clock: HeldClock) -> None:
    processes = [OpenRequests(most=1000) for _ in range(4)]
    for _ in range(600):
        for process in processes:
            begun(database, process, 1, clock())
    assert 1000 <= kept(database) <= 1000 + 4 * 64
