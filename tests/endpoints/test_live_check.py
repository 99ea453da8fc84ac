"""The live check: Dynamic is asked whether a session goes on, before a refresh and before silent use of a browser's."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
from accounts import OPERATORS_PAGE, person
from browsing import SIGNIN_ORIGIN, WEB, Browser, answered, ids_of, parameters
from conftest import APP_ORIGIN, OFFLINE, Bridge, refusal

from bridge.app import create_app
from bridge.dynamic.allowance import BURST, Allowance
from bridge.dynamic.live import examine_live_check
from bridge.emulator import Session, User
from bridge.fetch import MAX_BODY_BYTES, Fetcher

ENDED = (400, "invalid_grant", "grant_ended")
AWAY = (503, "temporarily_unavailable", "live_check_unavailable")
SESSIONS = "/users"


@pytest.fixture
def checking(make_bridge: Callable[..., Bridge]) -> Callable[..., Bridge]:
    """Makes a bridge that asks, in the given mode."""

    def make(mode: str = "closed", **settings: str) -> Bridge:
        dynamic = {"DYNAMIC_LIVE_CHECK": mode, "DYNAMIC_API_TOKEN": "dyn_" + "0" * 56}
        bridge = make_bridge(**{**dynamic, **settings})
        bridge.dynamic.emulator.api_token = dynamic["DYNAMIC_API_TOKEN"]
        bridge.add_client(**OFFLINE)
        return bridge

    return make


def signed_in(bridge: Bridge, user: User | None = None) -> tuple[Session, str]:
    """A session at Dynamic, and the refresh token of a grant that rests on it."""
    emulator = bridge.dynamic.emulator
    session = emulator.sign_in((user or bridge.user()).id, origin=APP_ORIGIN)
    answer = bridge.exchange(emulator.mint(session), scope="openid offline_access")
    return session, str(answer.json["refresh_token"])


def questions(bridge: Bridge) -> int:
    return bridge.dynamic.emulator.count("/users/")


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_a_session_that_lives_is_refreshed_and_asked_for_once_a_minute(
    checking: Callable[..., Bridge], mode: str
) -> None:
    bridge = checking(mode)
    _, token = signed_in(bridge)
    for _ in range(3):
        for _ in range(5):
            token = bridge.refresh(token).json["refresh_token"]
        bridge.clock.forward(60)
    assert questions(bridge) == 3


def test_the_answer_is_shared_by_all_instances(checking: Callable[..., Bridge]) -> None:
    bridge = checking()
    _, token = signed_in(bridge)
    assert bridge.refresh(token).status_code == 200
    other = create_app(bridge.config, bridge.clock)
    assert other.test_client().post("/token", data=form(bridge, token)).status_code == 200
    other.extensions["bridge"].close()
    assert questions(bridge) == 1


def form(bridge: Bridge, token: str) -> dict[str, str]:
    secret = bridge.secrets["app"]
    return {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app", "client_secret": secret}


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_what_dynamic_has_ended_ends_here_with_all_that_rests_on_it(checking: Callable[..., Bridge], mode: str) -> None:
    bridge = checking(mode)
    user = bridge.user()
    session, token = signed_in(bridge, user)
    beside = bridge.exchange(bridge.dynamic.emulator.mint(session), scope="openid").json
    _, other = signed_in(bridge, user)
    bridge.clock.forward(30)
    bridge.dynamic.emulator.revoke(session.sid)
    bridge.clock.forward(30)
    assert refusal(bridge.refresh(token)) == ENDED
    assert bridge.userinfo(beside["access_token"]).status_code == 401
    assert bridge.refresh(other).status_code == 200
    ((actor, cause, detail),) = bridge.rows(
        "SELECT actor, cause, detail FROM audit WHERE event = 'dynamic_session_ended'"
    )
    assert (actor, cause, json.loads(detail)["event"]) == ("dynamic", "dynamic_session_ended", "live_check")


def test_a_deleted_user_is_refused(checking: Callable[..., Bridge]) -> None:
    bridge = checking()
    user = bridge.user()
    _, token = signed_in(bridge, user)
    bridge.clock.forward(30)
    bridge.dynamic.emulator.management.delete_user(user.id)
    assert refusal(bridge.refresh(token)) == ENDED


def test_a_session_that_a_refresh_at_dynamic_replaced_goes_on_under_its_new_sid(
    checking: Callable[..., Bridge],
) -> None:
    bridge = checking()
    emulator = bridge.dynamic.emulator
    session, token = signed_in(bridge)
    for _ in range(3):
        bridge.clock.forward(600)
        session = emulator.refresh(session.sid)
        bridge.clock.forward(600)
        answer = bridge.refresh(token)
        assert answer.status_code == 200, answer.json
        token = answer.json["refresh_token"]
    bridge.clock.forward(60)
    emulator.revoke(session.sid)
    assert refusal(bridge.refresh(token)) == ENDED


def test_the_newest_sid_that_came_is_asked_for(checking: Callable[..., Bridge]) -> None:
    bridge = checking()
    emulator = bridge.dynamic.emulator
    session, token = signed_in(bridge)
    bridge.clock.forward(600)
    newer = emulator.refresh(session.sid)
    assert bridge.exchange(emulator.mint(newer)).status_code == 200
    emulator.clear_requests()
    assert bridge.refresh(token).status_code == 200
    assert emulator.count(newer.sid) == 1
    assert emulator.count(session.sid) == 0


def test_another_session_of_the_same_user_is_no_successor(checking: Callable[..., Bridge]) -> None:
    bridge = checking()
    user = bridge.user()
    session, token = signed_in(bridge, user)
    bridge.clock.forward(600)
    _, other = signed_in(bridge, user)  # another device, at the very moment
    bridge.dynamic.emulator.revoke(session.sid)
    assert refusal(bridge.refresh(token)) == ENDED
    assert bridge.refresh(other).status_code == 200


@pytest.mark.parametrize(("mode", "wanted"), [("open", (200,)), ("closed", AWAY)])
@pytest.mark.parametrize("fault", ["down", "error", "garbage", "empty", "huge", "redirecting", "rate_limited"])
def test_without_an_answer_open_goes_on_and_closed_is_503_and_never_invalid_grant(
    checking: Callable[..., Bridge], mode: str, wanted: tuple[Any, ...], fault: str
) -> None:
    bridge = checking(mode)
    session, token = signed_in(bridge)
    bridge.clock.forward(60)
    bridge.dynamic.emulator.revoke(session.sid)
    bridge.dynamic.emulator.faults.set(SESSIONS, fault)
    answer = bridge.refresh(token)
    if mode == "open":
        assert answer.status_code == 200
        token = answer.json["refresh_token"]
    else:
        assert refusal(answer) == wanted
        assert int(answer.headers["Retry-After"]) > 0
    bridge.dynamic.emulator.faults.clear()
    bridge.clock.forward(60)
    assert refusal(bridge.refresh(token)) == ENDED


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_a_refused_api_token_says_nothing_of_the_session(checking: Callable[..., Bridge], mode: str) -> None:
    bridge = checking(mode)
    _, token = signed_in(bridge)
    bridge.dynamic.emulator.api_token = "dyn_another"
    answer = bridge.refresh(token)
    assert answer.status_code == 200 if mode == "open" else refusal(answer) == AWAY


def test_after_too_many_requests_dynamic_is_left_alone_as_long_as_it_says(checking: Callable[..., Bridge]) -> None:
    bridge = checking("open")
    user = bridge.user()
    tokens = [signed_in(bridge, user)[1] for _ in range(3)]
    bridge.dynamic.emulator.clear_requests()
    bridge.dynamic.emulator.faults.set(SESSIONS, "rate_limited", times=1)
    for token in tokens[:2]:
        assert bridge.refresh(token).status_code == 200
    bridge.clock.forward(6)  # its Retry-After is 7
    assert bridge.refresh(tokens[1]).status_code == 200
    assert questions(bridge) == 1
    bridge.clock.forward(1)
    assert bridge.refresh(tokens[2]).status_code == 200
    assert questions(bridge) == 2


def test_more_questions_than_dynamic_allows_are_not_asked(checking: Callable[..., Bridge]) -> None:
    bridge = checking("closed", BRIDGE_WORKERS=str(BURST // 2))  # each of so many may ask two at once
    user = bridge.user()
    tokens = [signed_in(bridge, user)[1] for _ in range(4)]
    answers = [bridge.refresh(token) for token in tokens]
    assert [answer.status_code for answer in answers] == [200, 200, 503, 503]
    assert questions(bridge) == 2
    bridge.clock.forward(15)
    assert bridge.refresh(tokens[2]).status_code == 200


def test_an_allowance_is_filled_again_by_time_alone_and_never_over_its_brim() -> None:
    allowance = Allowance()
    taken = sum(allowance.take(1000) for _ in range(3 * BURST))
    assert taken == BURST
    assert sum(allowance.take(1030) for _ in range(3 * BURST)) == BURST
    assert not allowance.take(1000), "a clock that was set back"
    assert sum(allowance.take(1031) for _ in range(100)) <= BURST
    assert sum(allowance.take(10**6) for _ in range(3 * BURST)) == BURST


def test_many_refreshes_at_once_ask_once(checking: Callable[..., Bridge]) -> None:
    bridge = checking()
    _, token = signed_in(bridge)
    bridge.dynamic.emulator.faults.set(SESSIONS, "slow", delay=0.3)
    with ThreadPoolExecutor(5) as pool:
        app = bridge.http.application
        sent = [pool.submit(app.test_client().post, "/token", data=form(bridge, token)) for _ in range(5)]
        assert {answer.result().status_code for answer in sent} == {200}
    assert questions(bridge) == 1


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_a_slow_dynamic_leaves_everybody_else_alone(checking: Callable[..., Bridge], mode: str) -> None:
    bridge = checking(mode)
    user = bridge.user()
    held = [signed_in(bridge, user)[1] for _ in range(4)]
    bare = bridge.exchange(bridge.assertion(user)).json["access_token"]
    bridge.dynamic.emulator.faults.set(SESSIONS, "slow", delay=4)
    app = bridge.http.application

    def refreshed(token: str) -> tuple[int, float]:
        began = time.monotonic()
        status = app.test_client().post("/token", data=form(bridge, token)).status_code
        return status, time.monotonic() - began

    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(refreshed, token) for token in held]
        give_up_at = time.monotonic() + 10
        while not questions(bridge) and time.monotonic() < give_up_at:
            time.sleep(0.01)
        assert bridge.userinfo(bare).status_code == 200
        assert bridge.http.get("/readyz").status_code == 200
        assert not any(answer.done() for answer in waiting), "who asks nothing of Dynamic waits for nothing"
        for answer in waiting:
            status, took = answer.result()
            assert status == (200 if mode == "open" else 503)
            assert took < 4, "before Dynamic answers"
    asked = questions(bridge)
    assert refreshed(held[0])[0] == (200 if mode == "open" else 503)
    assert questions(bridge) == asked, "after one who waited in vain nobody else does"


@contextmanager
def standing_between(base_url: str, change: Callable[[str, Any], Any]) -> Iterator[str]:
    """A server in Dynamic's place that passes everything on, and changes what the API says of users and sessions."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/api/v0")
            sent = {name: value for name, value in self.headers.items() if name == "Authorization"}
            answer = requests.get(base_url + path, headers=sent, timeout=5)
            body = change(path, answer.json()) if "/users/" in path else answer.json()
            self.send_response(404 if body is None else answer.status_code)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v0"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("member", ["id", "userId", "both"])
