"""How many authorization requests of one client are open at once: anybody who knows its id can begin one.

What is kept of them is bounded in the database, so for all processes together. When a client has as many as it may,
those go first that are answered, or wait for a browser that does not come; then those that have run out and are
remembered for a page that was left open. If it still has as many, no other begins until some have run out.
"""

from dataclasses import dataclass
from threading import Lock

from sqlalchemy import ColumnElement, Delete, and_, bindparam, delete, func, or_, select

from bridge.errors import Refused
from bridge.reasons import Reason
from bridge.store import requests
from bridge.store.database import Tx
from bridge.store.tables import requests as table

MOST = 50_000  # of one client, of 16 kB each at the very most and 500 bytes as a rule
PAUSE = 5  # seconds until a client that has too many is counted again
_SHARE = 8  # a process may begin this part of what is left before it counts again
_LEAST = 64
_FORGOTTEN = 1000  # at once
_NOT_COMING = 60  # seconds for a redirect, or a wallet's browser, to come for what began without a browser

_OF_CLIENT = table.c.client_id == bindparam("of_client")
_COUNT = select(func.count()).select_from(
    select(table.c.client_id).where(_OF_CLIENT).limit(bindparam("most")).subquery()
)


def _forget(needless: ColumnElement[bool]) -> Delete:
    oldest = (
        select(table.c.request_id)
        .where(_OF_CLIENT, needless)
        .order_by(table.c.began_at)
        .limit(_FORGOTTEN)
        .with_for_update(skip_locked=True)  # in a request's transaction, which must wait for nobody
    )
    return delete(table).where(table.c.request_id.in_(oldest))


_IS_UNCLAIMED = and_(table.c.browser_digest.is_(None), table.c.began_at < bindparam("unclaimed_before"))
_FORGET_NEEDLESS = _forget(or_(table.c.finished_at.is_not(None), _IS_UNCLAIMED))
_FORGET_RUN_OUT = _forget(table.c.began_at < bindparam("before"))


@dataclass(slots=True)
class _Room:
    """What a process may begin before it counts again."""

    left: int
    is_full: bool
    counted_at: int


class OpenRequests:
    """Begins requests while there is room. Holds a number for each registered client."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rooms: dict[str, _Room] = {}
        self._lock = Lock()

    def begin(self, tx: Tx, client_id: str, query: str, browser: str | None, now: int) -> str:
        """Remember a request of a registered client; its id, which nobody can guess.

        Raises Refused(TOO_MANY_REQUESTS).
        """
        if not self._take(client_id):
            self._count(tx, client_id, now)
            if not self._take(client_id):
                raise Refused(Reason.TOO_MANY_REQUESTS, "open requests of one client", retry_after=PAUSE)
        return requests.begin(tx, client_id, query, browser, now)

    def _take(self, client_id: str) -> bool:
        with self._lock:
            room = self._rooms.get(client_id)
            if room is None or room.left <= 0:
                return False
            room.left -= 1
            return True

    def _count(self, tx: Tx, client_id: str, now: int) -> None:
        room = self._rooms.get(client_id)
        if room is not None and room.is_full and 0 <= now - room.counted_at < PAUSE:
            return
        count: int = tx.execute(_COUNT, {"of_client": client_id, "most": self._most}).scalar_one()
        if count >= self._most:
            needless = {"of_client": client_id, "unclaimed_before": now - _NOT_COMING}
            run_out = {"of_client": client_id, "before": now - requests.TTL}
            count -= tx.execute(_FORGET_NEEDLESS, needless).rowcount or tx.execute(_FORGET_RUN_OUT, run_out).rowcount
        free = max(0, self._most - count)
        with self._lock:
            self._rooms[client_id] = _Room(min(free, max(_LEAST, free // _SHARE)), free == 0, now)
