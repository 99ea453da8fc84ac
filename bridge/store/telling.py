"""A database that tells of each audit entry, once its transaction is committed and never before."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from bridge.history import AuditEntry
from bridge.store.audit import HEARD
from bridge.store.database import Database, Tx

Tell = Callable[[Sequence[AuditEntry]], None]
"""What is done with the entries of one transaction. Raises nothing: what they tell of has happened."""


class TellingDatabase(Database):
    """As any other; `tell` hears of what was written into the audit log."""

    def __init__(self, url: str, tell: Tell) -> None:
        super().__init__(url)
        self._tell = tell

    def writing(self) -> AbstractContextManager[Tx]:
        """A transaction that is committed at the end, and rolled back by any exception. Raises Unavailable."""
        return self._heard(super().writing())

    def noting(self) -> AbstractContextManager[Tx]:
        """The same for what may be forgotten if the power fails. Raises Unavailable, and MustLast."""
        return self._heard(super().noting())

    @contextmanager
    def _heard(self, transaction: AbstractContextManager[Tx]) -> Iterator[Tx]:
        entries: list[AuditEntry] = []
        with transaction as tx:
            tx.info[HEARD] = entries
            try:
                yield tx
            finally:
                tx.info.pop(HEARD, None)
        if entries:
            self._tell(entries)

    @contextmanager
    def rehearsing(self) -> Iterator[Tx]:
        """A writing transaction of which nothing stays, and nothing is told. Raises Unavailable."""
        with super().writing() as tx:
            yield tx
            tx.rollback()