def test_an_answer_about_somebody_elses_session_has_no_effect(
    checking: Callable[..., Bridge], dynamic: Any, member: str
) -> None:
    def swapped(path: str, document: Any) -> Any:
        changes = {"id": "00000000-0000-4000-8000-000000000001", "userId": "00000000-0000-4000-8000-000000000002"}
        chosen = {name: value for name, value in changes.items() if member in (name, "both")}
        return {**document, **chosen, "revokedAt": "2026-01-01T00:00:00.000Z"} if "/sessions/" in path else document

    with standing_between(dynamic.base_url, swapped) as url:
        bridge = checking("open", DYNAMIC_API_BASE_URL=url)
        _, token = signed_in(bridge)
        assert bridge.refresh(token).status_code == 200
        assert bridge.rows("SELECT ended_at, alive_at FROM upstream_sessions") == [(None, None)]


def test_another_users_sessions_end_nothing_and_keep_nothing_alive(
    checking: Callable[..., Bridge], dynamic: Any
) -> None:
    def swapped(path: str, document: Any) -> Any:
        if "/sessions/" in path:
            return document
        return {"user": {**document["user"], "id": "00000000-0000-4000-8000-000000000001"}}

    with standing_between(dynamic.base_url, swapped) as url:
        bridge = checking("closed", DYNAMIC_API_BASE_URL=url)
        session, token = signed_in(bridge)
        dynamic.emulator.revoke(session.sid)
        assert refusal(bridge.refresh(token)) == AWAY


