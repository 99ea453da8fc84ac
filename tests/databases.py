"""Which databases a test runs on.

A test that takes `database_url` (or `make_bridge`, `bridge`, which do) has a fresh SQLite file. Marked
`both_databases`, it runs twice: on SQLite and on PostgreSQL; marked `only_postgresql`, on PostgreSQL alone.
"""

import os
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from not_tested import REQUIRE, is_required, leave_out
from pgbouncer import pgbouncer_program, running_pgbouncer
from postgres import PostgresServer, running_postgres
from psycopg import sql
from sqlalchemy import create_engine, make_url, text

from bridge.cli.schema import upgrade
from bridge.store import Database

BACKENDS = ("sqlite", "postgresql")
OFF = "BRIDGE_TEST_POSTGRES"
URL = "BRIDGE_TEST_POSTGRES_URL"
TEMPLATE = "bridge_test_template"


class Databases:
    """Makes databases on a PostgreSQL server, empty or migrated, and removes them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._template = f"{TEMPLATE}_{token_hex(4)}"
        self._do("CREATE DATABASE {}", self._template)
        with Database(self.url(self._template)) as database:
            upgrade(database)

    def url(self, database: str) -> str:
        return make_url(self._url).set(database=database).render_as_string(hide_password=False)

    def create(self, *, migrated: bool) -> str:
        name = f"bridge_test_{token_hex(8)}"
        self._do("CREATE DATABASE {} TEMPLATE {}", name, self._template if migrated else "template0")
        return self.url(name)

    def copy(self, url: str) -> str:
        """A database as another is now. Nobody may be connected to that."""
        name = f"bridge_test_{token_hex(8)}"
        self._do("CREATE DATABASE {} TEMPLATE {}", name, str(make_url(url).database))
        return self.url(name)

    def put_in_place(self, url: str, *, of: str) -> None:
        """What is at `url` is from now on at `of`, under the feet of whoever is connected there."""
        self.drop(of)
        self._do("ALTER DATABASE {} RENAME TO {}", str(make_url(url).database), str(make_url(of).database))

    def drop(self, url: str) -> None:
        self._do("DROP DATABASE {} WITH (FORCE)", str(make_url(url).database))

    def close(self) -> None:
        self._do("DROP DATABASE {} WITH (FORCE)", self._template)

    def _do(self, statement: str, *names: str) -> None:
        with closing(psycopg.connect(self._url, autocommit=True)) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Databases]:
    """A PostgreSQL server for the whole run: the one that is named, else one of our own."""
    named = os.environ.get(URL)
    with nullcontext(named) if named else running_postgres() as server:
        made = Databases(server if isinstance(server, str) else server.url())
        yield made
        made.close()


@pytest.fixture(scope="module")
def own_postgresql() -> Iterator[PostgresServer]:
    """A server of the module's own, which its tests may stop and start."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgresql: Databases, pytestconfig: pytest.Config) -> Iterator[str]:
    """The URL of pgbouncer before that server."""
    program = pgbouncer_program()
    if program is None:
        if is_required("pgbouncer"):
            pytest.fail(f"pgbouncer is not installed, and {REQUIRE} asks for it")
        leave_out(pytestconfig, "The way through pgbouncer, which is not installed.")
        pytest.skip("pgbouncer is not installed")
    with running_pgbouncer(program, postgresql.url("postgres")) as url:
        yield url


@pytest.fixture
def backend() -> str:
    """What the test's database is; the marks say otherwise."""
    return "sqlite"


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database. `upgrade` brings the schema, where it is not there yet."""
    yield from _fresh(backend, request, tmp_path / "bridge.db", migrated=True)


@pytest.fixture
def empty_database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database without any table."""
    yield from _fresh(backend, request, tmp_path / "empty.db", migrated=False)


@pytest.fixture
def database_in_memory() -> Iterator[Database]:
    """An SQLite database without a file, with the schema: for searches that do a great deal."""
    with Database("sqlite:///:memory:") as made:
        upgrade(made)
        yield made


def _fresh(backend: str, request: pytest.FixtureRequest, path: Path, *, migrated: bool) -> Iterator[str]:
    if backend == "sqlite":
        yield f"sqlite:///{path}"
        return
    server: Databases = request.getfixturevalue("postgresql")
    url = server.create(migrated=migrated)
    yield url
    server.drop(url)


def rows(url: str, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a statement finds or does, on a connection of its own."""
    parsed = make_url(url)
    driver = "postgresql+psycopg" if parsed.drivername == "postgresql" else parsed.drivername
    engine = create_engine(parsed.set(drivername=driver))
    with engine.begin() as connection:
        result = connection.execute(text(statement), values)
        found = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return found


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_databases: runs on SQLite and on PostgreSQL")
    config.addinivalue_line("markers", "only_postgresql: runs on PostgreSQL")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" not in metafunc.fixturenames:
        return
    if metafunc.definition.get_closest_marker("only_postgresql"):
        metafunc.parametrize("backend", BACKENDS[1:])
    elif metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("backend", BACKENDS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without PostgreSQL its tests fail. Only who says so leaves them out, and is reminded of it."""
    if os.environ.get(OFF) != "off":
        return
    out = [item for item in items if _needs_postgresql(item)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]
    leave_out(config, f"PostgreSQL, {len(out)} tests, because {OFF}=off.")


def _needs_postgresql(item: pytest.Item) -> bool:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    fixtures = getattr(item, "fixturenames", ())
    return parameters.get("backend") == "postgresql" or not {"postgresql", "own_postgresql"}.isdisjoint(fixtures)
