"""Signing keys in the database: every step of their life, at its second; their seals; and the schema before them."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import text

from bridge.assets import MIGRATIONS
from bridge.cli.schema import upgrade
from bridge.errors import SealBroken
from bridge.history import BRIDGE, OPERATOR, Event
from bridge.jose import generate_signing_key, signing_key
from bridge.keylife import KEPT, LEAD, KeyLife
from bridge.model import SIGNING_ALGORITHMS
from bridge.store import Database, audit, keys
from bridge.store.rewrap import SEALED, rewrap, sealed_under
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer, new_secret_key
from bridge.store.tables import metadata
from bridge.tokens.keyring import Keyring
from bridge.tokens.read import read_access_token

pytestmark = pytest.mark.both_databases

NOW = 1_795_400_000
INTERVAL = 90 * 86400
OLD, NEW = new_secret_key(), new_secret_key()


@pytest.fixture
def url(empty_database_url: str) -> str:
    return empty_database_url


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    with Database(url) as made:
        yield made


@pytest.fixture
def database(empty: Database) -> Database:
    upgrade(empty)
    return empty


@pytest.fixture
def rotation(database: Database) -> Rotation:
    made = Rotation(database, Sealer([OLD]), interval=INTERVAL)
    made.make_missing(NOW)
    return made


def of(rotation: Rotation, alg: str = "ES256") -> dict[str, KeyLife]:
    """The keys of one algorithm by their state, of each of which there must be one at most."""
    lives = [life for life in rotation.lives() if life.alg == alg]
    assert len({life.state for life in lives}) == len(lives)
    return {life.state: life for life in lives}


def keep_up(rotation: Rotation, now: int, alg: str = "ES256") -> bool:
    return rotation.keep_up([life for life in rotation.lives() if life.alg == alg], now)


def through_rotation(rotation: Rotation) -> int:
    """One algorithm's keys just after a rotation; when that was."""
    keep_up(rotation, NOW + INTERVAL)
    keep_up(rotation, NOW + INTERVAL + LEAD)
    return NOW + INTERVAL + LEAD


def test_the_first_keys_sign_at_once(rotation: Rotation) -> None:
    lives = rotation.lives()
    assert sorted(life.alg for life in lives) == sorted(SIGNING_ALGORITHMS)
    assert {(life.state, life.created_at, life.activated_at) for life in lives} == {("active", NOW, NOW)}


def test_an_active_key_asks_for_a_successor_when_the_interval_has_passed(rotation: Rotation) -> None:
    assert not keep_up(rotation, NOW + INTERVAL - 1)
    assert of(rotation).keys() == {"active"}
    assert keep_up(rotation, NOW + INTERVAL)
    assert of(rotation).keys() == {"active", "pending"}
    assert of(rotation)["pending"].created_at == NOW + INTERVAL
    assert not keep_up(rotation, NOW + INTERVAL + 1)


def test_a_pending_key_takes_the_active_ones_place_when_every_client_has_it(rotation: Rotation) -> None:
    first = of(rotation)["active"]
    keep_up(rotation, NOW + INTERVAL)
    successor = of(rotation)["pending"]
    at = NOW + INTERVAL + LEAD
    assert not keep_up(rotation, at - 1)
    assert keep_up(rotation, at)
    found = of(rotation)
    assert found.keys() == {"active", "retired"}
    assert (found["active"].kid, found["active"].activated_at) == (successor.kid, at)
    assert (found["retired"].kid, found["retired"].retired_at) == (first.kid, at)
    assert found["retired"].published_until == at + KEPT


def test_a_retired_key_goes_when_its_last_token_has_expired(rotation: Rotation) -> None:
    at = through_rotation(rotation)
    assert not keep_up(rotation, at + KEPT - 1)
    assert of(rotation).keys() == {"active", "retired"}
    assert keep_up(rotation, at + KEPT)
    assert of(rotation).keys() == {"active"}


def test_one_algorithms_rotation_leaves_the_others_alone(rotation: Rotation) -> None:
    before = of(rotation, "RS256"), of(rotation, "Ed25519")
    through_rotation(rotation)
    assert (of(rotation, "RS256"), of(rotation, "Ed25519")) == before


def test_with_an_interval_of_none_a_key_is_succeeded_by_command_alone(database: Database, rotation: Rotation) -> None:
    by_command = Rotation(database, Sealer([OLD]), interval=0)
    assert not keep_up(by_command, NOW + 100 * INTERVAL)
    assert by_command.prepare(of(rotation)["active"], NOW, actor=OPERATOR)
    assert keep_up(by_command, NOW + LEAD)
    assert of(rotation).keys() == {"active", "retired"}