def test_a_session_that_dynamic_does_not_know_any_more_has_ended(checking: Callable[..., Bridge], dynamic: Any) -> None:
    def forgotten(path: str, document: Any) -> Any:
        return None if "/sessions/" in path else {"user": {**document["user"], "sessions": []}}

    with standing_between(dynamic.base_url, forgotten) as url:
        bridge = checking("open", DYNAMIC_API_BASE_URL=url)
        _, token = signed_in(bridge)
        assert refusal(bridge.refresh(token)) == ENDED


def test_a_session_that_dynamic_has_forgotten_is_not_kept_alive_by_one_that_began_elsewhere_later(
    checking: Callable[..., Bridge], dynamic: Any
) -> None:
    def forgetful(path: str, document: Any) -> Any:
        if "/sessions/" in path:
            return None if document["revokedAt"] else document
        alive = [session for session in document["user"]["sessions"] if session["revokedAt"] is None]
        return {"user": {**document["user"], "sessions": alive}}

    with standing_between(dynamic.base_url, forgetful) as url:
        bridge = checking("open", DYNAMIC_API_BASE_URL=url)
        user = bridge.user()
        session, token = signed_in(bridge, user)
        token = bridge.refresh(token).json["refresh_token"]
        bridge.clock.forward(600)
        dynamic.emulator.revoke(session.sid)
        bridge.clock.forward(3600)
        dynamic.emulator.sign_in(user.id, origin="https://elsewhere.example.com")
        assert refusal(bridge.refresh(token)) == ENDED


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_a_revoked_session_ends_though_the_list_of_the_users_sessions_cannot_be_read(
    checking: Callable[..., Bridge], dynamic: Any, mode: str
) -> None:
    def endless(path: str, document: Any) -> Any:
        return document if "/sessions/" in path else {"user": document["user"], "more": "x" * MAX_BODY_BYTES}

    with standing_between(dynamic.base_url, endless) as url:
        bridge = checking(mode, DYNAMIC_API_BASE_URL=url)
        session, token = signed_in(bridge)
        dynamic.emulator.revoke(session.sid)
        if mode == "closed":
            assert refusal(bridge.refresh(token)) == AWAY, "a refresh at Dynamic may be under way"
        bridge.clock.forward(60)
        assert refusal(bridge.refresh(token)) == ENDED


