"""From a database's URL to an engine whose transactions begin as they should; SQLite's part of that is here too."""

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from bridge.waiting import may_wait

MEMORY = ":memory:"
BUSY_TIMEOUT = 4000  # milliseconds that a writer waits for another
LOOP_TIMEOUT = 20  # and that the loop does: long enough for a commit of another worker's, too short to be felt
MIGRATION_TIMEOUT = 60_000  # and that a migration waits for another instance's

_SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})
_POSTGRESQL = "postgresql+psycopg"


class Access(Enum):
    """What a transaction is for."""

    READ = auto()
    WRITE = auto()
    FORGETTABLE = auto()  # writes only what may be forgotten if the power fails now: no promise rests on it
    MIGRATE = auto()


class NoAnswer(Exception):
    """The database did not answer in time: to ask again at once would take as long."""


@dataclass(frozen=True, slots=True)
class Driver:
    """How to speak to one database: its engine, and what of the driver's goes past SQLAlchemy."""

    engine: Engine
    begin: Callable[[Any, Access], None]
    """Begin a transaction on a connection of the driver's."""
    is_lost: Callable[[Any, Exception, Access], bool]
    """Whether an error says that its connection is of no use any more."""

    @property
    def error(self) -> type[Exception]:
        """What every error of the driver is."""
        found: type[Exception] = self.engine.dialect.loaded_dbapi.Error
        return found

    @property
    def bugs(self) -> tuple[type[Exception], ...]:
        """Those that are ours to mend."""
        driver: Any = self.engine.dialect.loaded_dbapi
        return driver.DataError, driver.IntegrityError, driver.ProgrammingError


def driver_for(url: str) -> Driver:
    """How to speak to a database. It is connected to when first used."""
    parsed = _parsed(url)
    if parsed.drivername != _POSTGRESQL:
        return _sqlite(parsed)
    # Loaded only by whom it serves: its driver takes a tenth of a second, and is not there on every platform.
    from bridge.store import postgresql  # noqa: PLC0415

    return postgresql.driver(parsed)


def sqlite_path(url: str) -> str | None:
    """The file of an SQLite URL, MEMORY if it has none; None for another database."""
    parsed = _parsed(url)
    return (parsed.database or MEMORY) if parsed.drivername in _SQLITE else None


def is_database_url(url: str) -> bool:
    """Whether it is the URL of a database that this program can use here."""
    try:
        parsed = _parsed(url)
        if parsed.drivername == _POSTGRESQL:
            from bridge.store import postgresql  # noqa: PLC0415

            return postgresql.understands(parsed)
    except (ArgumentError, ImportError, ValueError):
        return False
    # sqlite://name lacks a slash; file: URIs may mean memory, or more than one file.
    return parsed.drivername in _SQLITE and not (parsed.host or str(parsed.database).startswith("file:"))


def _parsed(url: str) -> URL:
    parsed = make_url(url)
    return parsed.set(drivername=_POSTGRESQL) if parsed.drivername in ("postgres", "postgresql") else parsed


_WAIT = {
    LOOP_TIMEOUT: f"PRAGMA busy_timeout = {LOOP_TIMEOUT}",
    BUSY_TIMEOUT: f"PRAGMA busy_timeout = {BUSY_TIMEOUT}",
    MIGRATION_TIMEOUT: f"PRAGMA busy_timeout = {MIGRATION_TIMEOUT}",
}


class _Connection(sqlite3.Connection):
    """A connection that knows how long it waits for another writer (milliseconds), and whether for the disk."""

    patience = BUSY_TIMEOUT
    waits_for_disk = True

    def wait_for_others(self, patience: int) -> None:
        if patience != self.patience:
            self.execute(_WAIT[patience])
            self.patience = patience

    def wait_for_disk(self, waits: bool) -> None:
        if waits is not self.waits_for_disk:
            self.execute("PRAGMA synchronous = FULL" if waits else "PRAGMA synchronous = NORMAL")
            self.waits_for_disk = waits


def _sqlite(url: URL) -> Driver:
    pool: dict[str, Any] = {}
    if url.database and url.database != MEMORY:
        _make_private(Path(url.database))
        pool = {"pool_size": 4, "max_overflow": 60, "pool_timeout": 4}
    engine = create_engine(url, hide_parameters=True, connect_args={"factory": _Connection}, **pool)
    event.listen(engine, "connect", _prepare_sqlite)
    return Driver(engine, _begin_sqlite, lambda *_: False)


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, for its owner alone: it holds personal data. Its companions take its mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return  # it exists, or SQLite will say better what is wrong


def _prepare_sqlite(connection: Any, _: object) -> None:
    # The driver's own transaction handling begins too late and deadlocks readers that turn writers; we say BEGIN.
    connection.isolation_level = None
    cursor = connection.cursor()
    # The busy timeout comes first: switching to WAL takes a lock too.
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # nothing revoked comes back after a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Of two that switch a new file at once SQLite tells one that it is locked, whatever the busy timeout says."""
    give_up_at = time.monotonic() + BUSY_TIMEOUT / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: _Connection, access: Access) -> None:
    if access is Access.READ:
        connection.execute("BEGIN")
        return
    connection.wait_for_disk(access is not Access.FORGETTABLE)
    patience = MIGRATION_TIMEOUT if access is Access.MIGRATE else BUSY_TIMEOUT if may_wait() else LOOP_TIMEOUT
    connection.wait_for_others(patience)
    connection.execute("BEGIN IMMEDIATE")
    if access is Access.MIGRATE:
        connection.wait_for_others(BUSY_TIMEOUT)
