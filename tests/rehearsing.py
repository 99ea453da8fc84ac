"""The rehearsal of deploy/ (marked `rehearsal`) takes minutes and runs when asked for: `make check-deploy`."""

import pytest
from not_tested import leave_out


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rehearsal: carries out what deploy/ says, and only with -m rehearsal")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "rehearsal" in config.option.markexpr:
        return
    out = [item for item in items if item.get_closest_marker("rehearsal")]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
        leave_out(config, f"The steps of deploy/Dockerfile, {len(out)} tests; make check-deploy runs them.")