def test_a_client_that_tries_again_and_again_uses_up_nobody_elses_questions(checking: Callable[..., Bridge]) -> None:
    bridge = checking("closed")
    user = bridge.user()
    _, token = signed_in(bridge, user)
    other = signed_in(bridge, user)[1]
    bridge.dynamic.emulator.faults.set(SESSIONS, "garbage")
    for _ in range(BURST + 5):
        assert refusal(bridge.refresh(token)) == AWAY
    assert questions(bridge) <= 2
    bridge.dynamic.emulator.faults.clear()
    assert bridge.refresh(other).status_code == 200
    bridge.clock.forward(60)
    assert bridge.refresh(token).status_code == 200


def test_what_became_known_while_dynamic_was_asked_is_newer_than_its_answer(
    checking: Callable[..., Bridge], dynamic: Any
) -> None:
    made: list[Bridge] = []
    newer: list[Session] = []

    def overtaken(path: str, document: Any) -> Any:
        if "/sessions/" in path:
            assert made[0].exchange(dynamic.emulator.mint(newer[0])).status_code == 200
        return {"user": {**document["user"], "sessions": []}} if "/sessions/" not in path else document

    with standing_between(dynamic.base_url, overtaken) as url:
        made.append(bridge := checking("closed", DYNAMIC_API_BASE_URL=url))
        session, token = signed_in(bridge)
        newer.append(dynamic.emulator.refresh(session.sid))
        assert bridge.refresh(token).status_code == 200
        assert bridge.rows("SELECT ended_at FROM upstream_sessions") == [(None,)]


