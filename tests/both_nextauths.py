"""The fixture `nextauth_places`: examples/nextauth twice, once for all files of journeys/ that leave it as it was."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def nextauth_places(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Any]:
    """Both apps, by their strategy, before one bridge (a Mapping[str, Place])."""
    from nextauth_visits import need, running_places  # in journeys/, which is known when a test there asks for this

    need(pytestconfig, "node")
    with running_places(tmp_path_factory.mktemp("nextauth")) as made:
        yield made
