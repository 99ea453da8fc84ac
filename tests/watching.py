"""What the databases of this process are asked, as their drivers hear it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Pool, event

Heard = Callable[[str], None]


@contextmanager
def hearing(heard: Heard, *, let_go: Callable[[], None] = lambda: None) -> Iterator[None]:
    """`heard` is told each statement before it is carried out, `let_go` the end of each use of a connection.

    BEGIN and COMMIT are statements too.
    """

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            heard(str(query))
            return super().execute(query, *arguments, **options)

    def taken(connection: Any, *_: Any) -> None:
        if isinstance(connection, psycopg.Connection):
            connection.cursor_factory = Cursor
        else:
            connection.set_trace_callback(heard)

    def given_back(connection: Any, *_: Any) -> None:
        if isinstance(connection, psycopg.Connection):
            connection.cursor_factory = psycopg.Cursor
        elif connection is not None:
            connection.set_trace_callback(None)
        let_go()

    event.listen(Pool, "checkout", taken)
    event.listen(Pool, "checkin", given_back)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", taken)
        event.remove(Pool, "checkin", given_back)
