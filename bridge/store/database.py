"""Transactions, and what SQLite needs so that they are what they say."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, Table, TextClause, create_engine, event, inspect, make_url, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.errors import Refused, SchemaNewer, SchemaOld, Unavailable
from bridge.reasons import Reason
from bridge.store import tables

T = TypeVar("T")
Tx = Connection
"""An open transaction: what every verb of this room takes first."""

BUSY_TIMEOUT = 4000  # milliseconds that a writer waits for another


class Database:
    """One database, by SQLAlchemy URL. Connections are made when first needed, by the process that needs them.

    A context manager: at its end every connection is closed.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database of a single machine."""
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """A transaction that sees one state and changes nothing. Raises Unavailable."""
        with self._transaction("BEGIN") as tx:
            yield tx

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        """A transaction that is committed at the end, and rolled back by any exception. Raises Unavailable."""
        with self._transaction("BEGIN IMMEDIATE") as tx:
            yield tx

    @contextmanager
    def rehearsing(self) -> Iterator[Tx]:
        """A writing transaction of which nothing stays, whatever happens in it. Raises Unavailable."""
        with self._transaction("BEGIN IMMEDIATE") as tx:
            yield tx
            tx.rollback()

    def decide(self, verb: Callable[[Tx], T]) -> T:
        """What `verb` decides in a writing transaction: a refusal commits, a bug rolls back. Raises Unavailable.

        What a refusal leaves behind (a spent code, a closed family) must stay, although the answer is no.
        """
        with self.writing() as tx:
            try:
                return verb(tx)
            except Refused as refused:
                refusal = refused
        raise refusal

    def check_schema(self) -> None:
        """Raises SchemaOld or SchemaNewer unless the schema is the one this code was written for; Unavailable."""
        with self.reading() as tx:
            found = None
            if inspect(tx).has_table("alembic_version"):
                found = tx.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if found is None or str(found) < tables.REVISION:
            raise SchemaOld
        if str(found) > tables.REVISION:
            raise SchemaNewer

    def is_alive(self) -> bool:
        """Whether the database answers now."""
        try:
            with self.reading() as tx:
                return tx.execute(select(1)).scalar() == 1
        except Unavailable:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Tx]:
        try:
            with self._engine.connect().execution_options(bridge_begin=begin) as tx, tx.begin():
                yield tx
        except (DataError, IntegrityError, ProgrammingError):
            raise  # ours to mend: trying again would not help
        except (DBAPIError, PoolTimeout) as error:
            # The statement and its parameters stay out of the log: they hold claims and digests.
            cause = type(getattr(error, "orig", error)).__name__
            raise Unavailable(Reason.DATABASE_UNAVAILABLE, cause) from error

    def __repr__(self) -> str:
        return f"Database({self._engine.url.render_as_string(hide_password=True)})"


def insert_if_absent(table: Table, *columns: str) -> TextClause:
    """A statement that adds a row unless its key is taken. Its row count is the answer, under any concurrency."""
    names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    # Names of our own schema; no value ever stands in the text.
    return text(f"INSERT INTO {table.name} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING")  # noqa: S608


MEMORY = ":memory:"


def sqlite_path(url: str) -> str | None:
    """The file of an SQLite URL, MEMORY if it has none; None for another database."""
    parsed = make_url(url)
    return (parsed.database or MEMORY) if parsed.get_backend_name() == "sqlite" else None


def is_database_url(url: str) -> bool:
    """Whether SQLAlchemy understands the URL and the driver for it is installed."""
    try:
        parsed = make_url(url)
        parsed.get_dialect().import_dbapi()
    except (SQLAlchemyError, ImportError, ValueError):
        return False
    # sqlite://name lacks a slash; file: URIs may mean memory, or more than one file.
    return parsed.get_backend_name() != "sqlite" or not (parsed.host or str(parsed.database).startswith("file:"))


def _engine(url: str) -> Engine:
    if sqlite_path(url) is None:
        return create_engine(url, pool_pre_ping=True, pool_timeout=4, hide_parameters=True)
    path = sqlite_path(url)
    in_memory = path == MEMORY
    if path is not None and not in_memory:
        _make_private(Path(path))
    engine = create_engine(url, hide_parameters=True, **({} if in_memory else _sqlite_pool()))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, for its owner alone: it holds personal data. Its companions take its mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return  # it exists, or SQLite will say better what is wrong


def _sqlite_pool() -> dict[str, Any]:
    return {"pool_size": 4, "max_overflow": 60, "pool_timeout": 4}


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver's own transaction handling begins too late and deadlocks readers that turn writers; we say BEGIN.
    connection.isolation_level = None
    cursor = connection.cursor()
    # The busy timeout comes first: switching to WAL takes a lock too.
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # nothing revoked comes back after a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(tx: Connection) -> None:
    tx.exec_driver_sql(tx.get_execution_options().get("bridge_begin", "BEGIN IMMEDIATE"))
