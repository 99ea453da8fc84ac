"""Closing what is left of what has ended: a batch at a time, so that nobody waits for it."""

from bridge.clock import CLOCKS_DIFFER
from bridge.delivery.carriers import DONE, MORE, Result
from bridge.delivery.turns import Turns
from bridge.history import AuditEntry, Cause
from bridge.lifecycle.closing import Ending
from bridge.lifecycle.endings import close_rest
from bridge.store.extents import named_by
from bridge.store.outbox import Message

_CAUSES = {cause.word: cause for cause in Cause}


class CloseRest:
    """Carries `close_rest`. Doing it twice does nothing."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def carry(self, message: Message, now: int) -> Result:
        """One more batch, in one transaction. Raises Unavailable."""
        del now  # what is closed ended when it was decided
        facts = message.facts
        ending = Ending(_CAUSES[facts["cause"]], facts["actor"], facts["up_to"], facts.get("detail", {}))
        of = named_by(facts, facts["up_to"] + CLOCKS_DIFFER)  # what an instance ahead of us has opened too
        with self._turns.writing() as tx:
            return DONE if close_rest(tx, of, ending) else MORE

    def entry(self, message: Message, *, delivered: bool, attempts: int, error: str, now: int) -> AuditEntry | None:
        """Nothing: each grant and each session has its own."""
        del message, delivered, attempts, error, now
        return None
