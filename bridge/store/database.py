"""Transactions, whatever the database."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import QueuePool, Table, TextClause, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.errors import Refused, SchemaNewer, SchemaOld, Unavailable
from bridge.reasons import Reason
from bridge.store import tables
from bridge.store.engines import Access, NoAnswer, driver_for
from bridge.store.transaction import MustLast, Tx, fixed
from bridge.waiting import about_to_wait

__all__ = ["Database", "Tx", "insert_if_absent"]

T = TypeVar("T")

_REVISION = fixed(text("SELECT version_num FROM alembic_version"))

CONTENDED = 0.5  # seconds for which the loop asks for nothing after another writer was in its way


class Database:
    """One database, by SQLAlchemy URL. Connections are made when first needed, by the process that needs them.

    A context manager: at its end every connection is closed.
    """

    def __init__(self, url: str) -> None:
        self._driver = driver_for(url)
        self._engine = self._driver.engine
        self._has_revision = False  # its table was seen: to look for it costs many times what reading it does
        self._contended_until = 0.0  # by time.monotonic(); then the loop leaves whatever asks to the threads

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database of a single machine."""
        return self._engine.dialect.name == "sqlite"

    def reading(self) -> AbstractContextManager[Tx]:
        """A transaction that sees one state and changes nothing. Raises Unavailable."""
        return _Transaction(self, Access.READ)

    def writing(self) -> AbstractContextManager[Tx]:
        """A transaction that is committed at the end, and rolled back by any exception. Raises Unavailable."""
        return _Transaction(self, Access.WRITE)

    def writing_forgettable(self) -> AbstractContextManager[Tx]:
        """The same for what may be forgotten if the power fails; it does not wait for the disk.

        What it writes lasts from the next transaction that does. Raises Unavailable, and MustLast.
        """
        return _Transaction(self, Access.FORGETTABLE)

    @contextmanager
    def rehearsing(self) -> Iterator[Tx]:
        """A writing transaction of which nothing stays, whatever happens in it. Raises Unavailable."""
        with self.writing() as tx:
            yield tx
            tx.rollback()

    def migrating(self) -> AbstractContextManager[Tx]:
        """A writing transaction that may take its time; of several instances one is in it. Raises Unavailable."""
        return _Transaction(self, Access.MIGRATE)

    def decide(self, verb: Callable[[Tx], T], *, forgettable: bool = False) -> T:
        """What `verb` decides in a writing transaction: a refusal commits, a bug rolls back. Raises Unavailable.

        What a refusal leaves behind (a spent code, a closed family) must stay, although the answer is no.
        `forgettable`: it may be one that does not wait for the disk; if it turns out to write what must last, `verb`
        runs once more in one that does.
        """
        try:
            with self.writing_forgettable() if forgettable else self.writing() as tx:
                try:
                    return verb(tx)
                except Refused as refused:
                    refusal = refused
        except MustLast:
            return self.decide(verb)
        raise refusal

    def check_schema(self) -> None:
        """Raises SchemaOld or SchemaNewer unless the schema is the one this code was written for; Unavailable."""
        with self.reading() as tx:
            seen, self._has_revision, found = self._has_revision, False, None  # after an error it is looked for again
            if seen or inspect(tx).has_table("alembic_version"):
                found = tx.execute(_REVISION, {}).scalar()
                self._has_revision = True
        if found is None or str(found) < tables.REVISION:
            raise SchemaOld
        if str(found) > tables.REVISION:
            raise SchemaNewer

    def connections(self) -> tuple[int, int]:
        """How many connections are in use, and how many there may be."""
        pool = self._engine.pool
        if not isinstance(pool, QueuePool):  # a database in memory
            return 0, 1
        return pool.checkedout(), pool.size() + pool._max_overflow

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def begin(self, access: Access, *, again: bool = True) -> Tx:
        """A transaction has begun. A connection that died in the pool is replaced: nothing was done on it yet.

        It costs nothing while all is well; asking each connection first would cost every transaction a round trip.
        Raises Unavailable, whatever it is (no such database, a wrong password): no statement of ours is the reason.
        """
        # While SQLite has another writer, what reads goes too: many that begin so write later, and would begin again.
        if not self.is_sqlite or (self._contended_until and time.monotonic() < self._contended_until):
            about_to_wait()
        try:
            tx = Tx(self._engine, access)
        except (DBAPIError, self._driver.error, PoolTimeout) as error:
            raise _unavailable(error) from error
        try:
            self._driver.begin(tx.driver, access)
            if access is Access.MIGRATE:
                tx.begin()  # so that Alembic, too, knows that the transaction is ours to end
        except self._driver.error as error:
            lost = self._let_go(tx, error)
            tx.close()
            self._contended_until = time.monotonic() + CONTENDED
            about_to_wait()  # maybe another writer: a thread can wait for it
            if not (again and lost) or isinstance(error, NoAnswer):
                raise _unavailable(error) from error
        else:
            return tx
        return self.begin(access, again=False)

    def end(self, tx: Tx, error: BaseException | None) -> None:
        """The transaction is committed, or after an error rolled back.

        What the database could not do is raised as Unavailable; what is ours to mend (a value out of range, a broken
        constraint, a wrong statement) stays what it is, for trying again would not help.
        """
        try:
            if error is None:
                tx.finish()
        except self._driver.error as failure:
            error = failure
            raise self._unavailable_after(tx, failure) from failure
        else:
            if error is not None and isinstance(error, (DBAPIError, self._driver.error)):
                unavailable = self._unavailable_after(tx, error)
                if unavailable is not error:
                    raise unavailable from error
        finally:
            self._close(tx, error)

    def _unavailable_after(self, tx: Tx, error: Exception) -> Exception:
        raw = error.orig if isinstance(error, DBAPIError) else error
        if raw is error:  # SQLAlchemy has seen to the others itself
            self._let_go(tx, error)
        return error if isinstance(raw, self._driver.bugs) else _unavailable(error)

    def _close(self, tx: Tx, error: BaseException | None) -> None:
        try:
            if error is not None:
                tx.rollback()
        except (DBAPIError, self._driver.error):
            tx.invalidate()
        finally:
            tx.close()

    def _let_go(self, tx: Tx, error: Exception) -> bool:
        """Give up a connection that is lost, and the others in the pool, which are as old; whether it was."""
        if not self._driver.is_lost(tx.driver, error, tx.access):
            return False
        # As SQLAlchemy does it. `dispose` would let the next connection ask the server for its version again.
        self._engine.pool._invalidate(tx.connection, error)
        tx.invalidate(error)
        return True

    def __repr__(self) -> str:
        return f"Database({self._engine.url.render_as_string(hide_password=True)})"


class _Transaction:
    """A transaction from its beginning to its end."""

    __slots__ = ("_access", "_database", "_tx")

    def __init__(self, database: Database, access: Access) -> None:
        self._database = database
        self._access = access

    def __enter__(self) -> Tx:
        self._tx = self._database.begin(self._access)
        return self._tx

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.end(self._tx, error)


def insert_if_absent(table: Table, *columns: str) -> TextClause:
    """A statement that adds a row unless its key is taken. Its row count is the answer, under any concurrency."""
    names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    # Names of our own schema; no value ever stands in the text.
    return text(f"INSERT INTO {table.name} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING")  # noqa: S608


def _unavailable(error: Exception) -> Unavailable:
    # The statement and its parameters stay out of the log: they hold claims and digests.
    return Unavailable(Reason.DATABASE_UNAVAILABLE, type(getattr(error, "orig", error)).__name__)