def test_no_step_is_taken_by_the_statement_alone_before_its_time(database: Database, rotation: Rotation) -> None:
    """An instance with old knowledge, or a fast clock in another thread, decides nothing: the row count does."""
    active = of(rotation)["active"]
    assert rotation.prepare(active, NOW, actor=OPERATOR)
    pending = of(rotation)["pending"]
    with database.rehearsing() as tx:
        assert not keys.activate(tx, pending.kid, NOW + LEAD - 1)
        assert not keys.activate(tx, active.kid, NOW + LEAD)
        assert not keys.retire(tx, pending.kid, NOW + LEAD)
        assert not keys.remove(tx, active.kid, NOW + 2 * KEPT)
        assert not keys.remove(tx, pending.kid, NOW + 2 * KEPT)
        assert keys.retire(tx, active.kid, NOW + LEAD)
        assert not keys.retire(tx, active.kid, NOW + LEAD)
        assert keys.activate(tx, pending.kid, NOW + LEAD)
        assert not keys.remove(tx, active.kid, NOW + LEAD + KEPT - 1)
        assert keys.remove(tx, active.kid, NOW + LEAD + KEPT)


def test_a_promotion_that_another_instance_was_half_a_step_ahead_of_changes_nothing(rotation: Rotation) -> None:
    keep_up(rotation, NOW + INTERVAL)
    known = rotation.lives()
    rotation.withdraw(of(rotation)["pending"], NOW + INTERVAL + 1, actor=OPERATOR)
    rotation.keep_up([life for life in known if life.alg == "ES256"], NOW + INTERVAL + LEAD)
    assert of(rotation).keys() == {"active"}


def test_old_knowledge_starts_no_second_rotation(rotation: Rotation) -> None:
    known = [life for life in rotation.lives() if life.alg == "ES256"]
    at = through_rotation(rotation)
    rotation.keep_up(known, at + 1)
    assert of(rotation).keys() == {"active", "retired"}
    assert not rotation.prepare(of(rotation)["retired"], at + 1, actor=OPERATOR)


def test_a_key_that_is_there_already_is_made_once(database: Database, rotation: Rotation) -> None:
    active = of(rotation)["active"]
    assert rotation.prepare(active, NOW, actor=OPERATOR)
    assert not rotation.prepare(active, NOW, actor=OPERATOR)
    with database.writing() as tx:
        assert not keys.add_active(tx, keys.new_key("ES256", Sealer([OLD])), NOW)
    assert of(rotation).keys() == {"active", "pending"}


def test_a_withdrawn_active_key_is_replaced_by_the_pending_one(rotation: Rotation) -> None:
    active = of(rotation)["active"]
    rotation.prepare(active, NOW, actor=OPERATOR)
    pending = of(rotation)["pending"]
    assert rotation.withdraw(active, NOW + 1, actor=OPERATOR) == (active, pending.kid)
    found = of(rotation)
    assert found.keys() == {"active"}
    assert (found["active"].kid, found["active"].activated_at) == (pending.kid, NOW + 1)


def test_a_withdrawn_active_key_without_a_successor_is_replaced_by_a_new_one(rotation: Rotation) -> None:
    active = of(rotation)["active"]
    withdrawn = rotation.withdraw(active, NOW + 1, actor=OPERATOR)
    found = of(rotation)
    assert withdrawn == (active, found["active"].kid)
    assert found["active"].kid != active.kid
    assert rotation.withdraw(active, NOW + 2, actor=OPERATOR) is None


@pytest.mark.parametrize("state", ["pending", "retired"])
def test_a_withdrawn_key_that_does_not_sign_is_replaced_by_none(rotation: Rotation, state: str) -> None:
    at = through_rotation(rotation)
    rotation.prepare(of(rotation)["active"], at, actor=OPERATOR)
    active, life = of(rotation)["active"], of(rotation)[state]
    assert rotation.withdraw(life, at + 1, actor=OPERATOR) == (life, None)
    assert state not in of(rotation)
    assert of(rotation)["active"] == active


def test_every_key_has_a_kid_of_its_own_and_opens_once(rotation: Rotation) -> None:
    through_rotation(rotation)
    first, second = rotation.load(), rotation.load()
    assert len({key.kid for _, key in first}) == len(first) == 4
    assert all(life.kid == key.kid for life, key in first)
    # Parsing and unsealing are what is expensive: a key object is made once.
    assert [id(key) for _, key in first] == [id(key) for _, key in second]
    keep_up(rotation, NOW + INTERVAL + LEAD + KEPT)
    assert len(rotation.load()) == 3


