"""People sign in on the bridge's own page: Dynamic's real SDK in a browser, against the emulator."""

from collections.abc import Iterator
from pathlib import Path

import nextauth_app
import pytest
from browser import chromium
from browser.chromium import Chromium, running_chromium
from not_tested import REQUIRE, is_required, leave_out
from own_page import EMAIL, Stage, running_stage

from bridge.emulator.switches import Switches

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]  # the page may have to be built first


@pytest.fixture(scope="module")
def window(pytestconfig: pytest.Config) -> Iterator[Chromium]:
    for what, problem in (("browser", chromium.missing()), ("node", nextauth_app.missing())):
        if problem is not None:
            if is_required(what):
                pytest.fail(f"{problem}, and {REQUIRE} asks for it")
            leave_out(pytestconfig, f"The bridge's own sign-in page: {problem}.")
            pytest.skip(problem)
    with running_chromium({}) as running:
        yield running


@pytest.fixture(scope="module")
def running(window: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("bridge"), window) as stage:
        yield stage


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    """The stage as it was at the beginning. Whatever a page did against its policy, or tried elsewhere, fails a test."""
    running.browser.look()
    running.browser.driver.get("about:blank")
    running.forget()
    running.complaints()
    running.dynamic.emulator.switches = Switches()
    running.dynamic.emulator.faults.clear()
    running.dynamic.emulator.clear_requests()
    running.arrived.clear()
    yield running
    assert running.complaints() == []


def test_a_code_by_email_ends_at_the_app(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email()
    claims = stage.claims()
    assert claims["email"] == EMAIL
    assert claims["email_verified"] is True
