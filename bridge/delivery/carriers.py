"""What a carrier is: it does what a message of its kind asks, once, and says what came of it."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from bridge.history import AuditEntry
from bridge.store.outbox import Message


class Verdict(Enum):
    """What an attempt came to."""

    DONE = auto()
    MORE = auto()  # a part of it; go on with the rest
    REFUSED = auto()  # the receiver answered that it will not have this one
    AWAY = auto()  # the receiver does not answer, or not as a receiver does
    NOT_TRIED = auto()  # we could not even try
    POINTLESS = auto()  # there is nobody to tell any more


@dataclass(frozen=True, slots=True)
class Result:
    """A verdict, a short word for the failure, and the seconds for which a receiver that is away asked to be left."""

    verdict: Verdict
    error: str = ""
    retry_after: int = 0


DONE, MORE = Result(Verdict.DONE), Result(Verdict.MORE)


class Carrier(Protocol):
    """Carries messages of one kind. Holds no transaction while it calls out."""

    def carry(self, message: Message, now: int) -> Result:
        """Do what the message asks, within `deliver.DEADLINE`. Raises Unavailable."""

    def entry(self, message: Message, *, delivered: bool, attempts: int, error: str, now: int) -> AuditEntry | None:
        """What the audit log says of its end, if anything."""