# Silent use of a browser's session


@pytest.fixture
def web(checking: Callable[..., Bridge]) -> Callable[..., tuple[Bridge, Browser, Session]]:
    """A browser that is signed in at a bridge that asks."""

    def make(mode: str = "closed") -> tuple[Bridge, Browser, Session]:
        bridge = checking(mode)
        bridge.add_client("web", **WEB)
        browser = Browser(bridge)
        session = bridge.dynamic.emulator.sign_in(bridge.user().id, origin=SIGNIN_ORIGIN)
        browser.hand_back(browser.authorize("web"), bridge.dynamic.emulator.mint(session))
        return bridge, browser, session

    return make


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_silent_use_of_a_session_that_dynamic_has_ended_asks_for_sign_in(web: Callable[..., Any], mode: str) -> None:
    bridge, browser, session = web(mode)
    assert "code" in answered(browser, "web", prompt="none")
    bridge.dynamic.emulator.revoke(session.sid)
    assert "code" in answered(browser, "web", prompt="none"), "for a minute the last answer holds"
    bridge.clock.forward(60)
    assert answered(browser, "web", prompt="none")["error"] == "login_required"
    assert browser.authorize("web").headers["Location"].startswith(WEB["signin_url"])
    assert bridge.rows("SELECT closed_cause FROM sessions") == [("dynamic_session_ended",)]


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_silent_use_without_an_answer_goes_on_or_is_sent_back_for_later(web: Callable[..., Any], mode: str) -> None:
    bridge, browser, _ = web(mode)
    bridge.dynamic.emulator.faults.set(SESSIONS, "down")
    told = answered(browser, "web", prompt="none")
    if mode == "open":
        assert "code" in told
    else:
        assert told["error"] == "temporarily_unavailable"
        assert told["error_uri"].endswith("/live_check_unavailable")
        assert "state" in told
        again = browser.authorize("web", prompt="login")
        assert again.headers["Location"].startswith(WEB["signin_url"]), "a new sign-in needs no answer"
        back = browser.hand_back(again, bridge.assertion())
        assert "code" in parameters(back.headers["Location"])


def test_the_users_own_page_is_not_shown_to_a_session_that_dynamic_has_ended(checking: Callable[..., Bridge]) -> None:
    bridge = checking(BRIDGE_SIGNIN_URL=OPERATORS_PAGE)
    user, someone = bridge.user(), person(bridge)
    assert "account-title" in ids_of(someone.enter(user))
    bridge.clock.forward(60)
    bridge.dynamic.emulator.faults.set(SESSIONS, "down")
    assert someone.get("/account").status_code == 503
    bridge.dynamic.emulator.faults.clear()
    bridge.clock.forward(60)
    bridge.dynamic.emulator.management.revoke_sessions(user.id)
    assert someone.follow(someone.get("/account")).headers["Location"].startswith(OPERATORS_PAGE)


def test_off_asks_nothing(checking: Callable[..., Bridge]) -> None:
    bridge = checking("off")
    _, token = signed_in(bridge)
    assert bridge.refresh(token).status_code == 200
    assert questions(bridge) == 0


def test_with_the_live_check_on_a_grant_lives_as_long_as_its_session_at_dynamic(
    checking: Callable[..., Bridge],
) -> None:
    bridge = checking("open")
    _, token = signed_in(bridge)
    for _ in range(29):
        bridge.clock.forward(86400)
        answer = bridge.refresh(token)
        assert answer.status_code == 200, answer.json
        token = answer.json["refresh_token"]
    bridge.clock.forward(86400)
    assert refusal(bridge.refresh(token)) == ENDED


def test_whether_the_live_check_can_ask_is_found_out_before_it_matters(checking: Callable[..., Bridge]) -> None:
    bridge = checking()
    (environment,) = bridge.config.environments
    fetcher = Fetcher(development=True)
    try:
        assert [finding.level for finding in examine_live_check(environment, fetcher)] == ["ok"]
        assert not list(examine_live_check(replace(environment, live_check="off"), fetcher))
        bridge.dynamic.emulator.api_token = "dyn_another"
        (wrong,) = examine_live_check(environment, fetcher)
        assert wrong.level == "fault"
        assert "environment.users.read" in wrong.mend
    finally:
        fetcher.close()
