"""The tests in a browser (marked `browser`) run when asked for: `make test-browser`. Otherwise the summary says so."""

from collections.abc import Iterator

import pytest
from browser.chromium import Chromium, missing, running_chromium
from browser.gallery import LOGOS, Gallery, running_gallery
from not_tested import REQUIRE, is_required, leave_out, only_when_asked


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: runs in Chromium, and only with -m browser")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only_when_asked(config, items, "browser", "The pages in a browser, {count} tests; make test-browser runs them.")


@pytest.fixture(scope="session")
def gallery() -> Iterator[Gallery]:
    """Every page, served on this machine."""
    with running_gallery() as running:
        yield running


@pytest.fixture(scope="session")
def the_chromium(gallery: Gallery, pytestconfig: pytest.Config) -> Iterator[Chromium]:
    if problem := missing():
        if is_required("browser"):
            pytest.fail(f"{problem}, and {REQUIRE} asks for it")
        leave_out(pytestconfig, f"The pages in a browser: {problem}.")
        pytest.skip(problem)
    with running_chromium({LOGOS: gallery.logos}) as running:
        yield running


@pytest.fixture
def chromium(the_chromium: Chromium, gallery: Gallery) -> Iterator[Chromium]:
    """A browser as it comes: a light desktop that runs scripts."""
    the_chromium.look()
    gallery.posted.clear()
    gallery.more.clear()
    yield the_chromium
    the_chromium.scripts(run=True)
