"""Work that gets in its own way: many times at once by threads or two processes, or two verbs in a certain order."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier as ProcessBarrier
from threading import Barrier
from typing import Any, TypeVar

import pytest
from databases import rows

from bridge.cli.schema import upgrade
from bridge.errors import NotServed
from bridge.store import Database, Tx

T = TypeVar("T")
Verb = Callable[[Tx], T]

PROCESSES = 2

Work = Callable[[Database], Any]
Race = Callable[[str, Work, int], list[Any]]


def written(verb: Callable[..., Any], *arguments: Any) -> Work:
    """A verb of the store, done in a transaction of its own. Can be sent to a process."""
    return partial(_write, verb, arguments)


def _write(verb: Callable[..., Any], arguments: tuple[Any, ...], database: Database) -> Any:
    with database.writing() as tx:
        return verb(tx, *arguments)


def by_threads(url: str, work: Work, times: int, begin: Callable[[], Any] = lambda: None) -> list[Any]:
    """What `work` answers, done so many times at once. Whatever it raises is raised."""
    database, ready = Database(url), Barrier(times, action=begin)

    def once(_: int) -> Any:
        ready.wait(timeout=30)
        return work(database)

    try:
        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(once, range(times)))
    finally:
        database.close()


_together: list[ProcessBarrier] = []  # of this process, if it is one of two


def join(together: ProcessBarrier) -> None:
    _together.append(together)


def by_one_process_of_two(url: str, work: Work, times: int) -> list[Any]:
    try:
        return by_threads(url, work, times, begin=lambda: _together[0].wait(timeout=30))
    except NotServed as why:
        # As it is it could not be sent back, and would break the pool instead of telling what happened.
        raise AssertionError(str(why)) from why


class Processes:
    """Two processes that begin together."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._pool = ProcessPoolExecutor(
            PROCESSES, mp_context=context, initializer=join, initargs=(context.Barrier(PROCESSES),)
        )

    def __call__(self, url: str, work: Work, times: int) -> list[Any]:
        each = [self._pool.submit(by_one_process_of_two, url, work, times // PROCESSES) for _ in range(PROCESSES)]
        return [answer for future in each for answer in future.result(timeout=60)]

    def close(self) -> None:
        self._pool.shutdown()


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.close()


@pytest.fixture(params=["threads", "processes"])
def race(request: pytest.FixtureRequest, processes: Processes) -> Race:
    """Does a piece of work many times at once, by threads or by two processes with threads each."""
    return by_threads if request.param == "threads" else processes


@pytest.fixture
def url(database_url: str) -> str:
    with Database(database_url) as made:
        upgrade(made)
    return database_url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with Database(url) as made:
        yield made


@pytest.fixture
def one_overtakes(database: Database, database_url: str) -> Callable[[Verb[Any], Verb[Any]], tuple[Any, Any]]:
    """Does the first verb, begins the second beside it, and commits the first when the second has to wait."""

    def both(first: Verb[Any], second: Verb[Any]) -> tuple[Any, Any]:
        with ThreadPoolExecutor(1) as pool:
            with database.writing() as tx:
                answer = first(tx)
                other = pool.submit(database.decide, second)
                wait_for_the_lock(database_url, other)
            return answer, other.result(timeout=30)

    return both


def wait_for_the_lock(url: str, other: Future[Any]) -> None:
    if url.startswith("sqlite"):
        return  # there the second cannot even begin
    give_up_at = time.monotonic() + 2
    while time.monotonic() < give_up_at and not other.done():
        if rows(url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"):
            return
