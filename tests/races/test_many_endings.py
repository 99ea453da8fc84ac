"""One event that ends thousands of sessions: done in seconds, in small batches, and nobody else waits for it."""

import time
from dataclasses import replace
from threading import Event, Thread

import pytest
from databases import rows
from families import APP, NOW, SUB, open_family
from sqlalchemy import text

from bridge.delivery.deliver import Delivery
from bridge.delivery.rest import CloseRest
from bridge.delivery.turns import Turns
from bridge.history import OPERATOR
from bridge.lifecycle.closing import BATCH
from bridge.lifecycle.endings import revoke_user
from bridge.store import Database, receivers
from bridge.store.outbox import Kind
from bridge.store.tables import grants

pytestmark = pytest.mark.both_databases

MANY = 10_000
TOLD = replace(APP, client_id="told", backchannel_logout_uri="https://app.example.com/logout")


def test_ten_thousand_sessions_end_by_one_event_and_others_go_on_writing(url: str, database: Database) -> None:
    open_family(database, TOLD)
    copied = ", ".join(column.name for column in grants.columns if column.name not in ("grant_id", "sid"))
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY - 1})"
    copy = (
        f"INSERT INTO grants (grant_id, sid, {copied}) {numbers}"
        f" SELECT 'copy-' || n, 'sid-' || n, {copied} FROM grants, numbers"
    )
    with database.writing() as tx:
        tx.execute(text(copy))
    waited: list[float] = []
    over = Event()

    def write_meanwhile() -> None:
        while not over.wait(0.01):
            began = time.monotonic()
            with database.writing() as tx:
                receivers.answered(tx, "somebody", NOW)
            waited.append(time.monotonic() - began)

    other = Thread(target=write_meanwhile)
    other.start()
    began_at = time.monotonic()
    try:
        with database.writing() as tx:
            assert revoke_user(tx, SUB, actor=OPERATOR, now=NOW + 1) == MANY
        decided = time.monotonic() - began_at
        turns = Turns(database)
        Delivery(turns, {Kind.CLOSE_REST: CloseRest(turns)}, lambda: NOW + 1).run(once=True)
        took = time.monotonic() - began_at
    finally:
        over.set()
        other.join(30)
    assert rows(url, "SELECT count(*) FROM grants WHERE closed_at IS NULL") == [(0,)]
    assert rows(url, "SELECT count(*) FROM outbox WHERE kind = 'backchannel_logout'") == [(MANY,)]
    assert rows(url, "SELECT count(*) FROM outbox WHERE kind = 'close_rest'") == [(0,)]
    assert rows(url, "SELECT count(*) FROM audit WHERE event = 'grant_closed'") == [(MANY,)]
    assert MANY // BATCH >= 50, "in small batches"
    # Seconds on a quiet machine; far from the limits on one that is not.
    assert decided < 4
    assert took < 60
    assert len(waited) > 20
    assert sorted(waited)[len(waited) * 99 // 100] < 2, "and nobody was told that the database is away"
