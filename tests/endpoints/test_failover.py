"""A primary is lost, and its replica lags behind: what it never heard of is unknown, and unknown is never theft.

The same holds after a restore from a backup. The bridge runs on, and its database is as it was some minutes ago.
"""

from collections.abc import Callable

import pytest
from browsing import WEB, Browser, answered
from conftest import OFFLINE, Bridge, refusal
from databases import Databases

pytestmark = pytest.mark.only_postgresql

CLOSED = "SELECT count(*) FROM grants WHERE closed_at IS NOT NULL"
UNKNOWN = (400, "invalid_grant", "refresh_token_invalid")
MINUTES = 300  # seconds, longer than any grace


@pytest.fixture
def fall_back(bridge: Bridge, postgresql: Databases) -> Callable[[], Callable[[], None]]:
    """Called, it says what the replica has; what it answers, called later, makes that the database."""
    url = bridge.config.database_url

    def replicate() -> Callable[[], None]:
        bridge.http.application.extensions["bridge"].database.close()
        bridge.database.close()
        replica = postgresql.copy(url)
        return lambda: postgresql.put_in_place(replica, of=url)

    return replicate


@pytest.mark.parametrize("strict", [{}, {"refresh_grace": 0, "refresh_retry_ttl": 0}])
def test_a_refresh_token_that_the_replica_never_heard_of_is_unknown_and_its_family_lives_on(
    bridge: Bridge, fall_back: Callable[[], Callable[[], None]], strict: dict[str, int]
) -> None:
    bridge.add_client(**OFFLINE, **strict)
    first = bridge.keep()
    second = bridge.refresh(first).json["refresh_token"]
    fail_over = fall_back()
    bridge.clock.forward(MINUTES)
    third = bridge.refresh(second).json["refresh_token"]
    bridge.clock.forward(MINUTES)
    fourth = bridge.refresh(third).json["refresh_token"]
    fail_over()
    for newer in (third, fourth, fourth, third):
        assert refusal(bridge.refresh(newer)) == UNKNOWN
    assert bridge.rows(CLOSED) == [(0,)]
    # Who still has the one that was the newest then goes on with it, though it was spent since.
    again = bridge.refresh(second)
    assert again.status_code == 200
    assert bridge.refresh(again.json["refresh_token"]).status_code == 200
    assert refusal(bridge.refresh(fourth)) == UNKNOWN
    assert bridge.rows(CLOSED) == [(0,)]


def test_a_grant_that_the_replica_never_heard_of_is_unknown_in_all_its_tokens(
    bridge: Bridge, fall_back: Callable[[], Callable[[], None]]
) -> None:
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    old = bridge.keep(user)
    fail_over = fall_back()
    tokens = bridge.exchange(bridge.assertion(user), scope="openid offline_access").json
    fail_over()
    assert refusal(bridge.refresh(tokens["refresh_token"])) == UNKNOWN
    assert bridge.userinfo(tokens["access_token"]).status_code == 401
    assert bridge.call("/introspect", tokens["access_token"]).json == {"active": False}
    assert bridge.call("/revoke", tokens["refresh_token"]).status_code == 200
    assert bridge.refresh(old).status_code == 200
    assert bridge.exchange(bridge.assertion(user), scope="openid offline_access").status_code == 200


def test_a_user_whom_the_replica_never_heard_of_is_the_same_at_their_next_sign_in(
    bridge: Bridge, fall_back: Callable[[], Callable[[], None]]
) -> None:
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    fail_over = fall_back()
    tokens = bridge.exchange(bridge.assertion(user)).json
    sub = bridge.userinfo(tokens["access_token"]).json["sub"]
    fail_over()
    assert bridge.userinfo(tokens["access_token"]).status_code in (200, 401)
    again = bridge.exchange(bridge.assertion(user)).json
    assert bridge.userinfo(again["access_token"]).json["sub"] == sub


def test_a_code_that_the_replica_never_heard_of_is_unknown_and_closes_nothing(
    bridge: Bridge, fall_back: Callable[[], Callable[[], None]]
) -> None:
    bridge.add_client(**WEB)
    browser = Browser(bridge)
    browser.tokens(bridge.user(), scope="openid offline_access")
    fail_over = fall_back()
    code = browser.sign_in(bridge.user(), scope="openid offline_access")["code"]
    fail_over()
    for _ in range(2):
        assert refusal(browser.redeem(code)) == (400, "invalid_grant", "code_invalid")
    assert bridge.rows(CLOSED) == [(0,)]


def test_a_code_whose_redemption_was_forgotten_is_redeemed_again_and_then_known_as_spent(
    bridge: Bridge, fall_back: Callable[[], Callable[[], None]]
) -> None:
    bridge.add_client(**WEB)
    browser = Browser(bridge)
    code = browser.sign_in(bridge.user(), scope="openid offline_access")["code"]
    fail_over = fall_back()
    forgotten = browser.redeem(code).json["refresh_token"]
    fail_over()
    assert refusal(bridge.refresh(forgotten)) == UNKNOWN
    assert browser.redeem(code).status_code == 200
    assert bridge.rows(CLOSED) == [(0,)]
    assert refusal(browser.redeem(code)) == (400, "invalid_grant", "code_reused")
    assert bridge.rows(CLOSED) == [(1,)]


def test_a_browser_whose_session_the_replica_never_heard_of_signs_in_anew(
    bridge: Bridge, fall_back: Callable[[], Callable[[], None]]
) -> None:
    bridge.add_client(**WEB)
    user, browser = bridge.user(), Browser(bridge)
    fail_over = fall_back()
    under_way = browser.authorize(scope="openid")
    other = Browser(bridge)
    other.tokens(user)
    fail_over()
    assert answered(other, prompt="none")["error"] == "login_required"
    lost = browser.hand_back(under_way, bridge.assertion(user))
    assert lost.status_code == 400, "the request that was under way is unknown too"
    for one in (browser, other):
        assert "code" in one.sign_in(user)


def test_a_revocation_that_the_replica_never_heard_of_is_undone_and_can_be_repeated(
    bridge: Bridge, fall_back: Callable[[], Callable[[], None]]
) -> None:
    """Why docs/operating.md has Dynamic's events told again after a restore."""
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    token = bridge.keep(user)
    fail_over = fall_back()
    bridge.disable(user)
    assert bridge.refresh(token).status_code == 400
    fail_over()
    assert bridge.refresh(token).status_code == 200
    bridge.disable(user)
    assert bridge.refresh(token).status_code == 400
