"""The database and its file: the schema and its history, what a transaction promises, and what lies there sealed."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any, get_args

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from bridge.assets import MIGRATIONS
from bridge.cli.schema import upgrade
from bridge.errors import Refused, SchemaMismatch, SchemaNewer, SchemaOld, SealBroken, Unavailable
from bridge.model import Client, SigningAlgorithm
from bridge.reasons import Reason
from bridge.store import Database, Tx, clients, keys
from bridge.store.database import BUSY_TIMEOUT
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer, new_secret_key
from bridge.store.tables import REVISION, metadata

NOW = 1_795_400_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


@pytest.fixture
def empty(path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{path}")
    yield made
    made.close()


@pytest.fixture
def database(empty: Database) -> Database:
    upgrade(empty)
    return empty


def rows(path: Path, statement: str, *values: Any) -> list[Any]:
    """What a statement finds or does, on a connection of its own."""
    with sqlite3.connect(path) as connection:
        found = connection.execute(statement, values).fetchall()
    connection.close()
    return found


def schema(path: Path) -> set[tuple[str, ...]]:
    """Every table and index as SQLite keeps it: the clauses of its definition, whatever their order and spacing."""
    found = rows(path, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
    return {(name, *sorted(clauses(sql))) for name, sql in found}


def clauses(sql: str) -> list[str]:
    """A definition before its parenthesis, the parts in it by their commas, and what follows."""
    parts, depth = [""], 0
    for letter in sql:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        at_top = (depth == 1 and letter in "(,") or (depth == 0 and letter == ")")
        parts = [*parts, ""] if at_top else [*parts[:-1], parts[-1] + letter]
    return [" ".join(part.split()) for part in parts]


def remember(tx: Tx, name: str) -> None:
    tx.execute(text("INSERT INTO secrets VALUES (:name, 'sealed', 1)"), {"name": name})


def remembered(path: Path) -> list[str]:
    return [name for (name,) in rows(path, "SELECT name FROM secrets ORDER BY name")]


def test_migrations_lead_from_nothing_to_the_tables_of_the_code(database: Database) -> None:
    with database.reading() as tx:
        assert compare_metadata(MigrationContext.configure(tx), metadata) == []


def test_migrations_and_tables_agree_to_the_letter(database: Database, path: Path, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'tables.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert schema(path) == schema(tmp_path / "tables.db")


def test_the_code_was_written_for_the_newest_migration(database: Database, path: Path) -> None:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(settings).get_heads() == [REVISION]
    assert rows(path, "SELECT version_num FROM alembic_version") == [(REVISION,)]


def test_a_second_upgrade_changes_nothing(database: Database, path: Path) -> None:
    with database.writing() as tx:
        remember(tx, "kept")
    watcher = sqlite3.connect(path)
    before = watcher.execute("PRAGMA data_version").fetchall()
    upgrade(database)
    assert watcher.execute("PRAGMA data_version").fetchall() == before
    watcher.close()
    database.check_schema()
    assert remembered(path) == ["kept"]


def test_a_migration_that_fails_leaves_nothing_behind(empty: Database, path: Path) -> None:
    rows(path, "CREATE TABLE secrets (mine TEXT)")  # the last table that the first migration makes
    with pytest.raises(Unavailable):
        upgrade(empty)
    assert rows(path, "SELECT name FROM sqlite_master") == [("secrets",)]


@pytest.mark.parametrize(
    ("version", "mismatch"),
    [(None, SchemaOld), ("", SchemaOld), ("0000", SchemaOld), ("9999", SchemaNewer)],
)
def test_another_schema_is_refused(
    empty: Database, path: Path, version: str | None, mismatch: type[SchemaMismatch]
) -> None:
    if version is not None:
        upgrade(empty)
        empty.check_schema()
        rows(path, "DELETE FROM alembic_version")
        rows(path, "INSERT INTO alembic_version SELECT ? WHERE ? <> ''", version, version)
    with pytest.raises(mismatch):
        empty.check_schema()


def test_a_schema_from_the_future_is_left_alone(database: Database, path: Path) -> None:
    rows(path, "UPDATE alembic_version SET version_num = '9999'")
    before = schema(path)
    with pytest.raises(SchemaNewer):
        upgrade(database)
    assert schema(path) == before
    assert rows(path, "SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", BUSY_TIMEOUT)],
)
def test_every_connection_is_prepared(database: Database, pragma: str, value: Any) -> None:
    with database.reading() as first, database.reading() as second:
        assert [tx.exec_driver_sql(f"PRAGMA {pragma}").scalar() for tx in (first, second)] == [value, value]


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    count = text("SELECT count(*) FROM secrets")
    with database.reading() as tx:
        assert tx.execute(count).scalar() == 0
        with database.writing() as other:
            remember(other, "later")
        assert tx.execute(count).scalar() == 0
    with database.reading() as tx:
        assert tx.execute(count).scalar() == 1


def test_a_bug_rolls_back(database: Database, path: Path) -> None:
    def verb(tx: Tx) -> None:
        remember(tx, "bug")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.writing() as tx:
        verb(tx)
    assert remembered(path) == []


def test_a_refusal_commits_and_a_bug_does_not(database: Database, path: Path) -> None:
    def verb(tx: Tx, ending: Exception) -> None:
        remember(tx, type(ending).__name__)
        raise ending

    for ending in (Refused(Reason.USER_DISABLED, "detail"), ZeroDivisionError()):
        with pytest.raises(type(ending)) as raised:
            database.decide(lambda tx, ending=ending: verb(tx, ending))
        assert raised.value is ending
    assert remembered(path) == ["Refused"]


def test_a_decision_is_committed_before_it_is_told(database: Database, path: Path) -> None:
    def verb(tx: Tx) -> str:
        remember(tx, "decided")
        return "answer"

    assert database.decide(verb) == "answer"
    assert remembered(path) == ["decided"]


def test_a_locked_database_is_unavailable_and_its_statements_stay_out_of_the_text(
    database: Database, path: Path
) -> None:
    holder = sqlite3.connect(path)
    holder.execute("BEGIN IMMEDIATE")
    began = monotonic()
    with pytest.raises(Unavailable) as unavailable:
        database.decide(lambda tx: remember(tx, "a-claim"))
    assert monotonic() - began < 5  # no request hangs on a lock (threats R3)
    assert unavailable.value.reason is Reason.DATABASE_UNAVAILABLE
    assert str(unavailable.value) == f"{Reason.DATABASE_UNAVAILABLE.code}: OperationalError"
    assert database.is_alive()  # reading goes on
    holder.rollback()
    holder.close()
    with database.writing() as tx:
        remember(tx, "afterwards")
    assert remembered(path) == ["afterwards"]


def test_a_database_that_is_not_there_or_is_none_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100, encoding="utf-8")
    for name in ("text.db", "missing/bridge.db"):
        database = Database(f"sqlite:///{tmp_path / name}")
        with pytest.raises(Unavailable), database.reading():
            pass
        assert not database.is_alive()
        database.close()


def test_one_key_for_each_algorithm_is_made_once(database: Database, path: Path) -> None:
    rotation = Rotation(database, Sealer([new_secret_key()]), interval=0)
    for at in (0, 1):
        rotation.make_missing(NOW + at)
    loaded = [key for life, key in rotation.load() if life.state == "active"]
    assert sorted(key.alg for key in loaded) == sorted(get_args(SigningAlgorithm))
    assert rows(path, "SELECT count(*), min(created_at), max(created_at) FROM signing_keys") == [(3, NOW, NOW)]
    assert {key.kid for key in loaded} == {kid for (kid,) in rows(path, "SELECT kid FROM signing_keys")}


def test_an_algorithm_has_one_active_key_one_pending_and_any_number_of_retired_ones(database: Database) -> None:
    sql = (
        "INSERT INTO signing_keys (kid, alg, state, private_key, created_at) VALUES ('{}', 'RS256', '{}', 'sealed', 1)"
    )
    with database.writing() as tx:
        for kid, state in enumerate(("active", "pending", "retired", "retired")):
            tx.exec_driver_sql(sql.format(kid, state))
        for state in ("active", "pending", "broken"):
            with pytest.raises(IntegrityError):
                tx.exec_driver_sql(sql.format("more", state))


def test_no_secret_is_readable_in_the_files_of_the_database(database: Database, path: Path) -> None:
    sealer = Sealer([new_secret_key()])
    rotation = Rotation(database, sealer, interval=0)
    rotation.make_missing(NOW)
    kid = rotation.lives()[0].kid
    with database.writing() as tx:
        pairwise = keys.secret(tx, "pairwise", sealer, NOW, make=lambda: b"pairwise-secret-key")
        clients.add(tx, Client("app"), NOW)
        secret = clients.add_secret(tx, "app", NOW, overlap=0)
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert kid.encode() in content
    assert clients.secret_digest(secret).encode() in content
    for hidden in (b"PRIVATE KEY", pairwise, secret.encode(), secret.removeprefix("dob_secret_").encode()):
        assert hidden not in content


def test_a_secret_is_made_once_and_opens_under_any_of_the_configured_keys(database: Database) -> None:
    old, new = new_secret_key(), new_secret_key()
    made = [b"first", b"second"]
    for sealing in ([old], [new, old]):
        with database.writing() as tx:
            assert keys.secret(tx, "pairwise", Sealer(sealing), NOW, make=lambda: made.pop(0)) == b"first"
    assert made == [b"second"]
    assert Sealer([new, old]).open(Sealer([new]).seal(b"value")) == b"value"
    with pytest.raises(SealBroken):
        Sealer([old]).open(Sealer([new, old]).seal(b"the first key seals"))


def test_wrong_secret_keys_are_told_and_leave_what_was_sealed(database: Database) -> None:
    right, wrong = Sealer([new_secret_key()]), Sealer([new_secret_key()])
    Rotation(database, right, interval=0).make_missing(NOW)
    with database.writing() as tx:
        keys.secret(tx, "pairwise", right, NOW, make=lambda: b"value")
    Rotation(database, wrong, interval=0).make_missing(NOW)
    with pytest.raises(SealBroken):
        Rotation(database, wrong, interval=0).load()
    with database.writing() as tx:
        with pytest.raises(SealBroken):
            keys.secret(tx, "pairwise", wrong, NOW, make=lambda: b"other")
        assert keys.secret(tx, "pairwise", right, NOW, make=lambda: b"other") == b"value"
    assert len(Rotation(database, right, interval=0).load()) == 3
