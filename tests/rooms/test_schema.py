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
from databases import rows
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from bridge.assets import MIGRATIONS
from bridge.cli.schema import upgrade
from bridge.errors import Refused, SchemaMismatch, SchemaNewer, SchemaOld, SealBroken, Unavailable
from bridge.model import Client, SigningAlgorithm
from bridge.reasons import Reason
from bridge.store import Database, Tx, clients, keys
from bridge.store.engines import BUSY_TIMEOUT
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer, new_secret_key
from bridge.store.tables import REVISION, metadata

NOW = 1_795_400_000


both_databases = pytest.mark.both_databases

SQLITE_SCHEMA = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
POSTGRESQL_SCHEMA = """
    SELECT concat(table_name, '.', column_name), concat_ws(' ', data_type, character_maximum_length, column_default,
                                                           is_nullable)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    UNION SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    UNION SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
          WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic_version%'
"""


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    with Database(empty_database_url) as made:
        yield made


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(database_url) as made:
        upgrade(made)
        yield made


@pytest.fixture
def path(database_url: str) -> Path:
    """SQLite's file."""
    return Path(database_url.removeprefix("sqlite:///"))


def schema(url: str) -> set[tuple[str, ...]]:
    """Every table and index as the database keeps it: the clauses of its definition, in any order and spacing."""
    found = rows(url, SQLITE_SCHEMA if url.startswith("sqlite") else POSTGRESQL_SCHEMA)
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


def remembered(url: str) -> list[str]:
    return [name for (name,) in rows(url, "SELECT name FROM secrets ORDER BY name")]


@both_databases
def test_migrations_lead_from_nothing_to_the_tables_of_the_code(database: Database) -> None:
    with database.reading() as tx:
        assert compare_metadata(MigrationContext.configure(tx), metadata) == []


@both_databases
def test_migrations_and_tables_agree_to_the_letter(
    database: Database, database_url: str, empty: Database, empty_database_url: str
) -> None:
    with empty.writing() as tx:
        metadata.create_all(tx)
    assert schema(database_url) == schema(empty_database_url)
    assert len(schema(database_url)) > len(metadata.tables)


@both_databases
def test_the_code_was_written_for_the_newest_migration(database: Database, database_url: str) -> None:
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(settings).get_heads() == [REVISION]
    assert rows(database_url, "SELECT version_num FROM alembic_version") == [(REVISION,)]


@both_databases
def test_a_second_upgrade_changes_nothing(database: Database, database_url: str) -> None:
    with database.writing() as tx:
        remember(tx, "kept")
    before = schema(database_url)
    upgrade(database)
    assert schema(database_url) == before
    database.check_schema()
    assert remembered(database_url) == ["kept"]


def test_a_second_upgrade_writes_nothing(database: Database, path: Path) -> None:
    watcher = sqlite3.connect(path)
    before = watcher.execute("PRAGMA data_version").fetchall()
    upgrade(database)
    assert watcher.execute("PRAGMA data_version").fetchall() == before
    watcher.close()


@both_databases
def test_a_migration_that_fails_leaves_nothing_behind(empty: Database, empty_database_url: str) -> None:
    rows(empty_database_url, "CREATE TABLE secrets (mine TEXT)")  # the last table that the first migration makes
    before = schema(empty_database_url)
    with pytest.raises((Unavailable, ProgrammingError)):
        upgrade(empty)
    assert schema(empty_database_url) == before
    with pytest.raises(SchemaOld):
        empty.check_schema()


@pytest.mark.parametrize(
    ("version", "mismatch"),
    [(None, SchemaOld), ("", SchemaOld), ("0000", SchemaOld), ("9999", SchemaNewer)],
)
@both_databases
def test_another_schema_is_refused(
    empty: Database, empty_database_url: str, version: str | None, mismatch: type[SchemaMismatch]
) -> None:
    if version is not None:
        upgrade(empty)
        empty.check_schema()
        rows(empty_database_url, "DELETE FROM alembic_version")
        if version:
            rows(empty_database_url, "INSERT INTO alembic_version VALUES (:version)", version=version)
    with pytest.raises(mismatch):
        empty.check_schema()


