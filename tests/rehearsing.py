"""The rehearsal of deploy/ (marked `rehearsal`) takes minutes and runs when asked for: `make check-deploy`."""

import pytest
from not_tested import only_when_asked


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rehearsal: carries out what deploy/ says, and only with -m rehearsal")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only_when_asked(
        config, items, "rehearsal", "The steps of deploy/Dockerfile, {count} tests; make check-deploy runs them."
    )
