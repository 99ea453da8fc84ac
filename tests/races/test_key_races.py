"""A step of a signing key's life that many take at once is taken once: threads, and two processes, on one database."""

from collections import Counter
from functools import partial
from itertools import count
from typing import Any

import pytest
from racing import Race

from bridge.cli.schema import upgrade
from bridge.history import OPERATOR
from bridge.keylife import KEPT, LEAD, KeyLife
from bridge.store import Database, keys
from bridge.store.rewrap import rewrap
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer, new_secret_key
from bridge.tokens.keyring import Keyring

pytestmark = pytest.mark.both_databases

NOW = 1_795_400_000
INTERVAL = 90 * 86400
ALG = "ES256"  # quickly made: what is raced here are the statements
OLD, NEW = new_secret_key(), new_secret_key()
TIMES = 20
_turns = count()


@pytest.fixture
def url(database_url: str) -> str:
    with Database(database_url) as database:
        upgrade(database)
        rotation_of(OLD, database).make_missing(NOW)
    return database_url


def rotation_of(secret_key: str, database: Database) -> Rotation:
    return Rotation(database, Sealer([secret_key]), interval=INTERVAL)


def of(rotation: Rotation) -> list[KeyLife]:
    return [life for life in rotation.lives() if life.alg == ALG]


def states(url: str) -> Counter[str]:
    with Database(url) as database:
        return Counter(life.state for life in of(rotation_of(OLD, database)))


def once(secret_key: str, now: int, database: Database) -> None:
    rotation = rotation_of(secret_key, database)
    rotation.keep_up(of(rotation), now)


def keep_up(secret_key: str, now: int, database: Database) -> Counter[str]:
    """Take what is due, and look before and after: how many keys sign."""
    rotation = rotation_of(secret_key, database)
    before = of(rotation)
    rotation.keep_up(before, now)
    assert [life.state for life in before].count("active") == 1
    return Counter(life.state for life in of(rotation))


def prepare(secret_key: str, active: KeyLife, database: Database) -> bool:
    return rotation_of(secret_key, database).prepare(active, NOW, actor=OPERATOR)


def promote(old: str, new: str, database: Database) -> bool:
    with database.writing() as tx:
        return keys.retire(tx, old, NOW + LEAD) and keys.activate(tx, new, NOW + LEAD)


def remove(kid: str, database: Database) -> bool:
    with database.writing() as tx:
        return keys.remove(tx, kid, NOW + LEAD + KEPT)


def withdraw_or_keep_up(secret_key: str, kid: str, now: int, database: Database) -> int:
    """Every other one withdraws the key that the others retire; how many keys sign then."""
    rotation = rotation_of(secret_key, database)
    lives = of(rotation)
    known = next((life for life in lives if life.kid == kid), None)
    if next(_turns) % 2:
        if known is not None:
            rotation.withdraw(known, now, actor=OPERATOR)
    else:
        rotation.keep_up(lives, now)
    return [life.state for life in of(rotation)].count("active")


def rewrap_once(secret_keys: tuple[str, str], database: Database) -> int:
    with database.writing() as tx:
        return rewrap(tx, Sealer(secret_keys))


def sign(secret_key: str, now: int, database: Database) -> str:
    """The kid of the key that an instance signs with, which last read its keys half a minute ago."""
    rotation = rotation_of(secret_key, database)
    ring = Keyring(rotation.load, lambda _, at: rotation.keep_up(of(rotation), at), now - 31)
    return ring.active(ALG, now).kid


def test_of_twenty_who_know_what_is_due_one_takes_each_step(race: Race, url: str) -> None:
    with Database(url) as database:
        rotation = rotation_of(OLD, database)
        (active,) = of(rotation)
        assert Counter(race(url, partial(prepare, OLD, active), TIMES)) == {True: 1, False: TIMES - 1}
        (new,) = [life.kid for life in of(rotation) if life.state == "pending"]
    assert Counter(race(url, partial(promote, active.kid, new), TIMES)) == {True: 1, False: TIMES - 1}
    assert Counter(race(url, partial(remove, active.kid), TIMES)) == {True: 1, False: TIMES - 1}


def test_twenty_who_make_a_successor_make_one(race: Race, url: str) -> None:
    found = race(url, partial(keep_up, OLD, NOW + INTERVAL), TIMES)
    assert found == [Counter(active=1, pending=1)] * TIMES
    assert states(url) == Counter(active=1, pending=1)


def test_twenty_who_promote_it_promote_it_once_and_nobody_sees_two_or_none_sign(race: Race, url: str) -> None:
    race(url, partial(once, OLD, NOW + INTERVAL), 2)
    found = race(url, partial(keep_up, OLD, NOW + INTERVAL + LEAD), TIMES)
    assert found == [Counter(active=1, retired=1)] * TIMES
    assert states(url) == Counter(active=1, retired=1)


def test_twenty_who_remove_it_leave_the_active_key(race: Race, url: str) -> None:
    for at in (INTERVAL, INTERVAL + LEAD):
        race(url, partial(once, OLD, NOW + at), 2)
    found = race(url, partial(keep_up, OLD, NOW + INTERVAL + LEAD + KEPT), TIMES)
    assert found == [Counter(active=1)] * TIMES


def test_a_key_that_is_withdrawn_while_others_retire_it_is_gone_and_one_signs(race: Race, url: str) -> None:
    race(url, partial(once, OLD, NOW + INTERVAL), 2)
    with Database(url) as database:
        active = next(life for life in of(rotation_of(OLD, database)) if life.state == "active")
    found = race(url, partial(withdraw_or_keep_up, OLD, active.kid, NOW + INTERVAL + LEAD), TIMES)
    assert found == [1] * TIMES
    with Database(url) as database:
        assert active.kid not in {life.kid for life in of(rotation_of(OLD, database))}
    assert states(url)["active"] == 1


def test_twenty_instances_that_come_at_a_promotion_sign_with_one_key(race: Race, url: str) -> None:
    race(url, partial(once, OLD, NOW + INTERVAL), 2)
    found: list[Any] = race(url, partial(sign, OLD, NOW + INTERVAL + LEAD), TIMES)
    with Database(url) as database:
        lives = {life.state: life.kid for life in of(rotation_of(OLD, database))}
    # Who reads before the promotion signs with the old key, which is published still; nobody with a third one.
    assert lives["active"] in found
    assert set(found) <= {lives["active"], lives["retired"]}


def test_twenty_who_rewrap_reseal_each_value_once(race: Race, url: str) -> None:
    assert sum(race(url, partial(rewrap_once, (NEW, OLD)), TIMES)) == 3
    with Database(url) as database:
        assert len(rotation_of(NEW, database).load()) == 3
