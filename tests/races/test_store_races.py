"""What must happen once happens once: threads of one process, and two processes, on one database."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier as ProcessBarrier
from threading import Barrier
from typing import Any, get_args

import pytest
from databases import rows

from bridge.cli.schema import upgrade
from bridge.model import Assertion, Client, Environment, Identity, SigningAlgorithm
from bridge.store import Database, Tx, clients, keys, seen, users
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer, new_secret_key

NOW = 1_795_400_000
ENVIRONMENT = Environment("11111111-1111-4111-8111-111111111111")
USER_ID = "22222222-2222-4222-8222-222222222222"
IDENTITY = Identity(
    ENVIRONMENT.environment_id, USER_ID, {"name": "Demo"}, complete=True, told_at=NOW, credentials_digest="d"
)
ASSERTION = Assertion(ENVIRONMENT, USER_ID, "sid", None, NOW, NOW + 7200, None, "large", b"1" * 32, {})
PROCESSES = 2

pytestmark = pytest.mark.both_databases

Work = Callable[[Database], Any]
Race = Callable[[str, Work, int], list[Any]]


def take(tx: Tx) -> bool:
    return seen.take_once(tx, ASSERTION)


def recognise(tx: Tx) -> str:
    known = users.recognise(tx, IDENTITY, ASSERTION, primary_environment=ENVIRONMENT.environment_id, now=NOW)
    return known.user.sub


def add_client(tx: Tx) -> bool:
    return clients.add(tx, Client("app"), NOW)


def make_keys(sealing_key: str, database: Database) -> list[str]:
    rotation = Rotation(database, Sealer([sealing_key]), interval=0)
    rotation.make_missing(NOW)
    return sorted(life.kid for life, _ in rotation.load())


def make_secret(tx: Tx, sealing_key: str) -> bytes:
    return keys.secret(tx, "pairwise", Sealer([sealing_key]), NOW, make=lambda: new_secret_key().encode())


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
    return by_threads(url, work, times, begin=lambda: _together[0].wait(timeout=30))


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


def test_of_fifty_takers_of_one_assertion_one_has_it(race: Race, url: str) -> None:
    assert Counter(race(url, written(take), 50)) == {True: 1, False: 49}
    assert rows(url, "SELECT count(*) FROM seen_assertions") == [(1,)]


def test_a_new_user_who_comes_twenty_times_at_once_is_one_user(race: Race, url: str) -> None:
    assert race(url, written(recognise), 20) == [USER_ID] * 20
    assert rows(url, "SELECT sub FROM users") == [(USER_ID,)]
    assert rows(url, "SELECT user_id, auth_time FROM upstream_sessions") == [(USER_ID, NOW)]


def test_of_twenty_clients_with_one_id_one_is_registered(race: Race, url: str) -> None:
    assert Counter(race(url, written(add_client), 20)) == {True: 1, False: 19}


def test_instances_that_start_together_sign_with_the_same_keys(race: Race, url: str) -> None:
    found = race(url, partial(make_keys, new_secret_key()), 4)
    assert len(found[0]) == len(get_args(SigningAlgorithm))
    assert found == [found[0]] * 4
    assert rows(url, "SELECT count(*), count(DISTINCT alg) FROM signing_keys") == [(3, 3)]


def test_instances_that_start_together_have_one_pairwise_key(race: Race, url: str) -> None:
    assert len(set(race(url, written(make_secret, new_secret_key()), 10))) == 1


def test_two_processes_may_upgrade_an_empty_database_together(processes: Processes, empty_database_url: str) -> None:
    assert processes(empty_database_url, upgrade, 2) == [None, None]
    assert rows(empty_database_url, "SELECT count(*) FROM alembic_version") == [(1,)]


def test_fifty_writers_and_fifty_readers_wait_for_each_other_without_an_error(url: str) -> None:
    def write(tx: Tx) -> bool:
        return clients.add(tx, Client(clients.new_secret()[:40]), NOW)

    def both(database: Database) -> bool:
        with database.reading() as tx:
            clients.every(tx)
        return bool(written(write)(database))

    assert by_threads(url, both, 50) == [True] * 50
