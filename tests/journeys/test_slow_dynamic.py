"""Dynamic answers in four seconds, fifty requests that have to ask it are under way, and everybody else goes on."""

import pytest

from bench.slow import ANSWERS_IN, EACH, measure, slow_stage
from bridge.emulator import RunningEmulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.both_databases]

GENEROUS = {
    "discovery": 0.5,
    "health": 0.5,
    "refresh": 1.0,
}  # seconds; `make bench` has the figures


def test_a_slow_dynamic_is_waited_for_only_by_those_who_ask_it(
    backend: str, empty_database_url: str, dynamic: RunningEmulator
) -> None:
    with slow_stage(dynamic, empty_database_url if backend == "postgresql" else None) as stage:
        waits = measure(stage, seconds=2 * ANSWERS_IN)
    for name, bound in GENEROUS.items():
        assert len(waits.taken[name]) > 50
        assert waits.p99_ms(name) < bound * 1000, name
    assert {kind for kind, _ in waits.slow} == EACH.keys()
    answered = {"profile": 200, "unknown key": 400, "live check": 200, "webhook": 200}
    assert set(waits.slow) == set(answered.items()), "and nobody is turned away for it"
