"""The emulator's social provider in a browser: its page lets one in and out, and its policy is not in the way."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from browser.chromium import NARROW, PHONE, Chromium, Scheme
from sdk_page import EMAIL, Page, opened_page
from social_journey import Journey

from bridge.emulator import NewOAuth

pytestmark = pytest.mark.browser

ACCOUNT = NewOAuth("google", "42", display_name="Mira " * 30, emails=[f"{'long.' * 40}@example.com"])
UNDECIDED = {"color-contrast"}  # of the footer, which stands on a gradient


@pytest.fixture
def page() -> Iterator[Page]:
    with opened_page() as opened:
        yield opened


@pytest.fixture
def app() -> Iterator[Page]:
    """Another origin, at which a sign-in ends."""
    with opened_page() as opened:
        yield opened


def begin(chromium: Chromium, page: Page, app: Page) -> Journey:
    journey = Journey(page)
    journey.begin(f"{app.running.origin}/back?flow=1")
    chromium.open(f"{journey.settings()['baseAuthUrl']}?{urlencode(journey.query())}")
    return journey


def came_back(chromium: Chromium, app: Page) -> dict[str, list[str]]:
    from selenium.webdriver.support.ui import WebDriverWait

    there = f"{app.running.origin}/back?"
    WebDriverWait(chromium.driver, 10, 0.05).until(lambda driver: driver.current_url.startswith(there))
    return parse_qs(urlsplit(chromium.driver.current_url).query)


@pytest.mark.parametrize("run_scripts", [True, False])
def test_who_says_who_they_are_comes_back_with_a_code(
    chromium: Chromium, page: Page, app: Page, run_scripts: bool
) -> None:
    chromium.scripts(run=run_scripts)
    journey = begin(chromium, page, app)
    chromium.element("identity-email").send_keys(EMAIL)
    chromium.element("identity-name").send_keys("Demo")
    chromium.element("identity-submit").click()
    found = came_back(chromium, app)
    assert found["flow"] == ["1"]
    assert journey.finish(found["dynamicOauthCode"][0]).json()["user"]["email"] == EMAIL


def test_who_picks_an_account_comes_back_with_its_code(chromium: Chromium, page: Page, app: Page) -> None:
    user = page.emulator.create_user(credentials=[ACCOUNT])
    journey = begin(chromium, page, app)
    chromium.element("identity-account-1").click()
    assert journey.finish(came_back(chromium, app)["dynamicOauthCode"][0]).json()["user"]["id"] == user.id


def test_who_cancels_comes_back_with_none(chromium: Chromium, page: Page, app: Page) -> None:
    begin(chromium, page, app)
    chromium.element("identity-cancel").click()
    found = came_back(chromium, app)
    assert found["error"] == ["access_denied"]
    assert "dynamicOauthCode" not in found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [NARROW, PHONE])
def test_the_page_can_be_read_by_everybody(
    chromium: Chromium, page: Page, app: Page, size: tuple[int, int], scheme: Scheme
) -> None:
    page.emulator.create_user(credentials=[ACCOUNT])
    chromium.look(size, scheme)
    begin(chromium, page, app)
    found = chromium.accessibility()
    assert [rule["id"] for rule in found["violations"]] == []
    assert {rule["id"] for rule in found["incomplete"]} <= UNDECIDED
    assert chromium.tell("document.documentElement.scrollWidth") == size[0]
    assert chromium.complaints() == []
