"""The clock jumps by an hour, either way, and comes right again: nobody loses anything, and nothing comes back."""

import pytest
from conftest import OFFLINE, Bridge, refusal

from bridge.store.sweep import sweep

pytestmark = pytest.mark.both_databases

HOUR = 3600


def swept(bridge: Bridge) -> None:
    sweep(bridge.database, bridge.clock(), audit_retention=10**8)


def test_a_refresh_token_that_was_spent_while_the_clock_was_ahead_leads_to_the_newest(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    first = bridge.keep()
    bridge.clock.forward(HOUR)
    second = bridge.refresh(first).json["refresh_token"]
    bridge.clock.forward(-HOUR)
    again = bridge.refresh(first)
    assert (again.status_code, again.json["refresh_token"]) == (200, second)
    assert bridge.refresh(second).status_code == 200


def test_what_was_issued_before_is_good_after_and_what_was_issued_ahead_too(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    token = bridge.keep()
    before = bridge.refresh(token).json
    bridge.clock.forward(HOUR)
    assert bridge.userinfo(before["access_token"]).status_code == 401, "it has expired by this clock"
    swept(bridge)
    ahead = bridge.refresh(before["refresh_token"]).json
    bridge.clock.forward(-HOUR)
    assert bridge.userinfo(before["access_token"]).status_code == 200
    assert bridge.userinfo(ahead["access_token"]).status_code == 200
    assert bridge.refresh(ahead["refresh_token"]).status_code == 200
    bridge.clock.forward(-HOUR)
    assert bridge.call("/introspect", ahead["access_token"]).json["active"] is True


@pytest.mark.parametrize("lifetime", [300, 7200])
def test_an_assertion_that_was_taken_once_is_not_taken_again(bridge: Bridge, lifetime: int) -> None:
    bridge.add_client(assertion_once=True)
    assertion = bridge.assertion(lifetime=lifetime)
    assert bridge.exchange(assertion).status_code == 200
    bridge.clock.forward(HOUR)
    swept(bridge)
    bridge.clock.forward(-HOUR)
    assert refusal(bridge.exchange(assertion))[2] == "assertion_replayed"


def test_what_was_revoked_stays_revoked(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    bare = bridge.exchange(bridge.assertion(user)).json["access_token"]
    token = bridge.keep(user)
    assert bridge.call("/revoke", bare).status_code == 200
    assert bridge.call("/revoke", token).status_code == 200
    for hours in (1, -1, -1, 1):
        bridge.clock.forward(hours * HOUR)
        swept(bridge)
        assert bridge.call("/introspect", bare).json == {"active": False}
        assert bridge.refresh(token).status_code == 400


@pytest.mark.parametrize("hours", [1, -1])
def test_a_changed_client_is_seen_after_the_jump(bridge: Bridge, hours: int) -> None:
    bridge.add_client(**OFFLINE)
    token = bridge.keep()
    bridge.refresh(token)
    bridge.change_client(disabled=True)
    bridge.clock.forward(hours * HOUR)
    assert bridge.refresh(token).status_code >= 400


@pytest.mark.parametrize("hours", [1, -1])
def test_keys_of_both_sides_go_on(bridge: Bridge, hours: int) -> None:
    """Dynamic's clock, which the emulator shares, jumps along: what is tried is what we remember."""
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    assert bridge.exchange(bridge.assertion(user)).status_code == 200
    bridge.dynamic.emulator.faults.set("/sdk", "down")
    for _ in range(2):
        bridge.clock.forward(hours * HOUR)
        assert bridge.exchange(bridge.assertion(user)).status_code == 200, "the last good keys"
        hours = -hours
    bridge.dynamic.emulator.faults.clear()
    bridge.clock.forward(60)
    bridge.dynamic.emulator.rotate_key()
    assert bridge.exchange(bridge.assertion(user)).status_code == 200, "and a new one is found at once"