def test_rewrap_brings_everything_under_the_first_secret_key(database: Database, rotation: Rotation) -> None:
    with database.writing() as tx:
        keys.secret(tx, "pairwise", Sealer([OLD]), NOW, make=lambda: b"value")
        assert sealed_under(tx, Sealer([NEW, OLD])) == {2: 4}
    both = Sealer([NEW, OLD])
    with database.writing() as tx:
        assert rewrap(tx, both) == 4
        assert rewrap(tx, both) == 0
        assert sealed_under(tx, both) == {1: 4}
        assert keys.secret(tx, "pairwise", Sealer([NEW]), NOW, make=lambda: b"other") == b"value"
        with pytest.raises(SealBroken):
            sealed_under(tx, Sealer([OLD]))
    after = Rotation(database, Sealer([NEW]), interval=INTERVAL)
    assert [key.kid for _, key in after.load()] == [life.kid for life in rotation.lives()]


def test_rewrap_that_meets_a_value_under_none_of_the_keys_changes_nothing(
    database: Database, rotation: Rotation
) -> None:
    with database.writing() as tx:
        keys.secret(tx, "pairwise", Sealer([new_secret_key()]), NOW, make=lambda: b"value")
    with pytest.raises(SealBroken), database.writing() as tx:
        rewrap(tx, Sealer([NEW, OLD]))
    assert len(rotation.load()) == 3


def test_a_value_tells_which_key_it_is_sealed_under() -> None:
    sealer = Sealer([NEW, OLD])
    assert [sealer.sealed_under(Sealer([key]).seal(b"value")) for key in (NEW, OLD)] == [1, 2]
    with pytest.raises(SealBroken):
        sealer.sealed_under(Sealer([new_secret_key()]).seal(b"value"))


def test_rewrap_knows_every_column_of_sealed_values() -> None:
    sealed = {column for table in metadata.tables.values() for column in table.columns if column.name == "private_key"}
    assert sealed | {metadata.tables["secrets"].c.value} == {value for _, value in SEALED}


@pytest.fixture
def before(empty: Database) -> Database:
    """A database as schema 0001 left it."""
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS))
    with empty.migrating() as tx:
        settings.attributes["connection"] = tx
        command.upgrade(settings, "0001")
    return empty


def test_the_keys_of_schema_0001_and_their_tokens_outlive_its_upgrade(before: Database) -> None:
    sealer = Sealer([OLD])
    made = {alg: generate_signing_key(alg) for alg in SIGNING_ALGORITHMS}
    tokens: list[str] = []
    for alg, pem in made.items():
        key = signing_key(alg, pem)
        row = {"kid": key.kid, "alg": alg, "pem": sealer.seal(pem), "at": NOW}
        with before.writing() as tx:
            tx.execute(text("INSERT INTO signing_keys VALUES (:kid, :alg, 'active', :pem, :at)"), row)
        claims: dict[str, Any] = {"iss": "i", "sub": "s", "client_id": "s", "aud": "i", "scope": "", "exp": NOW + 600}
        claims |= {"jti": "j", "iat": NOW}
        tokens.append(key.sign(claims, "at+jwt"))

    upgrade(before)

    rotation = Rotation(before, sealer, interval=INTERVAL)
    rotation.make_missing(NOW + 1)
    assert {(life.state, life.since) for life in rotation.lives()} == {("active", NOW)}
    keyring = Keyring(rotation.load, rotation.keep_up, NOW + 1)
    for token in tokens:
        assert read_access_token(token, keyring=keyring, issuer="i", now=NOW + 1).client_id == "s"
    assert keyring.active("RS256", NOW + 1).kid == signing_key("RS256", made["RS256"]).kid


def test_every_step_of_a_key_stands_in_the_audit_log(rotation: Rotation, database: Database) -> None:
    active = of(rotation)["active"]
    rotation.prepare(active, NOW, actor=OPERATOR)
    pending = of(rotation)["pending"]
    rotation.keep_up(rotation.lives(), NOW + LEAD)
    rotation.withdraw(of(rotation)["retired"], NOW + LEAD, actor=OPERATOR)
    with database.reading() as tx:
        entries = [entry for entry in audit.newest(tx, limit=10) if active.kid in entry.detail.values()]
        made = [entry for entry in audit.newest(tx, limit=10) if entry.detail.get("kid") == pending.kid]
    assert [(entry.event, entry.actor) for entry in entries] == [
        (Event.KEY_ADDED, BRIDGE),
        (Event.KEY_ACTIVATED, BRIDGE),
        (Event.KEY_WITHDRAWN, OPERATOR),
    ]
    assert [(entry.event, entry.actor) for entry in made] == [
        (Event.KEY_ADDED, OPERATOR),
        (Event.KEY_ACTIVATED, BRIDGE),
    ]
