"""Moving to another database: every row, in one transaction there, compared row by row before it counts.

Rows are copied as they are, sealed values too: the bridge goes on with the same BRIDGE_SECRET_KEYS, and nobody is
logged out.
"""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from sqlalchemy import Row, Table, func, insert, select, text

from bridge.store.database import Database, Tx
from bridge.store.tables import metadata

BATCH = 1000  # rows that are held in memory at once


class TargetNotEmpty(Exception):
    """The database to copy into holds rows already: nothing is mixed, nothing is overwritten."""


class SourceChanged(Exception):
    """Somebody wrote to the source meanwhile: a bridge still runs on it. Nothing was copied."""


def copy(source: Database, target: Database) -> dict[str, int]:
    """Copy all of one database into another of the same schema that holds no row; how many rows of each table.

    Raises TargetNotEmpty, SourceChanged and Unavailable; then the target is as it was.
    """
    with target.migrating() as there:
        _check_empty(there)
        with source.reading() as here:
            counts = {table.name: _copy_table(here, there, table) for table in metadata.sorted_tables}
        _let_numbers_go_on(there, on_postgresql=not target.is_sqlite)
        with source.reading() as here:  # begun after the copy: what has changed since shows
            for table in metadata.sorted_tables:
                _compare(here, there, table)
    return counts


def _check_empty(there: Tx) -> None:
    for table in metadata.sorted_tables:
        if there.execute(select(table).limit(1)).first() is not None:
            raise TargetNotEmpty


def _copy_table(here: Tx, there: Tx, table: Table) -> int:
    count = 0
    for batch in _rows(here, table).partitions(BATCH):
        there.execute(insert(table), [dict(row._mapping) for row in batch])
        count += len(batch)
    return count


def _compare(here: Tx, there: Tx, table: Table) -> None:
    pairs: Iterator[tuple[Row[Any] | None, Row[Any] | None]] = zip_longest(_rows(here, table), _rows(there, table))
    for one, other in pairs:
        if one is None or other is None or tuple(one) != tuple(other):
            raise SourceChanged


def _rows(tx: Tx, table: Table) -> Any:
    # By bytes, so that two databases agree on the order whatever their collation.
    key = [_ordered(tx, column) for column in table.primary_key.columns]
    return tx.execute(select(table).order_by(*key), execution_options={"yield_per": BATCH})


def _ordered(tx: Tx, column: Any) -> Any:
    textual = column.type.python_type is str
    return column.collate("C") if textual and tx.dialect.name == "postgresql" else column


def _let_numbers_go_on(there: Tx, *, on_postgresql: bool) -> None:
    """PostgreSQL counts by sequences, which do not notice rows that bring their own number."""
    if not on_postgresql:
        return
    for table in metadata.sorted_tables:
        number = table.autoincrement_column
        if number is not None:
            highest = there.execute(select(func.max(number))).scalar()
            if highest is not None:
                moved = text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)")
                there.execute(moved, {"table": table.name, "column": number.name, "highest": highest})
