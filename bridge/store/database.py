"""Transactions, whatever the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

from sqlalchemy import Connection, RootTransaction, Table, TextClause, inspect, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bridge.errors import Refused, SchemaNewer, SchemaOld, Unavailable
from bridge.reasons import Reason
from bridge.store import tables
from bridge.store.engines import Access, NoAnswer, engine_for

T = TypeVar("T")
Tx = Connection
"""An open transaction: what every verb of this room takes first."""


class Database:
    """One database, by SQLAlchemy URL. Connections are made when first needed, by the process that needs them.

    A context manager: at its end every connection is closed.
    """

    def __init__(self, url: str) -> None:
        self._engine = engine_for(url)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database of a single machine."""
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """A transaction that sees one state and changes nothing. Raises Unavailable."""
        with self._transaction(Access.READ) as tx:
            yield tx

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        """A transaction that is committed at the end, and rolled back by any exception. Raises Unavailable."""
        with self._transaction(Access.WRITE) as tx:
            yield tx

    @contextmanager
    def rehearsing(self) -> Iterator[Tx]:
        """A writing transaction of which nothing stays, whatever happens in it. Raises Unavailable."""
        with self._transaction(Access.WRITE) as tx:
            yield tx
            tx.rollback()

    @contextmanager
    def migrating(self) -> Iterator[Tx]:
        """A writing transaction that may take its time; of several instances one is in it. Raises Unavailable."""
        with self._transaction(Access.MIGRATE) as tx:
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
    def _transaction(self, access: Access) -> Iterator[Tx]:
        try:
            begun = self._begin(access)
        except (DBAPIError, PoolTimeout) as error:
            # Whatever it is (no such database, a wrong password), no statement of ours can be the reason.
            raise _unavailable(error) from error
        try:
            with begun.connection as tx, begun:
                yield tx
        except (DataError, IntegrityError, ProgrammingError):
            raise  # ours to mend: trying again would not help
        except DBAPIError as error:
            raise _unavailable(error) from error

    def _begin(self, access: Access, *, again: bool = True) -> RootTransaction:
        """A transaction has begun. A connection that died in the pool is replaced: nothing was done on it yet.

        It costs nothing while all is well; asking each connection first would cost every transaction a round trip.
        """
        tx = self._engine.connect().execution_options(access=access)
        try:
            return tx.begin()
        except DBAPIError as error:
            tx.close()
            if not (again and error.connection_invalidated) or isinstance(error.orig, NoAnswer):
                raise
        return self._begin(access, again=False)

    def __repr__(self) -> str:
        return f"Database({self._engine.url.render_as_string(hide_password=True)})"


def insert_if_absent(table: Table, *columns: str) -> TextClause:
    """A statement that adds a row unless its key is taken. Its row count is the answer, under any concurrency."""
    names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    # Names of our own schema; no value ever stands in the text.
    return text(f"INSERT INTO {table.name} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING")  # noqa: S608


def _unavailable(error: Exception) -> Unavailable:
    # The statement and its parameters stay out of the log: they hold claims and digests.
    return Unavailable(Reason.DATABASE_UNAVAILABLE, type(getattr(error, "orig", error)).__name__)
