"""session_expiry: the ID token says until when the sign-in is good, so that a relying party can end with us."""

from collections.abc import Callable
from typing import Any

import pytest
from browsing import WEB, Browser, answered
from conftest import OFFLINE, WEBHOOK_SECRET, Bridge, decoded

from bridge.model import TOKEN_EXCHANGE

DAY = 86400


@pytest.fixture
def heard(make_bridge: Callable[..., Bridge]) -> Bridge:
    """A bridge that hears of revocations, so that what it keeps may outlive Dynamic's JWT."""
    return make_bridge(DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET)


def expiry(bridge: Bridge, answer: Any) -> int:
    """In seconds from now."""
    return int(decoded(bridge, answer["id_token"])["session_expiry"]) - bridge.clock()


@pytest.mark.parametrize(("secrets", "wanted"), [("", 3600), (WEBHOOK_SECRET, 30 * DAY)])
def test_without_a_kept_grant_it_is_the_end_of_the_trust_in_the_assertion(
    make_bridge: Callable[..., Bridge], secrets: str, wanted: int
) -> None:
    site = make_bridge(DYNAMIC_WEBHOOK_SECRETS=secrets)
    site.add_client()
    assert expiry(site, site.exchange(site.assertion(lifetime=3600)).json) == wanted


def test_of_a_kept_grant_it_is_its_end_and_stays_so_at_each_refresh(heard: Bridge) -> None:
    heard.add_client(**OFFLINE, refresh_absolute_ttl=7 * DAY)
    answer = heard.exchange(heard.assertion(), scope="openid offline_access").json
    assert expiry(heard, answer) == 7 * DAY
    heard.clock.forward(DAY)
    assert expiry(heard, heard.refresh(answer["refresh_token"]).json) == 6 * DAY


def test_when_it_has_come_nothing_is_renewed_any_more(heard: Bridge) -> None:
    heard.add_client(**OFFLINE, refresh_absolute_ttl=7 * DAY)
    answer = heard.exchange(heard.assertion(), scope="openid offline_access").json
    heard.clock.forward(expiry(heard, answer) - 1)
    again = heard.refresh(answer["refresh_token"])
    assert again.status_code == 200
    assert expiry(heard, again.json) == 1
    heard.clock.forward(1)
    assert heard.refresh(again.json["refresh_token"]).json["error"] == "invalid_grant"


def test_of_a_code_it_is_the_end_of_the_browsers_session(make_bridge: Callable[..., Bridge]) -> None:
    site = make_bridge(DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET, BRIDGE_SESSION_ABSOLUTE_TTL=str(3 * DAY))
    site.add_client(**WEB)
    browser = Browser(site)
    assert expiry(site, browser.tokens(site.user(), scope="openid")) == 3 * DAY
    site.clock.forward(DAY // 2)
    later = browser.redeem(answered(browser, scope="openid", prompt="none")["code"]).json
    assert expiry(site, later) == 3 * DAY - DAY // 2, "a later code of the same session ends with it"


def test_no_user_claim_can_take_its_place(make_bridge: Callable[..., Bridge]) -> None:
    with pytest.raises(Exception, match="protocol claim"):
        make_bridge('[[claims]]\nsource = "metadata.x"\nclaim = "session_expiry"\n')


def test_it_is_announced_and_stands_in_no_access_token(bridge: Bridge) -> None:
    bridge.add_client(grants=(TOKEN_EXCHANGE,))
    discovery = bridge.http.get("/.well-known/openid-configuration").json
    assert "session_expiry" in discovery["claims_supported"]
    assert "session_expiry" not in decoded(bridge, bridge.exchange(bridge.assertion()).json["access_token"])
