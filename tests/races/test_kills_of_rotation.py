"""A kill between any two statements of a step in the signing keys' lives: each algorithm has one key that signs."""

from itertools import count

import pytest
from conftest import Bridge
from databases import rows
from killing import rotation_with_kill

from bridge.keylife import KEPT, LEAD
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer

INTERVAL = 30 * 86400
EACH_POINT = pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(300)])

pytestmark = [pytest.mark.both_databases, pytest.mark.parametrize("stride", [4, EACH_POINT])]


@pytest.fixture
def bridge(make_bridge: object) -> Bridge:
    assert callable(make_bridge)
    made: Bridge = make_bridge(BRIDGE_KEY_ROTATION=str(INTERVAL))
    return made


def keys_of(bridge: Bridge) -> list[tuple[str, str, str]]:
    """Algorithm, state and id of each, whole: every one opens, and of each algorithm one signs."""
    rotation = Rotation(bridge.database, Sealer(bridge.config.secret_keys), interval=INTERVAL)
    found = [(life.alg, life.state, life.kid) for life, _ in rotation.load()]
    bridge.database.close()
    for alg in ("RS256", "ES256", "Ed25519"):
        assert [state for of, state, _ in found if of == alg].count("active") == 1
        assert [state for of, state, _ in found if of == alg].count("pending") <= 1
    return found


def killed_until_done(bridge: Bridge, stride: int) -> int:
    """Kill whoever takes what is due at one point after the other, until there is no point left; how often."""
    for at in count(1, stride):
        done = rotation_with_kill(bridge.config, bridge.clock(), at)
        keys_of(bridge)
        if done:
            return (at - 1) // stride
    raise AssertionError


def test_a_whole_rotation_is_killed_everywhere_and_comes_about(bridge: Bridge, stride: int) -> None:
    bridge.http.application.extensions["bridge"].close()
    old = {kid for _, _, kid in keys_of(bridge)}
    expected = ({"active", "pending"}, {"active", "retired"}, {"active"})
    killed = 0
    for wait, states in zip((INTERVAL, LEAD, KEPT), expected, strict=True):
        bridge.clock.forward(wait)
        killed += killed_until_done(bridge, stride)
        assert {state for _, state, _ in keys_of(bridge)} == states
    assert len(old) == 3
    assert not old & {kid for _, _, kid in keys_of(bridge)}
    assert killed >= 24 // stride
    entries = rows(bridge.config.database_url, "SELECT event FROM audit WHERE event LIKE 'key_%'")
    assert sorted(event for (event,) in entries) == ["key_activated"] * 3 + ["key_added"] * 6
