"""What several journeys begin with."""

from collections.abc import Iterator, Mapping

import pytest
from nextauth_visits import Place, need, running_places


@pytest.fixture(scope="session")
def nextauth_places(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Mapping[str, Place]]:
    """Both apps before one bridge, once for all tests that leave them as they were."""
    need(pytestconfig, "node")
    with running_places(tmp_path_factory.mktemp("nextauth")) as made:
        yield made
