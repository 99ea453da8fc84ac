"""How delivery writes, so that no request has to wait for it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from bridge.store import Database, Tx

REST = 2  # times as long as a transaction took
LONGEST_REST = 1.0  # seconds


class Turns:
    """The transactions of delivery.

    SQLite lets one write at a time, and whoever waits for it only looks now and then whether it is free: a few busy
    threads would keep all others out. So of ours one writes at a time, and then rests for twice as long.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._one = threading.Lock() if database.is_sqlite else None

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        """A transaction, committed at the end. Raises Unavailable."""
        with self._one or nullcontext():
            with self.database.writing() as tx:
                began_at = time.monotonic()
                yield tx
            if self._one is not None:
                time.sleep(min(REST * (time.monotonic() - began_at), LONGEST_REST))
