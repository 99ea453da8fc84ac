"""What must happen once happens once: threads of one process, and two processes, on one database."""

from collections import Counter
from functools import partial
from typing import get_args

import pytest
from databases import rows
from racing import Processes, Race, by_threads, written

from bridge.cli.schema import upgrade
from bridge.model import Assertion, Client, Environment, Identity, SigningAlgorithm
from bridge.store import Database, Tx, clients, keys, recognition, seen
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer, new_secret_key

NOW = 1_795_400_000
ENVIRONMENT = Environment("11111111-1111-4111-8111-111111111111")
USER_ID = "22222222-2222-4222-8222-222222222222"
IDENTITY = Identity(
    ENVIRONMENT.environment_id, USER_ID, {"name": "Demo"}, complete=True, told_at=NOW, credentials_digest="d"
)
ASSERTION = Assertion(ENVIRONMENT, USER_ID, "sid", None, NOW, NOW + 7200, None, "large", b"1" * 32, {})

pytestmark = pytest.mark.both_databases


def take(tx: Tx) -> bool:
    return seen.take_once(tx, ASSERTION)


def recognise(tx: Tx) -> str:
    known = recognition.recognise(tx, IDENTITY, ASSERTION, primary_environment=ENVIRONMENT.environment_id, now=NOW)
    return known.user.sub


def add_client(tx: Tx) -> bool:
    return clients.add(tx, Client("app"), NOW)


def make_keys(sealing_key: str, database: Database) -> list[str]:
    rotation = Rotation(database, Sealer([sealing_key]), interval=0)
    rotation.make_missing(NOW)
    return sorted(life.kid for life, _ in rotation.load())


def make_secret(tx: Tx, sealing_key: str) -> bytes:
    return keys.secret(tx, "pairwise", Sealer([sealing_key]), NOW, make=lambda: new_secret_key().encode())


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