@both_databases
def test_a_schema_from_the_future_is_left_alone(database: Database, database_url: str) -> None:
    rows(database_url, "UPDATE alembic_version SET version_num = '9999'")
    before = schema(database_url)
    with pytest.raises(SchemaNewer):
        upgrade(database)
    assert schema(database_url) == before
    assert rows(database_url, "SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", BUSY_TIMEOUT)],
)
def test_every_connection_is_prepared(database: Database, pragma: str, value: Any) -> None:
    with database.reading() as first, database.reading() as second:
        assert [tx.exec_driver_sql(f"PRAGMA {pragma}").scalar() for tx in (first, second)] == [value, value]


@both_databases
def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    count = text("SELECT count(*) FROM secrets")
    with database.reading() as tx:
        assert tx.execute(count).scalar() == 0
        with database.writing() as other:
            remember(other, "later")
        assert tx.execute(count).scalar() == 0
    with database.reading() as tx:
        assert tx.execute(count).scalar() == 1


@both_databases
def test_a_bug_rolls_back(database: Database, database_url: str) -> None:
    def verb(tx: Tx) -> None:
        remember(tx, "bug")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.writing() as tx:
        verb(tx)
    assert remembered(database_url) == []


@both_databases
def test_a_refusal_commits_and_a_bug_does_not(database: Database, database_url: str) -> None:
    def verb(tx: Tx, ending: Exception) -> None:
        remember(tx, type(ending).__name__)
        raise ending

    for ending in (Refused(Reason.USER_DISABLED, "detail"), ZeroDivisionError()):
        with pytest.raises(type(ending)) as raised:
            database.decide(lambda tx, ending=ending: verb(tx, ending))
        assert raised.value is ending
    assert remembered(database_url) == ["Refused"]


@both_databases
def test_a_decision_is_committed_before_it_is_told(database: Database, database_url: str) -> None:
    def verb(tx: Tx) -> str:
        remember(tx, "decided")
        return "answer"

    assert database.decide(verb) == "answer"
    assert remembered(database_url) == ["decided"]


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
    with database.reading() as tx:
        tx.execute(select(1))  # reading goes on
    holder.rollback()
    holder.close()
    with database.writing() as tx:
        remember(tx, "afterwards")
    assert remembered(f"sqlite:///{path}") == ["afterwards"]


def test_a_database_that_is_not_there_or_is_none_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100, encoding="utf-8")
    for name in ("text.db", "missing/bridge.db"):
        database = Database(f"sqlite:///{tmp_path / name}")
        with pytest.raises(Unavailable), database.reading():
            pass
        database.close()


@both_databases
def test_one_key_for_each_algorithm_is_made_once(database: Database, database_url: str) -> None:
    rotation = Rotation(database, Sealer([new_secret_key()]), interval=0)
    for at in (0, 1):
        rotation.make_missing(NOW + at)
    loaded = [key for life, key in rotation.load() if life.state == "active"]
    assert sorted(key.alg for key in loaded) == sorted(get_args(SigningAlgorithm))
    assert rows(database_url, "SELECT count(*), min(created_at), max(created_at) FROM signing_keys") == [(3, NOW, NOW)]
    assert {key.kid for key in loaded} == {kid for (kid,) in rows(database_url, "SELECT kid FROM signing_keys")}


@both_databases
def test_an_algorithm_has_one_active_key_one_pending_and_any_number_of_retired_ones(database: Database) -> None:
    sql = (
        "INSERT INTO signing_keys (kid, alg, state, private_key, created_at) VALUES ('{}', 'RS256', '{}', 'sealed', 1)"
    )
    with database.writing() as tx:
        for kid, state in enumerate(("active", "pending", "retired", "retired")):
            tx.exec_driver_sql(sql.format(kid, state))
        for state in ("active", "pending", "broken"):
            with pytest.raises(IntegrityError), tx.begin_nested():
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


@both_databases
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


@both_databases
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
