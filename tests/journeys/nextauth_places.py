"""The NextAuth examples, running: a fixture of its own, for a second conftest.py would take the first one's name."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest


@pytest.fixture(scope="session")
def nextauth_places(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Mapping[str, Any]]:
    """Both apps before one bridge, once for all tests that leave them as they were."""
    from nextauth_visits import need, running_places

    need(pytestconfig, "node")
    with running_places(tmp_path_factory.mktemp("nextauth")) as made:
        yield made
