"""Several who carry messages out at once: each message is done once, and a receiver that fails is probed by one."""

import json
from collections import Counter
from threading import Lock

import pytest
from databases import rows
from families import NOW
from racing import Race, by_threads, written
from sqlalchemy import text

from bridge.delivery.carriers import DONE, Result
from bridge.delivery.deliver import Delivery
from bridge.delivery.turns import Turns
from bridge.history import AuditEntry, Event
from bridge.store import Database, outbox, receivers
from bridge.store.outbox import Kind, Lane, Message

pytestmark = pytest.mark.both_databases

LANE = Lane(Kind.BACKCHANNEL_LOGOUT, "app")


class Counting:
    """Carries a message by counting it."""

    def __init__(self) -> None:
        self.carried: Counter[str] = Counter()
        self._lock = Lock()

    def carry(self, message: Message, now: int) -> Result:
        with self._lock:
            self.carried[message.facts["sid"]] += 1
        return DONE

    def entry(self, message: Message, *, delivered: bool, attempts: int, error: str, now: int) -> AuditEntry:
        return AuditEntry(now, Event.LOGOUT_DELIVERED, "bridge", sid=message.facts["sid"])


def owe(database: Database, count: int) -> None:
    with database.writing() as tx:
        outbox.put(tx, (Message(Kind.BACKCHANNEL_LOGOUT, "app", {"sid": str(n)}) for n in range(count)), NOW)


def claim_ids(database: Database) -> list[int]:
    with database.writing() as tx:
        return [one.message_id for one in outbox.claim(tx, LANE, NOW, limit=3, lease=30)]


def test_no_message_is_claimed_by_two(url: str, database: Database, race: Race) -> None:
    owe(database, 40)
    claimed = [one for ids in race(url, claim_ids, 16) for one in ids]
    assert len(claimed) == len(set(claimed))
    assert len(claimed) >= 3
    rest = []
    while ids := claim_ids(database):
        rest += ids
    assert sorted(claimed + rest) == sorted(row[0] for row in rows(url, "SELECT id FROM outbox"))


def test_a_failing_receiver_is_probed_by_one_of_many(url: str, database: Database, race: Race) -> None:
    owe(database, 40)
    with database.writing() as tx:
        receivers.failed(tx, LANE.name, "status 500", NOW - 60, failures=3, retry_at=NOW)
    assert sorted(map(len, race(url, claim_ids, 16))) == [0] * 15 + [1]


def test_failures_at_once_are_one(url: str, database: Database, race: Race) -> None:
    def fail(tx: object) -> int:
        return receivers.failed(tx, LANE.name, "x", NOW, failures=1, retry_at=NOW + 5)  # type: ignore[arg-type]

    by_threads(url, written(fail), 12)
    assert rows(url, "SELECT failures, failing_since FROM receivers") == [(1, NOW)]


def test_several_deliveries_do_each_message_once(url: str, database: Database) -> None:
    owe(database, 300)
    counting = Counting()

    def deliver(own: Database) -> None:
        Delivery(Turns(own), {Kind.BACKCHANNEL_LOGOUT: counting}, lambda: NOW).run(once=True)

    by_threads(url, deliver, 4)
    assert counting.carried == Counter({str(number): 1 for number in range(300)})
    assert rows(url, "SELECT count(*) FROM outbox") == [(0,)]
    assert rows(url, "SELECT count(*) FROM audit") == [(300,)]


class Unsayable(Counting):
    """What became of its first message cannot be said."""

    def entry(self, message: Message, *, delivered: bool, attempts: int, error: str, now: int) -> AuditEntry:
        if message.facts["sid"] == "0":
            raise KeyError("sid")
        return super().entry(message, delivered=delivered, attempts=attempts, error=error, now=now)


def test_a_message_that_cannot_be_settled_holds_back_none_of_those_behind_it(database: Database) -> None:
    owe(database, 20)
    Delivery(Turns(database), {Kind.BACKCHANNEL_LOGOUT: Unsayable()}, lambda: NOW).run_due(NOW)
    with database.reading() as tx:
        left = [json.loads(row.facts) for row in tx.execute(text("SELECT facts FROM outbox"))]
    assert left == [{"sid": "0"}], "its lease brings it back"
