"""Transactions, and the short way of a hot statement to the driver.

_FIND = fixed(select(…))                  at the top of a module: SQLAlchemy makes its text once
tx.execute(_FIND, values).first()         goes to the driver as it is; everything else goes by SQLAlchemy
"""

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast, overload

from sqlalchemy import Connection, CursorResult, Engine, Executable, Insert
from sqlalchemy.sql.elements import ClauseElement

from bridge.store.engines import Access


class Fixed:
    """A statement whose text never changes. Values are those of the driver: no type of SQLAlchemy's converts them."""

    def __init__(self, statement: Executable, columns: Sequence[str] | None, *, forgettable: bool) -> None:
        self._statement = statement
        self._columns = columns
        self.forgettable = forgettable or _only_reads(statement)
        self._prepared: dict[str, _Prepared] = {}

    def prepared(self, engine: Engine) -> "_Prepared":
        """Its text for a database, made when first asked for."""
        found = self._prepared.get(engine.name)
        if found is None:
            found = self._prepared[engine.name] = _Prepared(self._statement, self._columns, engine)
        return found


def fixed(statement: Executable, *columns: str, forgettable: bool = False) -> Fixed:
    """The statement, to be made once. `columns`: those that an INSERT fills; `forgettable`: see MustLast.

    Not for Boolean columns, which SQLite's driver knows as numbers, nor for lists of any length (IN).
    """
    statement = statement.inline() if isinstance(statement, Insert) else statement
    return Fixed(statement, columns or None, forgettable=forgettable)


def _only_reads(statement: Executable) -> bool:
    return bool(getattr(statement, "is_select", False))


class MustLast(Exception):
    """Something is to be written that may not be forgotten, in a transaction that may be (Access.FORGETTABLE).

    Every statement that writes is such a one unless it is marked as forgettable: nobody has to think of it.
    """


class _Prepared:
    """The text of a statement for one database, what it is filled with, and what its rows look like."""

    def __init__(self, statement: Executable, columns: Sequence[str] | None, engine: Engine) -> None:
        compiled: Any = cast("ClauseElement", statement).compile(dialect=engine.dialect, column_keys=columns)
        self.text = str(compiled)
        self._constants: dict[str, Any] = {name: value for name, value in compiled.params.items() if value is not None}
        self._order: Sequence[str] | None = compiled.positiontup
        self.row: Callable[[Sequence[Any]], Any] | None = None

    def filled(self, values: Mapping[str, Any]) -> Any:
        """The parameters as the driver takes them: in their order where it knows no names."""
        given = {**self._constants, **values} if self._constants else values
        return given if self._order is None else [given[name] for name in self._order]


class Found:
    """What the driver answered to a fixed statement: as much of SQLAlchemy's Result as the verbs use."""

    __slots__ = ("_cursor", "_prepared")

    def __init__(self, cursor: Any, prepared: _Prepared) -> None:
        self._cursor = cursor
        self._prepared = prepared

    @property
    def rowcount(self) -> int:
        """How many rows were written."""
        count: int = self._cursor.rowcount
        return count

    def first(self) -> Any | None:
        """The first row, by column names; None if there is none."""
        row = self._cursor.fetchone()
        return None if row is None else self._row(row)

    def one(self) -> Any:
        """The one row that there must be."""
        row = self._cursor.fetchone()
        if row is None:
            raise LookupError("a row is missing")
        return self._row(row)

    def scalar(self) -> Any:
        """The first value of the first row; None if there is none."""
        row = self._cursor.fetchone()
        return None if row is None else row[0]

    def scalars(self) -> Iterator[Any]:
        """The first value of each row."""
        return (row[0] for row in self._cursor)

    def __iter__(self) -> Iterator[Any]:
        return map(self._row, self._cursor)

    def _row(self, values: Sequence[Any]) -> Any:
        make = self._prepared.row
        if make is None:
            names = [column[0] for column in self._cursor.description]
            kind: Any = namedtuple("Row", names)  # type: ignore[misc]
            make = self._prepared.row = kind._make
        return make(values)


class Tx(Connection):
    """An open transaction: what every verb of this room takes first.

    BEGIN, the fixed statements and COMMIT go straight to the driver, for a third of what SQLAlchemy's own way costs.
    """

    def __init__(self, engine: Engine, access: Access) -> None:  # as SQLAlchemy's, but later: see __getattr__
        self.engine = engine
        self.access = access
        self._held = engine.raw_connection()
        self.driver: Any = self._held.driver_connection
        self._open = True
        self._by_sqlalchemy = False
        self._info: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        """What SQLAlchemy's part lacks, because it is made when it is first needed: that costs as much as a BEGIN."""
        if self.__dict__.get("_by_sqlalchemy", True):
            raise AttributeError(name)
        self._by_sqlalchemy = True
        super().__init__(self.engine, self._held)
        return getattr(self, name)

    @overload
    def execute(self, statement: Fixed, parameters: Mapping[str, Any]) -> Found: ...

    @overload
    def execute(
        self, statement: Executable, parameters: Any = None, **options: Any
    ) -> CursorResult[*tuple[Any, ...]]: ...

    def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """As SQLAlchemy's; a fixed statement takes the short way."""
        if type(statement) is not Fixed:
            if self.access is Access.FORGETTABLE and not _only_reads(statement):
                raise MustLast
            return super().execute(statement, parameters, **options)
        if self.access is Access.FORGETTABLE and not statement.forgettable:
            raise MustLast
        prepared = statement.prepared(self.engine)
        return Found(self.driver.execute(prepared.text, prepared.filled(parameters)), prepared)

    @property
    def info(self) -> dict[Any, Any]:
        """What whoever began the transaction leaves for those who work in it."""
        return self._info

    def finish(self) -> None:
        """Make it last, unless it was undone."""
        if self._open:
            self._open = False
            self.driver.execute("COMMIT")

    def rollback(self) -> None:
        """Undo everything."""
        if self._open:
            self._open = False
            if self._by_sqlalchemy:
                super().rollback()
            if self._held.is_valid:
                self._held.rollback()

    def close(self) -> None:
        """Give the connection back. What is still open is undone."""
        if self._by_sqlalchemy:
            super().close()
        else:
            self._held.close()
