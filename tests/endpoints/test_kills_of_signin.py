"""A kill between any two statements of a sign-in, of a code's redemption, or of what a user does on their own page.

Nothing stands half-written afterwards, and who sends the same again, or begins again, arrives. In `make test` every
fifth point is tried, by `make test-slow` each one.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from accounts import IPHONE, Person, at_the_operators, forms_of, forms_to, person
from browsing import CALLBACK, SIGNIN_ORIGIN, WEB, Browser, parameters
from conftest import Bridge
from killing import Answer, Visit, visit_with_kill
from sqlalchemy import make_url
from werkzeug.test import TestResponse

from bridge.model import AUTHORIZATION_CODE

EACH_POINT = pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(600)])

pytestmark = [pytest.mark.both_databases, pytest.mark.parametrize("stride", [5, EACH_POINT])]

ASKED = {"scope": "openid email offline_access"}

Told = tuple[Visit, Callable[[Answer | None], object]]
"""A request, and what its user does when the server that took it was killed, or answered."""


@dataclass
class Deaths:
    """How often the request was killed, and how it stood then."""

    bridge: Bridge
    stride: int
    killed: int = 0
    stood: Counter[Any] = field(default_factory=Counter)

    def everywhere(self, begin: Callable[[], Told], at_least: int) -> None:
        """Kill it at each point, each time anew; then let its user go on."""
        for at in count(1, self.stride):
            visit, go_on = begin()
            self._let_go()
            answer = visit_with_kill(self.bridge.config, self.bridge.clock(), visit, at)
            self.killed += answer is None
            check(self.bridge)
            go_on(answer)
            check(self.bridge)
            if answer is not None:
                break
        assert self.killed >= at_least // self.stride

    def _let_go(self) -> None:
        """Nobody else has the database open: after a kill it is recovered by who comes next."""
        self.bridge.http.application.extensions["bridge"].database.close()
        self.bridge.database.close()


def check(bridge: Bridge) -> None:
    """What holds whenever nobody is at work."""
    url = bridge.config.database_url
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    ended = Counter(row[0] for row in bridge.rows("SELECT grant_id FROM audit WHERE event = 'grant_closed'"))
    grants = bridge.rows("SELECT grant_id, closed_at FROM grants")
    assert ended == Counter(grant_id for grant_id, closed_at in grants if closed_at is not None)
    sessions = bridge.rows("SELECT session_id, closed_at FROM sessions")
    for event, expected in (("signed_in", len(sessions)), ("session_closed", sum(c is not None for _, c in sessions))):
        (entries,) = bridge.rows("SELECT count(*) FROM audit WHERE event = :event", event=event)[0]
        assert entries == expected, event
    codes = bridge.rows("SELECT grant_id, spent_at FROM codes")
    assert {grant_id for grant_id, _ in codes} == {grant_id for grant_id, _ in grants}, "no grant without its code"
    tokens = Counter(grant_id for (grant_id,) in bridge.rows("SELECT grant_id FROM refresh_tokens WHERE sequence = 0"))
    assert tokens == Counter(grant_id for grant_id, spent_at in codes if spent_at is not None), "spent for a token"


def sent(browser: Browser, method: str, path: str, form: dict[str, str] | None = None) -> Visit:
    """What the browser sends from a page of the bridge's own."""
    issuer = browser.bridge.config.issuer
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"Cookie": cookie, "User-Agent": browser.user_agent, **({"Origin": issuer} if method == "POST" else {})}
    return Visit(method, path.removeprefix(issuer), form or {}, headers)


def arrives(browser: Browser, answer: TestResponse) -> None:
    """With a code that is good."""
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(CALLBACK)
    assert browser.redeem(parameters(answer.headers["Location"])["code"]).status_code == 200


@pytest.fixture
def deaths(bridge: Bridge, stride: int) -> Deaths:
    bridge.add_client(**WEB)
    return Deaths(bridge, stride)


def test_what_a_sign_in_page_posted_to_a_killed_server_it_posts_again(bridge: Bridge, deaths: Deaths) -> None:
    def posted() -> Told:
        browser, assertion = Browser(bridge), bridge.assertion()
        request = parameters(browser.authorize(**ASKED).headers["Location"])["request"]
        form = {"request": request, "token": assertion}

        def again(answer: Answer | None) -> None:
            back = browser.post("/signin/complete", form, origin=SIGNIN_ORIGIN)
            arrives(browser, browser.follow(back))

        return Visit("POST", "/signin/complete", form, {"Origin": SIGNIN_ORIGIN}), again

    deaths.everywhere(posted, at_least=12)


