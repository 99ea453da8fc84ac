"""Sessions of examples/nextauth, in a cookie and in a database: what they tell, how they are renewed, when they end."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from nextauth_visits import COOKIE, STRATEGIES, Place, Visitor, wait_until
from provider import ADDRESS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]  # the app may have to be built first


@pytest.fixture(params=STRATEGIES)
def visitor(nextauth_places: Mapping[str, Place], request: pytest.FixtureRequest) -> Visitor:
    """Somebody who has signed in."""
    made = Visitor(nextauth_places[request.param])
    made.sign_in()
    return made


@pytest.fixture
def by_cookie(nextauth_places: Mapping[str, Place]) -> Visitor:
    made = Visitor(nextauth_places["jwt"])
    made.sign_in()
    return made


@pytest.fixture
def by_row(nextauth_places: Mapping[str, Place]) -> Visitor:
    made = Visitor(nextauth_places["database"])
    made.sign_in()
    return made


def test_the_session_tells_the_browser_who_the_user_is_and_no_token(visitor: Visitor) -> None:
    session = visitor.session()
    del session["expires"]
    sub = visitor.place.provider.user.id
    assert session == {"user": {"name": "Demo", "email": "demo@example.com", "id": sub}, "wallet": ADDRESS}


def test_the_user_has_one_row_under_the_id_that_the_bridge_knows(by_row: Visitor) -> None:
    by_row.begin_sign_in()  # the bridge still knows who it is, and NextAuth that somebody is signed in
    place = by_row.place
    sub = place.provider.user.id
    assert place.rows("SELECT email FROM user WHERE id = ?", sub) == [("demo@example.com",)]
    assert place.rows("SELECT userId, refresh_token, access_token, id_token FROM account WHERE userId = ?", sub) == [
        (sub, None, None, None)
    ]


def test_the_session_ends_when_the_one_at_the_bridge_does(nextauth_places: Mapping[str, Place]) -> None:
    visitors = [Visitor(place) for place in nextauth_places.values()]
    ends = [sign_in_for(8, visitor) for visitor in visitors]
    for visitor, end in zip(visitors, ends, strict=True):
        told = visitor.session()
        assert datetime.fromisoformat(told["expires"]).timestamp() == end
    cookie = visitors[-1].cookie  # each use would put off the end of a row, if NextAuth had its way
    assert visitors[-1].place.rows("SELECT expires FROM session WHERE sessionToken = ?", cookie) == [(ends[-1] * 1000,)]
    for visitor, end in zip(visitors, ends, strict=True):
        wait_until(lambda visitor=visitor: visitor.session() is None, "the session goes on")  # type: ignore[misc]
        assert time.time() >= end


def sign_in_for(seconds: int, visitor: Visitor) -> int:
    """Sign in with a session at Dynamic that lives so long. When it ends."""
    provider, end = visitor.place.provider, int(time.time()) + seconds
    visitor.begin_sign_in()
    page = visitor.surfer.page.url
    request = parse_qs(urlsplit(page).query)["request"][0]
    world = provider.dynamic.emulator
    session = world.sign_in(provider.user.id, origin=provider.dynamic.origin)
    token = world.mint(session, claims={"exp": end, "refreshExp": end})
    visitor.surfer.post(f"{provider.issuer}/signin/complete", {"request": request, "token": token})
    return end


def test_five_renewals_at_once_all_succeed_and_any_of_their_cookies_goes_on(by_cookie: Visitor) -> None:
    before = by_cookie.renewals()
    with ThreadPoolExecutor(5) as pool:
        answers = [future.result() for future in [pool.submit(by_cookie.update) for _ in range(5)]]
    assert by_cookie.renewals() >= before + 5
    for session, cookie in answers:
        assert session["user"]["id"] == by_cookie.place.provider.user.id
        assert cookie is not None
        by_cookie.put_back(cookie)  # whichever the browser kept
        assert by_cookie.update()[0] == session


def test_who_comes_back_ten_minutes_later_with_the_token_before_goes_on(by_cookie: Visitor) -> None:
    before = by_cookie.cookie
    assert by_cookie.update()[0] is not None  # the answer is lost, and with it the new token
    assert by_cookie.cookie == before
    by_cookie.place.age_spent_tokens(600)
    session, cookie = by_cookie.update()
    assert session["user"]["id"] == by_cookie.place.provider.user.id
    assert cookie is not None
    by_cookie.put_back(cookie)
    assert by_cookie.update()[0] == session


def test_sessions_in_the_database_are_renewed_too_five_times_at_once(by_row: Visitor) -> None:
    place, cookie, before = by_row.place, by_row.cookie, by_row.renewals()
    (old,) = place.rows("SELECT refreshToken FROM session WHERE sessionToken = ?", cookie)
    place.rows("UPDATE session SET renewAt = 0 WHERE sessionToken = ?", cookie)

    def read() -> Any:
        return requests.get(f"{place.app.url}/api/auth/session", cookies={COOKIE: cookie}, timeout=20).json()

    with ThreadPoolExecutor(5) as pool:
        sessions = [future.result() for future in [pool.submit(read) for _ in range(5)]]
    assert [session["user"]["id"] for session in sessions] == [place.provider.user.id] * 5
    assert by_row.renewals() > before
    assert place.rows("SELECT refreshToken FROM session WHERE sessionToken = ? AND renewAt > 0", cookie) not in (
        [],
        [old],
    )


def test_a_session_in_the_database_whose_grant_is_closed_ends_at_its_renewal(by_row: Visitor) -> None:
    place, cookie = by_row.place, by_row.cookie
    ((token,),) = place.rows("SELECT refreshToken FROM session WHERE sessionToken = ?", cookie)
    client = {"client_id": "database", "client_secret": place.settings["AUTH_DYNAMIC_SECRET"]}
    assert requests.post(f"{place.provider.issuer}/revoke", {**client, "token": token}, timeout=20).status_code == 200
    assert by_row.session() is not None
    place.rows("UPDATE session SET renewAt = 0 WHERE sessionToken = ?", cookie)
    assert by_row.session() is None
    assert place.rows("SELECT 1 FROM session WHERE sessionToken = ?", cookie) == []


def test_a_session_that_cannot_be_stored_leaves_no_token_in_the_log(by_row: Visitor) -> None:
    place, cookie = by_row.place, by_row.cookie
    place.rows("UPDATE session SET renewAt = 0 WHERE sessionToken = ?", cookie)
    for what in ("UPDATE", "INSERT"):
        place.rows(f"CREATE TRIGGER no_{what} BEFORE {what} ON session BEGIN SELECT RAISE(ABORT, 'full'); END")
    try:
        assert by_row.session() is None
        Visitor(place).fail_to_sign_in()
    finally:
        for what in ("UPDATE", "INSERT"):
            place.rows(f"DROP TRIGGER no_{what}")
    log = place.app.log.read_text(encoding="utf-8")
    assert log.count("The session could not be stored.") >= 2
    assert "eyJ" not in log  # how any JWT begins
    assert by_row.session() is not None  # the next access tries again


def test_who_signed_out_stays_out_whatever_sets_the_cookie_again(visitor: Visitor) -> None:
    cookie = visitor.cookie
    visitor.sign_out()
    visitor.put_back(cookie)
    assert visitor.session() is None


def test_who_signed_out_of_the_app_alone_can_sign_in_by_the_same_session(visitor: Visitor) -> None:
    sid = visitor.sid()
    visitor.sign_out()
    assert visitor.session() is None

    def signed_in() -> bool:
        visitor.begin_sign_in()
        return visitor.session() is not None

    wait_until(signed_in, "no session")  # a sign-in of the same second is taken for the one that was ended
    assert visitor.sid() == sid


def test_a_new_sign_in_takes_the_place_of_the_session_before_it(by_row: Visitor) -> None:
    first = by_row.cookie
    by_row.begin_sign_in()
    assert by_row.cookie != first
    assert by_row.place.rows("SELECT 1 FROM session WHERE sessionToken = ?", first) == []
    assert by_row.session() is not None
