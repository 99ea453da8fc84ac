"""A kill between any two statements of a delivery, and around the send: everybody is told, and hardly anybody twice."""

from collections import Counter
from itertools import count
from typing import Any

import pytest
from conftest import OFFLINE, Bridge
from databases import rows
from killing import delivery_with_kill, revocation_with_kill
from receiving import claims_in, receiving
from slow import at_every_point
from sqlalchemy import text

from bridge.delivery.deliver import LEASE
from bridge.history import OPERATOR
from bridge.lifecycle.closing import BATCH
from bridge.lifecycle.endings import revoke_user
from bridge.parts import Parts
from bridge.store.outbox import Kind, Message, put
from bridge.store.tables import grants

pytestmark = [pytest.mark.both_databases, at_every_point]

SUB = "22222222-2222-4222-8222-222222222222"


def let_go(bridge: Bridge) -> None:
    """Nobody else has the database open: after a kill it is recovered by who comes next."""
    parts_of(bridge).database.close()
    bridge.database.close()


def found(bridge: Bridge, statement: str) -> list[tuple[Any, ...]]:
    return rows(bridge.config.database_url, statement)


def test_a_delivery_that_is_killed_anywhere_tells_everybody_and_is_remembered_once(bridge: Bridge, stride: int) -> None:
    killed, twice = 0, 0
    with receiving() as receiver:
        bridge.add_client(**OFFLINE, backchannel_logout_uri=receiver.uri)
        for at in count(1, stride):
            owe(bridge, sids := [f"{at}-0", f"{at}-1"])
            let_go(bridge)
            finished = delivery_with_kill(bridge.config, bridge.clock(), at)
            killed += not finished
            bridge.clock.forward(LEASE)
            parts_of(bridge).delivery(bridge.config, bridge.clock).run_due(bridge.clock())
            told = Counter(claims_in(token)["sid"] for token in receiver.tokens)
            assert all(1 <= told[sid] <= 2 for sid in sids)
            twice += sum(told[sid] - 1 for sid in sids)
            entries = found(bridge, "SELECT sid FROM audit WHERE event = 'logout_delivered'")
            assert sorted(sid for (sid,) in entries) == sorted(told)
            assert found(bridge, "SELECT count(*) FROM outbox") == [(0,)]
            if finished:
                break
    assert killed >= 20 // stride
    assert all(told[sid] == 1 for sid in sids)
    assert 2 // stride <= twice <= killed / 2, "only a kill between the send and the commit behind it repeats one"


def parts_of(bridge: Bridge) -> Parts:
    parts: Parts = bridge.http.application.extensions["bridge"]
    return parts


def owe(bridge: Bridge, sids: list[str]) -> None:
    messages = (Message(Kind.BACKCHANNEL_LOGOUT, "app", {"sub": SUB, "sid": sid}) for sid in sids)
    with bridge.database.writing() as tx:
        put(tx, messages, bridge.clock())


def test_the_rest_of_an_ending_that_is_killed_is_taken_up_again(bridge: Bridge, stride: int) -> None:
    many = BATCH + 30
    user_id = with_grants(bridge, many)
    with bridge.database.writing() as tx:
        assert revoke_user(tx, user_id, actor=OPERATOR, now=bridge.clock() + 1) == many
    let_go(bridge)
    killed = 0
    for at in count(1, stride):
        finished = delivery_with_kill(bridge.config, bridge.clock() + 2, at)
        killed += not finished
        bridge.clock.forward(LEASE)
        closed, rest = whole(bridge)
        assert rest == 1 or closed == many
        if finished:
            break
    assert killed >= 8 // stride
    assert (closed, rest) == (many, 0)


def test_an_ending_that_is_killed_has_not_happened_or_will_be_told(bridge: Bridge, stride: int) -> None:
    user_id = with_grants(bridge, 3)
    let_go(bridge)
    for at in count(1, stride):
        finished = revocation_with_kill(bridge.config, bridge.clock() + 1, at, user_id)
        closed, _ = whole(bridge)
        assert closed in (0, 3)
        if finished:
            break
    assert closed == 3
    assert at >= 8


def whole(bridge: Bridge) -> tuple[int, int]:
    """How many grants are closed, each with its entry and its message; how many messages ask for the rest."""
    (closed,) = found(bridge, "SELECT count(*) FROM grants WHERE closed_at IS NOT NULL")[0]
    assert found(bridge, "SELECT count(*) FROM audit WHERE event = 'grant_closed'") == [(closed,)]
    assert found(bridge, "SELECT count(*) FROM outbox WHERE kind = 'backchannel_logout'") == [(closed,)]
    return closed, found(bridge, "SELECT count(*) FROM outbox WHERE kind = 'close_rest'")[0][0]


def with_grants(bridge: Bridge, many: int) -> str:
    """A user with so many grants, each of a session of its own, whose client nobody reaches."""
    bridge.add_client(**OFFLINE, backchannel_logout_uri="http://127.0.0.1:9/x")
    user = bridge.user()
    bridge.keep(user)
    copied = ", ".join(column.name for column in grants.columns if column.name not in ("grant_id", "sid"))
    with bridge.database.writing() as tx:
        for number in range(1, many):
            tx.execute(
                text(
                    f"INSERT INTO grants (grant_id, sid, {copied}) SELECT 'copy-{number}', 'sid-{number}', {copied}"
                    " FROM grants WHERE grant_id NOT LIKE 'copy-%'"
                )
            )
    return user.id