def test_a_browser_whose_way_back_was_killed_arrives_or_signs_in_once_more(bridge: Bridge, deaths: Deaths) -> None:
    def on_its_way() -> Told:
        browser, user = Browser(bridge), bridge.user()
        request = parameters(browser.authorize(**ASKED).headers["Location"])["request"]
        form = {"request": request, "token": bridge.assertion(user)}
        back = browser.post("/signin/complete", form, origin=SIGNIN_ORIGIN).headers["Location"]
        visit = sent(browser, "GET", back)

        def again(answer: Answer | None) -> None:
            deaths.stood[answer is None, bridge.rows("SELECT count(*) FROM codes WHERE spent_at IS NULL")[0][0]] += 1
            answered = browser.follow(browser.get(visit.path))
            if not answered.headers["Location"].startswith(CALLBACK):  # the first one took the proof along
                answered = browser.hand_back(answered, bridge.assertion(user))
            arrives(browser, answered)

        return visit, again

    deaths.everywhere(on_its_way, at_least=12)
    assert deaths.stood[True, 0] >= 10 // deaths.stride
    assert deaths.stride > 1 or deaths.stood[True, 1] >= 1, "killed between the commit and the answer"


def test_a_code_that_a_killed_server_took_is_good_still_or_spent_and_what_came_of_it_closed(
    bridge: Bridge, deaths: Deaths
) -> None:
    def redeemed() -> Told:
        browser = Browser(bridge)
        form = {
            "grant_type": AUTHORIZATION_CODE,
            "code": browser.sign_in(bridge.user(), **ASKED)["code"],
            "redirect_uri": CALLBACK,
            "client_id": "app",
            "client_secret": bridge.secrets["app"],
        }

        def again(answer: Answer | None) -> None:
            if answer is not None:
                assert answer[0] == 200
                return
            second = browser.redeem(form["code"])
            deaths.stood[second.status_code] += 1
            if second.status_code == 200:
                assert bridge.refresh(second.json["refresh_token"]).status_code == 200
            else:
                assert second.json["error_uri"].endswith("code_reused")
                closed = bridge.rows("SELECT closed_cause FROM grants WHERE closed_at IS NOT NULL")
                assert closed == [("code_reused",)] * deaths.stood[400]

        return Visit("POST", "/token", form), again

    deaths.everywhere(redeemed, at_least=12)
    assert set(deaths.stood) <= {200, 400}
    assert deaths.stood[200] >= 10 // deaths.stride
    assert deaths.stride > 1 or deaths.stood[400] >= 1


# What a user does on their own page


@pytest.fixture
def site(make_bridge: Any) -> Bridge:
    return at_the_operators(make_bridge)


def is_over(bridge: Bridge, sub: str, *, of: int) -> bool:
    """Whether so many grants of the user are closed, all of them; never a part."""
    (closed,) = bridge.rows("SELECT count(*) FROM grants WHERE sub = :sub AND closed_at IS NOT NULL", sub=sub)[0]
    assert closed in (0, of)
    return bool(closed)


def begun(site: Bridge) -> tuple[Person, str]:
    """Somebody with their page open, signed in to an app on two devices."""
    user, mac, phone = site.user(), person(site), person(site, IPHONE)
    phone.open_app(user, scope="openid offline_access")
    mac.open_app(user, scope="openid offline_access")
    return mac, user.id


@pytest.mark.parametrize(("deed", "closes"), [("end", 1), ("disconnect", 2), ("everywhere", 2)])
def test_a_deed_that_was_killed_is_done_or_not_and_can_be_repeated(
    site: Bridge, stride: int, deed: str, closes: int
) -> None:
    deaths = Deaths(site, stride)

    def done() -> Told:
        mac, sub = begun(site)
        form = next(forms_to(mac.follow(mac.get("/account")), deed))

        def again(answer: Answer | None) -> None:
            over = is_over(site, sub, of=closes)
            assert over or answer is None
            deaths.stood[over] += answer is None
            mac.do(form)
            assert is_over(site, sub, of=closes)

        return sent(mac, "POST", "/account", form), again

    deaths.everywhere(done, at_least=14)
    assert deaths.stood[False] >= 12 // stride


def test_an_erasure_that_was_killed_has_erased_everything_or_nothing(site: Bridge, stride: int) -> None:
    deaths = Deaths(site, stride)

    def erased() -> Told:
        mac, sub = begun(site)
        form = forms_of(mac.follow(mac.get("/account/erase")))[0]
        form.pop("action")

        def again(answer: Answer | None) -> None:
            (claims,) = site.rows("SELECT claims FROM users WHERE sub = :sub", sub=sub)[0]
            over = is_over(site, sub, of=2)
            assert over == (claims == "{}")
            assert over or answer is None
            deaths.stood[over] += answer is None
            mac.post("/account/erase", form)
            assert is_over(site, sub, of=2)
            assert site.rows("SELECT claims FROM users WHERE sub = :sub", sub=sub) == [("{}",)]

        return sent(mac, "POST", "/account/erase", form), again

    deaths.everywhere(erased, at_least=14)
    assert deaths.stood[False] >= 12 // stride
