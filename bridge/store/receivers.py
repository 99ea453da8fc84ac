"""How each receiver of messages is: one that fails is left alone for a while, then probed by one message at a time."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, func, select, text, update

from bridge.store.database import Tx
from bridge.store.tables import receivers

TOLD_EVERY = 60  # seconds after which a success is written down again


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a receiver. `failing_since` is None while it answers."""

    receiver: str
    failing_since: int | None
    failures: int
    retry_at: int | None
    delivered_at: int | None
    last_error: str | None

    def is_news(self, now: int) -> bool:
        """Whether it should be written down that it answers: not each time, or all who send would queue for the row."""
        return self.failures > 0 or self.delivered_at is None or self.delivered_at <= now - TOLD_EVERY


_FIND = select(receivers).where(receivers.c.receiver == bindparam("name"))
_PROBE = (
    update(receivers)
    .where(
        receivers.c.receiver == bindparam("name"),
        receivers.c.failing_since.is_not(None),
        receivers.c.retry_at <= bindparam("now"),
    )
    .values(retry_at=bindparam("until"))
)
# Of several whose attempts failed together each counts the same failure.
_FAILED = text(
    "INSERT INTO receivers (receiver, failing_since, failures, retry_at, last_error)"
    " VALUES (:name, :now, :failures, :retry_at, :error)"
    " ON CONFLICT (receiver) DO UPDATE SET"
    " failing_since = COALESCE(receivers.failing_since, excluded.failing_since),"
    " failures = CASE WHEN receivers.failures > excluded.failures"
    " THEN receivers.failures ELSE excluded.failures END,"
    " retry_at = excluded.retry_at, last_error = excluded.last_error"
    " RETURNING failing_since"
)
_ANSWERED = text(
    "INSERT INTO receivers (receiver, failures, delivered_at) VALUES (:name, 0, :now)"
    " ON CONFLICT (receiver) DO UPDATE SET"
    " failing_since = NULL, failures = 0, retry_at = NULL, last_error = NULL, delivered_at = excluded.delivered_at"
)


def is_held(name: ColumnElement[str], now: int) -> ColumnElement[bool]:
    """The condition that the receiver of that name fails, and has to be left alone at that moment."""
    return and_(receivers.c.receiver == name, receivers.c.failing_since.is_not(None), receivers.c.retry_at > now)


def may_send(tx: Tx, name: str, now: int, *, until: int) -> Health | None:
    """How it is; None if it has to be left alone.

    Whoever may send to one that fails is the only one to do so until that moment.
    """
    row = tx.execute(_FIND, {"name": name}).first()
    health = Health(name, None, 0, None, None, None) if row is None else Health(**row._mapping)
    if health.failing_since is None:
        return health
    return health if tx.execute(_PROBE, {"name": name, "now": now, "until": until}).rowcount == 1 else None


def failed(tx: Tx, name: str, error: str, now: int, *, failures: int, retry_at: int) -> int:
    """It failed for the `failures`th time; since when it does."""
    values = {"name": name, "now": now, "failures": failures, "retry_at": retry_at, "error": error[:64]}
    return int(tx.execute(_FAILED, values).scalar_one())


def answered(tx: Tx, name: str, now: int) -> None:
    """It has taken a message."""
    tx.execute(_ANSWERED, {"name": name, "now": now})


def begin_anew(tx: Tx, name: str, now: int) -> None:
    """Try it at once, and be as patient with it as if it had begun to fail now."""
    failing = (receivers.c.receiver == name, receivers.c.failing_since.is_not(None))
    tx.execute(update(receivers).where(*failing).values(failing_since=now, failures=1, retry_at=now))


def free(tx: Tx, now: int) -> None:
    """Leave none alone any longer: the clock was set back, and the moments that were noted mean nothing now."""
    tx.execute(update(receivers).where(receivers.c.retry_at > now).values(retry_at=now))


def every(tx: Tx) -> list[Health]:
    """All that are known, those that fail first."""
    healthy = func.coalesce(receivers.c.failing_since, 0) == 0
    return [Health(**row._mapping) for row in tx.execute(select(receivers).order_by(healthy, receivers.c.receiver))]
