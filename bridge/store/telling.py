"""A database that tells of each audit entry, once its transaction is committed and never before."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bridge.history import AuditEntry
from bridge.store.audit import HEARD
from bridge.store.database import Database, Tx
from bridge.store.engines import Access

Tell = Callable[[Sequence[AuditEntry]], None]
"""What is done with the entries of one transaction. Raises nothing: what they tell of has happened."""

_WRITING = (Access.WRITE, Access.FORGETTABLE)


class TellingDatabase(Database):
    """As any other; each of `told` hears of what was written into the audit log."""

    def __init__(self, url: str, told: Sequence[Tell]) -> None:
        super().__init__(url)
        self._told = told

    @contextmanager
    def rehearsing(self) -> Iterator[Tx]:
        """A writing transaction of which nothing stays, and nothing is told. Raises Unavailable."""
        with super().rehearsing() as tx:
            tx.info.pop(HEARD, None)
            yield tx

    def begin(self, access: Access, *, again: bool = True) -> Tx:
        """As any other's; a writing one keeps what is to be told."""
        tx = super().begin(access, again=again)
        if access in _WRITING:
            tx.info[HEARD] = []
        return tx

    def end(self, tx: Tx, error: BaseException | None) -> None:
        """As any other's; told is what was committed."""
        entries = tx.info.get(HEARD)
        super().end(tx, error)
        if entries and error is None:
            for tell in self._told:
                tell(entries)
