"""What takes long (marked `slow`: kills at every point, faults under load) runs when asked for: `make test-slow`.

Whatever has a short form has it in `make test`, unmarked. What is marked says its own time-out where it needs one.
"""

import pytest
from not_tested import only_when_asked

at_every_point = pytest.mark.parametrize(
    "stride", [10, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
"""For kills: each point is tried where there is time, and every tenth one in `make test`."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes long, and runs only with -m slow")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only_when_asked(config, items, "slow", "What takes long, {count} tests; make test-slow runs them.")
