"""Transactions, and what SQLite needs so that they are what they say."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, TextClause, create_engine, event, inspect, make_url, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.errors import Refused, Unavailable
from bridge.reasons import Reason
from bridge.store import tables

T = TypeVar("T")
Tx = Connection
"""An open transaction: what every verb of this room takes first."""

BUSY_TIMEOUT = 4000  # milliseconds that a writer waits for another


class SchemaMismatch(Exception):
    """The database's schema is not the one this code was written for. The text says which command mends it."""


class Database:
    """One database, by SQLAlchemy URL. Connections are made when first needed, by the process that needs them."""

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
        """Raises SchemaMismatch unless the schema is the one this code was written for, and Unavailable."""
        with self.reading() as tx:
            found = None
            if inspect(tx).has_table("alembic_version"):
                found = tx.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if found is None or str(found) < tables.REVISION:
            raise SchemaMismatch("the database's schema is missing or old: run oidc-bridge db upgrade")
        if str(found) > tables.REVISION:
            raise SchemaMismatch("the database's schema is newer than this program: run the newer version")

    def is_alive(self) -> bool:
        """Whether the database answers now."""
        try:
            with self.reading() as tx:
                return tx.execute(select(1)).scalar() == 1
        except Unavailable:
            return False

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Tx]:
        try:
            with self._engine.connect().execution_options(bridge_begin=begin) as tx, tx.begin():
                yield tx
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


def sqlite_path(url: str) -> str | None:
    """The file of an SQLite URL; None for another database."""
    parsed = make_url(url)
    return parsed.database if parsed.get_backend_name() == "sqlite" else None


def is_database_url(url: str) -> bool:
    """Whether SQLAlchemy understands the URL and has the driver for it."""
    try:
        make_url(url).get_dialect()
    except (SQLAlchemyError, ImportError):
        return False
    return True


def _engine(url: str) -> Engine:
    if sqlite_path(url) is None:
        return create_engine(url, pool_pre_ping=True, pool_timeout=4, hide_parameters=True)
    in_memory = sqlite_path(url) in (None, "", ":memory:")
    engine = create_engine(url, hide_parameters=True, **({} if in_memory else _sqlite_pool()))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


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
