"""A PostgreSQL of our own, which the tests know how to start."""

import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PostgreSQL:
    """`pid`: of its first process. `new_database` makes one with the schema, and returns its URL."""

    pid: int
    new_database: Callable[[], str]


def own_postgresql(held: ExitStack, say: Callable[[str], None]) -> PostgreSQL | None:
    """Started; `held` stops it. None, which is said, if there is no PostgreSQL here."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    with suppress(ImportError):
        from databases import Databases
        from postgres import PostgresMissing, running_postgres

        try:
            server = held.enter_context(running_postgres())
        except PostgresMissing as missing:
            say(f"No PostgreSQL: {missing}")
        else:
            return PostgreSQL(server.pid, partial(Databases(server.url()).create, migrated=True))
    return None
