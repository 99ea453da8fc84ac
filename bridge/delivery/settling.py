"""What follows from an attempt: the message is done, tried again later, or given up; and how its receiver is."""

from dataclasses import dataclass

from bridge.delivery import pace
from bridge.delivery.carriers import Carrier, Result, Verdict
from bridge.store import Tx, audit, outbox, receivers
from bridge.store.outbox import Claimed, Lane

BATCH = 200  # messages that are given up in one transaction


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message that was claimed, and who carried it. `chance`, from 0 to 1, spreads the next attempt."""

    carrier: Carrier
    claimed: Claimed
    chance: float
    now: int

    @property
    def lane(self) -> Lane:
        """Where it stands."""
        return Lane(self.claimed.message.kind, self.claimed.message.receiver)


def settle(tx: Tx, attempt: Attempt, result: Result) -> None:
    """Write down what came of an attempt."""
    match result.verdict:
        case Verdict.DONE:
            if outbox.done(tx, attempt.claimed):
                _remember(tx, attempt, delivered=True)
            _answered(tx, attempt)
        case Verdict.MORE | Verdict.NOT_TRIED:
            outbox.hand_back(tx, [attempt.claimed], attempt.now)
        case Verdict.POINTLESS:
            if outbox.done(tx, attempt.claimed):
                _remember(tx, attempt, result.error)
        case Verdict.REFUSED:
            _answered(tx, attempt)
            _try_again(tx, attempt, result.error, most=pace.REFUSALS)
        case Verdict.AWAY:
            _away(tx, attempt, result.error, retry_after=min(result.retry_after, pace.LONGEST_RETRY_AFTER))


def _answered(tx: Tx, attempt: Attempt) -> None:
    """Whatever waited for this receiver goes now: a message that failed is due no later than the probe after it."""
    if attempt.claimed.health.is_news(attempt.now):
        receivers.answered(tx, attempt.lane.name, attempt.now)


def _away(tx: Tx, attempt: Attempt, error: str, *, retry_after: int) -> None:
    claimed, now, failures = attempt.claimed, attempt.now, attempt.claimed.health.failures + 1
    retry_at = now + max(retry_after, pace.delay(failures, attempt.chance, longest=pace.PROBES))
    since = receivers.failed(tx, attempt.lane.name, error, now, failures=failures, retry_at=retry_at)
    if pace.is_its_own_trouble(claimed.attempts, failures):
        _try_again(tx, attempt, error, most=pace.ATTEMPTS)
    else:
        outbox.failed(tx, claimed, error, next_at=retry_at)
    if since <= now - pace.PATIENCE:
        _give_up(tx, attempt, error)


def _try_again(tx: Tx, attempt: Attempt, error: str, *, most: int) -> None:
    claimed, now = attempt.claimed, attempt.now
    if claimed.attempts < most:
        next_at = now + pace.delay(claimed.attempts, attempt.chance, longest=pace.ALONE)
        outbox.failed(tx, claimed, error, next_at=next_at)
    elif outbox.bury(tx, claimed, error, now):
        _remember(tx, attempt, error)


def _give_up(tx: Tx, attempt: Attempt, error: str) -> None:
    """What has waited for longer than our patience; the next probe takes the next batch."""
    now = attempt.now
    buried = outbox.bury_old(tx, attempt.lane, error, now, before=now - pace.PATIENCE, limit=BATCH)
    entries = (attempt.carrier.entry(one, delivered=False, attempts=0, error=error, now=now) for one in buried)
    audit.record_all(tx, [entry for entry in entries if entry is not None])


def _remember(tx: Tx, attempt: Attempt, error: str = "", *, delivered: bool = False) -> None:
    claimed, now = attempt.claimed, attempt.now
    entry = attempt.carrier.entry(claimed.message, delivered=delivered, attempts=claimed.attempts, error=error, now=now)
    if entry is not None:
        audit.record(tx, entry)
