"""A pytest plugin: `pytest_plugins = ["bridge.emulator.fixture"]` gives tests the fixture `dynamic`."""

from collections.abc import Iterator

import pytest

from bridge.emulator.server import RunningEmulator, run


@pytest.fixture
def dynamic() -> Iterator[RunningEmulator]:
    """A fresh environment on a free port, for this test alone. Set `dynamic.emulator.clock` to hold the time."""
    with run() as running:
        yield running
    running.emulator.release_keys()
