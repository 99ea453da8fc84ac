"""Asking Dynamic how a user is now, where one of its events told that they changed and not how."""

from bridge.delivery.carriers import DONE, Result, Verdict
from bridge.errors import AnsweredOtherwise, FetchFailed, NotCalled
from bridge.history import AuditEntry
from bridge.lifecycle.dynamic_events import DynamicEvents
from bridge.store.outbox import Message


class RereadUser:
    """Carries `reread_user`. Doing it twice does nothing more."""

    def __init__(self, events: DynamicEvents) -> None:
        self._events = events

    def carry(self, message: Message, now: int) -> Result:
        """Ask once, and keep the answer. Raises Unavailable."""
        try:
            known = self._events.reread(message.receiver, message.facts["user_id"], now)
        except NotCalled as why:
            return Result(Verdict.NOT_TRIED, str(why))
        except FetchFailed as why:
            retry_after = why.retry_after if isinstance(why, AnsweredOtherwise) else None
            return Result(Verdict.AWAY, str(why), retry_after=retry_after or 0)
        return DONE if known else Result(Verdict.POINTLESS, "not known any more")

    def entry(self, message: Message, *, delivered: bool, attempts: int, error: str, now: int) -> AuditEntry | None:
        """Nothing: what has changed has an entry of its own."""
        del message, delivered, attempts, error, now
        return None
