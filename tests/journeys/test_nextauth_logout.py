"""A browser is signed in at two apps of examples/nextauth, and what ends the session elsewhere ends it at both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
import requests
from browser.chromium import Chromium, running_chromium
from nextauth_visits import COOKIE, Place, need, wait_until
from test_nextauth import Stage

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]  # the app may have to be built first


@dataclass
class Desk:
    """One browser before both apps."""

    places: Mapping[str, Place]
    browser: Chromium

    def stage(self, strategy: str) -> Stage:
        place = self.places[strategy]
        provider = place.provider
        return Stage(provider.dynamic, provider.command, provider.issuer, place.app, self.browser, provider.user)

    def enter(self, strategy: str) -> str:
        """Sign in at the app, as the bridge's session lets one do without a form. The session's cookie.

        The other app's goes: a cookie of localhost goes to all its ports, and there is one of that name.
        """
        stage = self.stage(strategy)
        stage.settles()  # an answer that is late would set it anew
        self.browser.driver.delete_cookie(COOKIE)
        stage.open()
        stage.press("sign-in")
        stage.awaited("sign-out")
        return self.cookie()

    def cookie(self) -> str:
        return str(self.browser.driver.get_cookie(COOKIE)["value"])

    def is_signed_in(self, strategy: str, cookie: str) -> bool:
        """What the app says, asked by somebody else with the same cookie."""
        url = f"{self.places[strategy].app.url}/api/auth/session"
        return requests.get(url, cookies={COOKIE: cookie}, timeout=20).json() is not None


@pytest.fixture
def desk(nextauth_places: Mapping[str, Place], pytestconfig: pytest.Config) -> Iterator[Desk]:
    """The browser has signed in at the app with sessions in cookies, and shows its page."""
    need(pytestconfig, "browser")
    with running_chromium({}) as browser:
        made = Desk(nextauth_places, browser)
        made.stage("jwt").sign_in()
        yield made


def test_revoking_the_session_at_dynamic_ends_it_at_both_apps_with_nobody_doing_anything(desk: Desk) -> None:
    cookies = {"jwt": desk.cookie(), "database": desk.enter("database")}
    assert [desk.is_signed_in(*held) for held in cookies.items()] == [True, True]
    place = desk.places["database"]
    emulator = place.provider.dynamic.emulator
    session = emulator.management.sessions(place.provider.user.id)[-1]
    revoked = requests.post(f"{place.provider.dynamic.origin}/admin/sessions/{session.sid}/revoke", json={}, timeout=20)
    assert revoked.status_code == 200, revoked.text
    gone = "SELECT 1 FROM session WHERE sessionToken = ?"
    wait_until(lambda: place.rows(gone, cookies["database"]) == [], "the row is still there")
    for strategy, cookie in cookies.items():
        wait_until(lambda s=strategy, c=cookie: not desk.is_signed_in(s, c), f"{strategy} goes on")  # type: ignore[misc]
    desk.stage("database").open()
    assert desk.stage("database").text("sign-in")


@pytest.mark.parametrize(("here", "there"), [("jwt", "database"), ("database", "jwt")])
def test_signing_out_at_one_app_ends_the_session_at_the_other(desk: Desk, here: str, there: str) -> None:
    elsewhere = desk.enter(there)
    own = desk.enter(here)
    desk.stage(here).press("sign-out")
    desk.stage(here).awaited("sign-in")
    assert not desk.is_signed_in(here, own)
    wait_until(lambda: not desk.is_signed_in(there, elsewhere), "the other app goes on")
    desk.stage(there).open()
    desk.stage(there).press("sign-in")
    desk.stage(there).arrives(desk.stage(there).dynamic.signin_url)
