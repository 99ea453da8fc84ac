"""Dynamic's keys cannot be had, in every way that the emulator knows, seen from outside the served bridge."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loading import until
from standalone import Standalone, at_once, standalone

from bridge.emulator import Emulator
from bridge.emulator.faults import FaultMode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

COLD = [FaultMode.down, FaultMode.slow, FaultMode.dripping, FaultMode.huge, FaultMode.garbage]
SOON = 3.0  # seconds: the caller waits 1.5 s for keys that nobody knows yet
AT_ONCE = 1.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with standalone(tmp_path_factory.mktemp("warm")) as bridge:
        bridge.signed_in()
        yield bridge


@pytest.mark.parametrize("mode", list(FaultMode))
def test_good_tokens_go_on_while_unknown_ones_search_in_vain(warm: Standalone, mode: FaultMode) -> None:
    world = warm.dynamic.emulator
    good = [warm.device(warm.user(number)) for number in range(6)]
    bad = [warm.device(warm.user(number), header={"kid": f"unknown-{mode}-{number}"}) for number in range(6)]
    world.faults.set("/sdk", mode)
    try:
        statuses = at_once([*good, *bad, *good], "exchange")
    finally:
        world.faults.clear()
    assert statuses == [200] * 6 + [400] * 6 + [200] * 6
    assert all("key_unknown" in device.heard[-1].error for device in bad)
    assert max(heard.took for device in good for heard in device.heard) < AT_ONCE
    assert max(device.heard[-1].took for device in bad) < SOON


@pytest.mark.parametrize("mode", COLD)
def test_who_begins_without_keys_says_so_soon_and_serves_as_soon_as_they_can_be_had(
    mode: FaultMode, tmp_path: Path
) -> None:
    world = Emulator()
    world.faults.set("/sdk", mode, delay=6)
    with standalone(tmp_path, world=world) as bridge:
        crowd = [bridge.device(bridge.user(number)) for number in range(12)]
        assert set(at_once(crowd, "exchange")) == {503}
        assert max(device.heard[-1].took for device in crowd) < SOON
        assert "keys_unavailable" in crowd[0].heard[-1].error
        assert crowd[0].get("/jwks") == 200, "what needs no keys of Dynamic's goes on"
        world.faults.clear()
        until(lambda: crowd[0].exchange() == 200, within=20)
        assert set(at_once(crowd, "exchange")) == {200}
        assert '"bug"' not in bridge.log
    world.release_keys()
