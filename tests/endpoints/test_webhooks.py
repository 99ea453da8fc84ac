"""What Dynamic's webhooks do here. Each event comes from the emulator, signed, to the endpoint."""

import hashlib
import hmac
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from browsing import WEB, Browser, answered
from conftest import ADDRESS, APP_ORIGIN, OFFLINE, WEBHOOK_SECRET, Bridge, refusal
from hooking import HEADER, Hooked, hook
from sqlalchemy import text

from bridge.dynamic.effects import EVENTS
from bridge.dynamic.management import DynamicSession
from bridge.emulator import NewEmail, NewOAuth, NewWallet, Session, User
from bridge.lifecycle.dynamic_sessions import goes_on_as
from bridge.lifecycle.endings import erase_user
from bridge.store import Database, upstream

SCOPES = ("openid", "profile", "email", "wallets", "offline_access")
CLIENT = {**OFFLINE, "scopes": SCOPES}
OTHER_ADDRESS = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"

both_databases = pytest.mark.both_databases


@pytest.fixture
def hooked(make_bridge: Callable[..., Bridge]) -> Hooked:
    """It has no API token."""
    made = hook(make_bridge)
    made.bridge.add_client(**CLIENT)
    return made


@pytest.fixture
def asking(make_bridge: Callable[..., Bridge], dynamic: Any) -> Hooked:
    """It has the API token."""
    made = hook(make_bridge, DYNAMIC_API_TOKEN=dynamic.emulator.api_token)
    made.bridge.add_client(**CLIENT)
    return made


@pytest.fixture
def user(hooked: Hooked) -> User:
    return a_user(hooked)


def a_user(hooked: Hooked, **profile: Any) -> User:
    made = hooked.bridge.user(**profile)
    hooked.send()
    return made


def signed(body: bytes, secret: str = WEBHOOK_SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def message(hooked: Hooked, name: str = "user.session.revoked", **members: Any) -> bytes:
    envelope = {
        "messageId": "m",
        "eventId": "e",
        "eventName": name,
        "timestamp": "2026-11-20T11:24:57.523Z",
        "environmentId": hooked.dynamic.environment_id,
        "data": {},
        **members,
    }
    return json.dumps({name: value for name, value in envelope.items() if value is not None}).encode()


def causes(hooked: Hooked, event: str) -> list[str]:
    return [row[0] for row in hooked.bridge.rows("SELECT cause FROM audit WHERE event = :event", event=event)]


# Sessions


def test_a_token_that_an_instance_signed_whose_clock_is_ahead_ends_with_its_session_too(
    hooked: Hooked, user: User
) -> None:
    session = hooked.sign_in(user)
    tokens = hooked.tokens(session, scope="openid")
    hooked.dynamic.revoke(session.sid)
    hooked.bridge.clock.now -= 1
    hooked.send()
    hooked.bridge.clock.now += 1
    assert not hooked.is_active(tokens)


def test_what_a_webhook_tells_of_an_erased_user_is_not_kept(hooked: Hooked, user: User) -> None:
    hooked.tokens(hooked.sign_in(user))
    hooked.bridge.clock.forward(60)
    with hooked.bridge.database.writing() as tx:
        erase_user(tx, user.id, actor="operator", now=hooked.bridge.clock())
    hooked.bridge.clock.forward(60)
    hooked.dynamic.update_user(user.id, alias="x")
    assert hooked.send()
    assert hooked.bridge.rows("SELECT claims FROM users") == [("{}",)]
    hooked.bridge.clock.forward(60)
    hooked.tokens(hooked.sign_in(user))
    assert hooked.bridge.rows("SELECT claims FROM users") != [("{}",)]


@both_databases
def test_a_session_revoked_at_dynamic_ends_everything_that_rested_on_it(hooked: Hooked, user: User) -> None:
    session = hooked.sign_in(user)
    kept, unkept = hooked.tokens(session), hooked.tokens(session, scope="openid")
    assert hooked.is_active(kept)
    assert hooked.is_active(unkept)
    hooked.bridge.clock.forward(60)
    hooked.dynamic.revoke(session.sid)
    assert hooked.send() == [200]
    assert refusal(hooked.bridge.refresh(kept["refresh_token"]))[:2] == (400, "invalid_grant")
    for tokens in (kept, unkept):
        assert not hooked.is_active(tokens)
        assert hooked.bridge.userinfo(tokens["access_token"]).status_code == 401
    assert causes(hooked, "grant_closed") == ["dynamic_session_ended"]


@both_databases
def test_a_browsers_session_ends_with_the_one_at_dynamic(hooked: Hooked, user: User) -> None:
    hooked.bridge.add_client("web", **WEB)
    browser, session = Browser(hooked.bridge), hooked.sign_in(user)
    browser.hand_back(browser.authorize("web"), hooked.dynamic.mint(session, origin=APP_ORIGIN))
    assert "code" in answered(browser, "web", prompt="none")
    hooked.bridge.clock.forward(60)
    hooked.dynamic.revoke(session.sid)
    hooked.send()
    assert answered(browser, "web", prompt="none")["error"] == "login_required"


@both_databases
def test_a_session_that_was_revoked_before_its_token_came_opens_nothing(hooked: Hooked, user: User) -> None:
    session = hooked.sign_in(user)
    token = hooked.dynamic.mint(session, origin=APP_ORIGIN)
    hooked.dynamic.revoke(session.sid)
    hooked.send()
    assert refusal(hooked.bridge.exchange(token)) == (400, "invalid_request", "session_ended")


@both_databases
def test_another_session_of_the_user_goes_on(hooked: Hooked, user: User) -> None:
    first, second = hooked.sign_in(user), hooked.sign_in(user)
    ended, kept = hooked.tokens(first), hooked.tokens(second)
    hooked.dynamic.revoke(first.sid)
    hooked.send()
    assert not hooked.refreshes(ended)
    assert hooked.refreshes(kept)
    assert hooked.is_active(kept)


def test_a_session_that_was_opened_when_another_ended_is_not_that_one_under_another_sid(asking: Hooked) -> None:
    user = a_user(asking)
    ended, kept = asking.sign_in(user), asking.sign_in(user)
    gone, going_on = asking.tokens(ended), asking.tokens(kept)
    asking.dynamic.revoke(ended.sid)
    asking.send()
    assert not asking.refreshes(gone)
    assert asking.refreshes(going_on)


def test_a_message_without_the_sessions_id_ends_every_session_of_the_user(hooked: Hooked, user: User) -> None:
    tokens = [hooked.tokens(hooked.sign_in(user)) for _ in range(2)]
    other = hooked.tokens(hooked.sign_in(a_user(hooked, email="other@example.com")))
    body = message(hooked, data={"userId": user.id, "revokedAt": later(hooked)}, timestamp=later(hooked))
    assert hooked.post(body, signed(body)).status_code == 200
    assert not any(hooked.refreshes(one) for one in tokens)
    assert hooked.refreshes(other)


def refreshed(hooked: Hooked, session: Session) -> Session:
    """The user's page refreshes at Dynamic, which tells of the old sid as revoked."""
    hooked.dynamic.switch(revokes_old_sid_on_refresh=True)
    return hooked.dynamic.refresh(session.sid)


@both_databases
def test_a_revoked_sid_that_a_newer_one_has_replaced_here_ends_nothing(hooked: Hooked, user: User) -> None:
    session = hooked.sign_in(user)
    tokens = hooked.tokens(session)
    hooked.bridge.clock.forward(3600)
    newer = refreshed(hooked, session)
    hooked.tokens(newer)
    old_token = hooked.dynamic.mint(session, origin=APP_ORIGIN)
    assert hooked.send() == [200]
    assert hooked.refreshes(tokens)
    assert refusal(hooked.bridge.exchange(old_token))[2] == "session_ended"
    assert hooked.bridge.exchange(hooked.dynamic.mint(newer, origin=APP_ORIGIN)).status_code == 200


@both_databases
@pytest.mark.parametrize("pause", [3600, 0])
def test_a_revoked_sid_of_which_dynamic_says_that_it_goes_on_ends_nothing(asking: Hooked, pause: int) -> None:
    session = asking.sign_in(a_user(asking))
    tokens = asking.tokens(session)
    for _ in range(5):
        asking.bridge.clock.forward(pause)
        session = refreshed(asking, session)  # and the page does not hand the new token over
        assert asking.send() == [200]
        tokens = asking.renewed(tokens)
        assert asking.is_active(tokens)
    asking.bridge.clock.forward(60)
    asking.dynamic.revoke(session.sid)
    asking.send()
    assert not asking.refreshes(tokens)
    assert not asking.is_active(tokens)


def test_a_sid_that_dynamic_named_as_the_next_ends_the_session_though_dynamic_answers_no_more(asking: Hooked) -> None:
    session = asking.sign_in(a_user(asking))
    tokens = asking.tokens(session)
    asking.bridge.clock.forward(3600)
    newer = refreshed(asking, session)
    asking.send()
    asking.bridge.clock.forward(3600)
    asking.dynamic.faults.set("/environments", "down")
    asking.dynamic.revoke(newer.sid)
    assert asking.send() == [200]
    assert not asking.refreshes(tokens)


@both_databases
@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_of_two_sids_of_one_second_the_one_that_has_not_ended_is_the_newest(
    hooked: Hooked, first: str, second: str
) -> None:
    with hooked.bridge.database.writing() as tx:
        for sid in (first, second):
            upstream.succeed(tx, "e", sid, "key", 1000, kept_until=2000)
        upstream.end_sid(tx, "e", first, "key", 1000, kept_until=2000)
        assert upstream.newest_sid(tx, "e", "key") == second


@pytest.mark.parametrize("apart", [0, 1, 2])
def test_what_a_refresh_issued_when_it_revoked_the_old_sid_opens_the_session_again(hooked: Hooked, apart: int) -> None:
    session = hooked.sign_in(a_user(hooked))
    tokens = hooked.tokens(session)
    hooked.bridge.clock.forward(3600)
    newer = refreshed(hooked, session)
    assert hooked.send() == [200]
    assert not hooked.refreshes(tokens)  # nobody could tell that it goes on
    issued_at = hooked.bridge.clock() - apart
    token = hooked.dynamic.mint(newer, origin=APP_ORIGIN, issued_at=issued_at)
    answer = hooked.bridge.exchange(token, scope="openid offline_access")
    assert answer.status_code == 200, answer.json
    assert hooked.refreshes(answer.json)


@both_databases
def test_an_unknown_sid_ends_the_session_that_dynamic_had_renewed_silently(asking: Hooked) -> None:
    user = a_user(asking)
    session, elsewhere = asking.sign_in(user), asking.sign_in(user)
    tokens, others = asking.tokens(session), asking.tokens(elsewhere)
    asking.bridge.clock.forward(3600)
    newer = asking.dynamic.refresh(session.sid)
    asking.bridge.clock.forward(3600)
    asking.dynamic.revoke(newer.sid)
    assert asking.send() == [200]
    assert not asking.refreshes(tokens)
    assert asking.refreshes(others)


def test_without_an_api_token_an_unknown_sid_throws_nobody_out(hooked: Hooked, user: User) -> None:
    tokens = hooked.tokens(hooked.sign_in(user))
    hooked.dynamic.revoke(hooked.sign_in(user).sid)
    assert hooked.send() == [200]
    assert hooked.refreshes(tokens)


def test_a_dynamic_that_does_not_answer_leaves_a_revocation_what_it_is(asking: Hooked) -> None:
    session = asking.sign_in(a_user(asking))
    tokens = asking.tokens(session)
    asking.dynamic.faults.set("/environments", "down")
    asking.dynamic.revoke(session.sid)
    assert asking.send() == [200]
    assert not asking.refreshes(tokens)


@both_databases
def test_an_admin_ends_a_session_though_it_goes_on_under_a_newer_sid(asking: Hooked) -> None:
    session = asking.sign_in(a_user(asking))
    tokens = asking.tokens(session)
    asking.bridge.clock.forward(3600)
    asking.tokens(asking.dynamic.refresh(session.sid))
    body = message(asking, "admin.user.session.revoked", data={"id": session.sid}, timestamp=later(asking))
    assert asking.post(body, signed(body)).status_code == 200
    assert not asking.refreshes(tokens)
    assert causes(asking, "grant_closed") == ["dynamic_session_ended"] * 2


def test_an_admins_unknown_sid_ends_all_of_the_user_if_nobody_can_tell_which_it_was(hooked: Hooked) -> None:
    user = a_user(hooked)
    tokens, other = hooked.tokens(hooked.sign_in(user)), hooked.tokens(hooked.sign_in(a_user(hooked, email="o@x.org")))
    hooked.dynamic.management.revoke_session(hooked.sign_in(user).sid)
    assert hooked.send() == [200]
    assert not hooked.refreshes(tokens)
    assert hooked.refreshes(other)


def test_an_admin_who_ends_all_sessions_of_a_user_ends_them_here(asking: Hooked) -> None:
    user = a_user(asking)
    tokens = [asking.tokens(asking.sign_in(user)) for _ in range(3)]
    asking.dynamic.management.revoke_sessions(user.id)
    asking.send(reverse=True)
    assert not any(asking.refreshes(one) for one in tokens)


def later(hooked: Hooked) -> str:
    hooked.bridge.clock.forward(10)
    event = hooked.dynamic.management.events()[-1]
    return str(replace(event, at=hooked.bridge.clock()).envelope("")["timestamp"])


ALIVE = DynamicSession("alive", 1000, None)


@pytest.mark.parametrize(
    ("sessions", "others", "goes_on"),
    [
        ([], (), None),
        ([DynamicSession("s", 0, None)], (), "s"),
        ([DynamicSession("s", 0, 1000)], (), None),
        ([DynamicSession("s", 0, 1000), ALIVE], (), "alive"),
        ([DynamicSession("s", 0, 1002), ALIVE], (), "alive"),
        ([DynamicSession("s", 0, 1003), ALIVE], (), None),
        ([DynamicSession("s", 0, 997), ALIVE], (), None),
        ([DynamicSession("s", 0, 1000), ALIVE], ("alive",), None),
        ([DynamicSession("s", 0, 500), DynamicSession("t", 501, 1000), ALIVE], (), "alive"),
        ([DynamicSession("s", 0, 500), DynamicSession("t", 500, 500), DynamicSession("u", 500, 500)], (), None),
        ([ALIVE], (), None),
        ([ALIVE], ("alive",), None),
        ([DynamicSession("s", 0, 1000), DynamicSession("alive", None, None)], (), None),
    ],
)
def test_a_session_goes_on_under_a_sid_that_was_opened_when_it_was_revoked(
    sessions: list[DynamicSession], others: tuple[str, ...], goes_on: str | None
) -> None:
    assert goes_on_as("s", sessions, others) == goes_on


@pytest.mark.parametrize(
    ("began", "goes_on"), [(range(998, 1061), "alive"), (range(900, 1000), None), (range(1001, 1061), None)]
)
def test_an_unlisted_session_goes_on_under_no_sid_but_one_that_began_when_it_may_have_ended(
    began: range, goes_on: str | None
) -> None:
    assert goes_on_as("s", [ALIVE], (), began=began) == goes_on
    assert goes_on_as("s", [ALIVE], ("alive",), began=began) is None
    assert goes_on_as("s", [replace(ALIVE, revoked_at=1000)], (), began=began) is None


# Sids that were taken for another session's next


@both_databases
@pytest.mark.parametrize("by_admin", [True, False])
def test_who_signed_out_and_in_again_at_once_has_a_new_session_that_can_be_ended(
    asking: Hooked, by_admin: bool
) -> None:
    user = a_user(asking)
    first = asking.sign_in(user)
    before = asking.tokens(first)
    asking.bridge.clock.forward(600)
    asking.dynamic.revoke(first.sid)
    asking.bridge.clock.forward(1)
    second = asking.dynamic.sign_in(user.id, origin=APP_ORIGIN)
    asking.send()  # by now the second may be the first under another sid
    kept, unkept = asking.tokens(second), asking.tokens(second, scope="openid")
    assert not asking.refreshes(before), "the second is a session of its own, so the first has ended"
    assert asking.is_active(unkept)
    kept = asking.renewed(kept)
    asking.bridge.clock.forward(300)
    (asking.dynamic.management.revoke_session if by_admin else asking.dynamic.revoke)(second.sid)
    assert set(asking.send()) == {200}
    assert not asking.refreshes(kept)
    assert not asking.is_active(unkept)


def test_a_token_that_was_refreshed_just_before_its_user_signed_out_opens_nothing(asking: Hooked) -> None:
    session = asking.sign_in(a_user(asking))
    tokens = asking.tokens(session)
    asking.bridge.clock.forward(600)
    middle = asking.dynamic.refresh(session.sid)
    token = asking.dynamic.mint(middle, origin=APP_ORIGIN)
    asking.bridge.clock.forward(1)
    newest = asking.dynamic.refresh(middle.sid)
    asking.tokens(newest)
    asking.bridge.clock.forward(1)
    asking.dynamic.revoke(newest.sid)
    asking.send()
    assert not asking.refreshes(tokens)
    assert refusal(asking.bridge.exchange(token))[2] == "session_ended"


@both_databases
def test_a_session_that_an_admin_ended_before_it_came_does_not_come_under_a_later_sid(hooked: Hooked) -> None:
    session = hooked.sign_in(a_user(hooked))
    hooked.bridge.clock.forward(60)
    token = hooked.dynamic.mint(hooked.dynamic.refresh(session.sid), origin=APP_ORIGIN)
    hooked.send()
    hooked.bridge.clock.forward(600)
    body = message(hooked, "admin.user.session.revoked", data={"id": session.sid}, timestamp=later(hooked))
    assert hooked.post(body, signed(body)).status_code == 200  # it does not tell whose it was
    assert refusal(hooked.bridge.exchange(token))[2] == "session_ended"


@both_databases
def test_a_message_that_comes_a_day_late_ends_no_session_that_began_since(hooked: Hooked) -> None:
    user = a_user(hooked)
    old, ended = hooked.sign_in(user), hooked.dynamic.sign_in(user.id, origin=APP_ORIGIN)
    gone = hooked.tokens(old)
    hooked.bridge.clock.forward(60)
    hooked.dynamic.management.revoke_session(ended.sid)
    hooked.bridge.clock.forward(86400)
    kept = hooked.tokens(hooked.dynamic.sign_in(user.id, origin=APP_ORIGIN))
    hooked.send()
    assert hooked.refreshes(kept)
    assert not hooked.refreshes(gone)


def test_a_revocation_of_unknown_form_ends_nothing_of_who_did_it(hooked: Hooked, user: User) -> None:
    tokens = hooked.tokens(hooked.sign_in(user))
    for data in ({}, {"sessionId": "x"}, {"id": ["x"]}):
        body = message(hooked, data=data, userId=user.id, timestamp=later(hooked), eventId=f"e{len(str(data))}")
        assert hooked.post(body, signed(body)).status_code == 200
    assert hooked.is_active(tokens)
    assert hooked.refreshes(tokens)


# Users


@both_databases
def test_a_deleted_user_is_over_here_and_nothing_brings_them_back(hooked: Hooked, user: User) -> None:
    session = hooked.sign_in(user)
    tokens, assertion = hooked.tokens(session), hooked.dynamic.mint(session, origin=APP_ORIGIN, lifetime=30 * 86400)
    hooked.dynamic.update_user(user.id, given_name="Later")
    hooked.dynamic.management.delete_user(user.id)
    assert hooked.send(reverse=True) == [200, 200]  # the change comes after the end
    assert not hooked.refreshes(tokens)
    assert not hooked.is_active(tokens)
    hooked.bridge.clock.forward(3600)
    assert refusal(hooked.bridge.exchange(assertion))[2] == "user_deleted"
    claims = hooked.bridge.rows("SELECT claims, deleted_at IS NULL FROM users WHERE user_id = :id", id=user.id)
    assert [(told, bool(alive)) for told, alive in claims] == [("{}", False)]


@both_databases
def test_a_user_who_was_deleted_before_they_came_does_not_come(hooked: Hooked) -> None:
    user = hooked.bridge.user()
    assertion = hooked.bridge.assertion(user)
    hooked.dynamic.management.delete_user(user.id)
    assert set(hooked.send(reverse=True)) == {200}  # deleted, then its session, then created
    assert refusal(hooked.bridge.exchange(assertion))[2] == "user_deleted"


@both_databases
def test_a_merged_user_is_over_and_the_survivor_is_asked_about(asking: Hooked) -> None:
    gone, survivor = a_user(asking), a_user(asking, email="survivor@example.com", wallets=[])
    left, kept = asking.tokens(asking.sign_in(gone)), asking.tokens(asking.sign_in(survivor))
    asking.bridge.clock.forward(60)
    asking.dynamic.management.merge_users(gone.id, survivor.id)
    assert asking.send() == [200]
    assert not asking.refreshes(left)
    assert asking.claims(kept).get("wallet_address") is None
    assert owed(asking) == [survivor.id]
    deliver(asking)
    assert owed(asking) == []
    assert asking.claims(kept)["wallet_address"] == ADDRESS
    merged = asking.bridge.rows("SELECT merged_into FROM users WHERE user_id = :id", id=gone.id)
    assert merged == [(survivor.id,)]


def owed(hooked: Hooked) -> list[str]:
    """The users whom Dynamic has to be asked about."""
    rows = hooked.bridge.rows("SELECT receiver, facts FROM outbox WHERE kind = 'reread_user' ORDER BY id")
    assert {receiver for receiver, _ in rows} <= {hooked.dynamic.environment_id}
    return [json.loads(facts)["user_id"] for _, facts in rows]


def deliver(hooked: Hooked) -> None:
    parts = hooked.bridge.http.application.extensions["bridge"]
    parts.delivery(hooked.bridge.config, hooked.bridge.clock).run_due(hooked.bridge.clock())


@both_databases
def test_an_update_is_in_the_next_tokens_and_at_userinfo(hooked: Hooked, user: User) -> None:
    tokens = hooked.tokens(hooked.sign_in(user))
    hooked.bridge.clock.forward(60)
    hooked.dynamic.update_user(user.id, given_name="Mira", alias="m")
    assert hooked.send() == [200]
    claims = hooked.claims(tokens)
    assert (claims["given_name"], claims["nickname"]) == ("Mira", "m")
    assert (claims["email"], claims["wallet_address"]) == ("demo@example.com", ADDRESS)


@both_databases
def test_of_two_updates_the_later_one_counts_whichever_comes_first(hooked: Hooked, user: User) -> None:
    tokens = hooked.tokens(hooked.sign_in(user))
    for name in ("First", "Second"):
        hooked.bridge.clock.forward(60)
        hooked.dynamic.update_user(user.id, given_name=name)
    assert hooked.send(reverse=True, copies=2) == [200] * 4
    assert hooked.claims(tokens)["given_name"] == "Second"


def test_what_a_later_token_told_an_older_update_does_not_undo(hooked: Hooked, user: User) -> None:
    session = hooked.sign_in(user)
    hooked.tokens(session)
    hooked.dynamic.update_user(user.id, given_name="Old")
    hooked.bridge.clock.forward(60)
    hooked.dynamic.update_user(user.id, given_name="New")
    tokens = hooked.tokens(session)
    first, *_ = [m for m in hooked.dynamic.webhooks.messages() if m.next_at is not None]
    assert hooked.send(message_ids=[first.message_id]) == [200]
    assert hooked.claims(tokens)["given_name"] == "New"


def test_an_update_keeps_the_proven_address_that_the_user_signed_in_with(hooked: Hooked) -> None:
    user = a_user(
        hooked, email="first@example.com", credentials=[NewOAuth("google", "1", emails=["lent@example.com"], id="g")]
    )
    session = hooked.dynamic.sign_in(user.id, origin=APP_ORIGIN, credential_id="g")
    tokens = hooked.tokens(session)
    assert hooked.claims(tokens)["email"] == "lent@example.com"
    hooked.bridge.clock.forward(60)
    hooked.dynamic.update_user(user.id, given_name="Mira")
    hooked.send()
    assert hooked.claims(tokens)["email"] == "lent@example.com"


def test_an_update_keeps_the_wallet_that_the_user_signed_in_with_first(hooked: Hooked) -> None:
    selected = NewWallet(address=OTHER_ADDRESS, last_selected_at=hooked.bridge.clock())
    user = a_user(hooked, email=None, wallets=[selected, NewWallet(address=ADDRESS, id="w")])
    tokens = hooked.tokens(hooked.dynamic.sign_in(user.id, origin=APP_ORIGIN, credential_id="w"))
    hooked.bridge.clock.forward(60)
    hooked.dynamic.update_user(user.id, given_name="Mira")
    hooked.send()
    claims = hooked.claims(tokens)
    assert (claims["given_name"], claims["wallet_address"]) == ("Mira", ADDRESS)
    assert [wallet["address"] for wallet in claims["wallets"] if wallet["primary"]] == [ADDRESS]


def test_nobody_is_made_known_by_an_update(hooked: Hooked) -> None:
    user = a_user(hooked)
    hooked.dynamic.update_user(user.id, given_name="Mira")
    assert hooked.send() == [200]
    assert hooked.bridge.rows("SELECT * FROM users") == []


# Credentials


@both_databases
def test_an_unlinked_wallet_is_gone_at_once_and_an_older_token_does_not_bring_it_back(hooked: Hooked) -> None:
    user = a_user(hooked, wallets=[NewWallet(address=ADDRESS), NewWallet(address=OTHER_ADDRESS)])
    session = hooked.sign_in(user)
    older, tokens = hooked.dynamic.mint(session, origin=APP_ORIGIN), hooked.tokens(session)
    hooked.bridge.clock.forward(60)
    hooked.dynamic.unlink(user.id, user.credentials[1].id)
    assert hooked.send() == [200]
    assert hooked.bridge.exchange(older).status_code == 200
    claims = hooked.claims(tokens)
    assert [wallet["address"] for wallet in claims["wallets"]] == [OTHER_ADDRESS]
    assert (claims["wallet_address"], claims["wallets"][0]["primary"]) == (OTHER_ADDRESS, True)


@both_databases
def test_an_unlinked_address_is_gone_at_once(hooked: Hooked, user: User) -> None:
    tokens = hooked.tokens(hooked.sign_in(user))
    hooked.bridge.clock.forward(60)
    hooked.dynamic.unlink(user.id, user.credentials[0].id)
    hooked.send()
    assert "email" not in hooked.claims(tokens)
    assert "email_verified" not in hooked.claims(tokens)
    renewed = hooked.bridge.refresh(tokens["refresh_token"]).json
    assert "email" not in hooked.claims(renewed)


def test_another_address_that_is_unlinked_leaves_the_first(hooked: Hooked, user: User) -> None:
    second = hooked.dynamic.link(user.id, NewEmail("second@example.com"))
    tokens = hooked.tokens(hooked.sign_in(user))
    hooked.bridge.clock.forward(60)
    hooked.dynamic.unlink(user.id, second.id)
    hooked.send()
    assert hooked.claims(tokens)["email"] == "demo@example.com"


def test_the_address_that_an_unlinked_google_account_lent_is_gone_until_dynamic_says_more(asking: Hooked) -> None:
    google = NewOAuth("google", "1", emails=["lent@example.com"], id="g")
    user = a_user(asking, credentials=[google])
    tokens = asking.tokens(asking.dynamic.sign_in(user.id, origin=APP_ORIGIN, credential_id="g"))
    assert asking.claims(tokens)["email"] == "lent@example.com"
    asking.bridge.clock.forward(60)
    asking.dynamic.unlink(user.id, "g")
    asking.send()
    assert "email" not in asking.claims(tokens)
    assert owed(asking)[-1] == user.id
    deliver(asking)
    assert asking.claims(tokens)["email"] == "demo@example.com"


@both_databases
def test_a_transferred_wallet_leaves_its_former_owner_and_comes_to_the_new_one(asking: Hooked) -> None:
    giver, taker = a_user(asking), a_user(asking, email="taker@example.com", wallets=[])
    gave, took = asking.tokens(asking.sign_in(giver)), asking.tokens(asking.sign_in(taker))
    asking.bridge.clock.forward(60)
    asking.dynamic.management.transfer_wallet(giver.id, taker.id, giver.credentials[1].id)
    assert asking.send() == [200]
    assert "wallets" not in asking.claims(gave)
    assert sorted(owed(asking)) == sorted([giver.id, taker.id])
    deliver(asking)
    assert asking.claims(took)["wallet_address"] == ADDRESS


def test_a_linked_wallet_is_asked_about(asking: Hooked) -> None:
    user = a_user(asking, wallets=[])
    tokens = asking.tokens(asking.sign_in(user))
    asking.bridge.clock.forward(60)
    asking.dynamic.link(user.id, NewWallet(address=ADDRESS))
    asking.send()
    assert owed(asking) == [user.id]
    deliver(asking)
    assert asking.claims(tokens)["wallet_address"] == ADDRESS


def test_without_an_api_token_nobody_is_to_be_asked_about(hooked: Hooked, user: User) -> None:
    hooked.tokens(hooked.sign_in(user))
    hooked.dynamic.link(user.id, NewWallet())
    assert hooked.send() == [200]
    assert owed(hooked) == []


def test_a_user_whom_dynamic_does_not_know_any_more_is_not_brought_up_to_date(asking: Hooked) -> None:
    user = a_user(asking)
    tokens = asking.tokens(asking.sign_in(user))
    asking.dynamic.link(user.id, NewWallet())
    assert asking.send() == [200]
    asking.dynamic.webhooks.hold()
    asking.dynamic.management.delete_user(user.id)
    deliver(asking)
    assert owed(asking) == []
    assert asking.claims(tokens)["email"] == "demo@example.com"


def test_while_dynamic_does_not_answer_a_user_stays_to_be_asked_about(asking: Hooked) -> None:
    user = a_user(asking, wallets=[])
    tokens = asking.tokens(asking.sign_in(user))
    asking.bridge.clock.forward(60)
    asking.dynamic.link(user.id, NewWallet(address=ADDRESS))
    asking.send()
    asking.dynamic.faults.set("/environments", "error")
    deliver(asking)
    assert owed(asking) == [user.id]
    asking.dynamic.faults.clear()
    asking.bridge.clock.forward(120)
    deliver(asking)
    assert owed(asking) == []
    assert asking.claims(tokens)["wallet_address"] == ADDRESS


# Deliveries


@both_databases
def test_a_message_that_comes_again_days_later_does_nothing_more(hooked: Hooked, user: User) -> None:
    session = hooked.sign_in(user)
    hooked.tokens(session)
    hooked.dynamic.revoke(session.sid)
    assert hooked.send(copies=3) == [200] * 3
    newer = hooked.tokens(hooked.sign_in(user))
    last = next(m for m in hooked.dynamic.webhooks.messages() if m.event.name == "user.session.revoked")
    hooked.bridge.clock.forward(3600)
    for known in (True, False):  # the second time, nobody remembers the event
        assert causes(hooked, "dynamic_session_ended") == ["dynamic_session_ended"]
        if not known:
            forget_events(hooked.bridge.database)
        assert hooked.dynamic.webhooks.redeliver(last.message_id) == 200
        newer = hooked.renewed(newer)
    assert causes(hooked, "grant_closed") == ["dynamic_session_ended"]


def forget_events(database: Database) -> None:
    with database.writing() as tx:
        tx.execute(text("DELETE FROM webhook_events"))


def test_an_event_that_nobody_knows_yet_is_taken(hooked: Hooked) -> None:
    for name in ("visit.created", "wallet.delegation.created", "solana.transaction.confirmed", "ping"):
        body = message(hooked, name)
        assert hooked.post(body, signed(body)).status_code == 200
    assert hooked.bridge.rows("SELECT * FROM webhook_events") == []


HOSTILE = [
    "\x00",
    "\ud800",
    "\u202eevil",
    "x" * 900,
    "",
    7,
    1e308,
    2**70,
    True,
    None,
    [],
    {},
    [[]],
    {"a": [{"b": None}]},
]


@both_databases
def test_hostile_data_do_not_bring_the_bridge_down(hooked: Hooked, user: User) -> None:
    tokens = hooked.tokens(hooked.sign_in(user))
    hooked.bridge.clock.forward(60)
    names = ("firstName", "email", "lists", "scope", "metadata", "country", "alias", "verifiedCredentials", "publicKey")
    members = (
        "format",
        "address",
        "chain",
        "email",
        "name_service",
        "oauth_emails",
        "oauth_provider",
        "wallet_name",
        "id",
    )
    number = 0
    for value in HOSTILE:
        entry = {"id": "c", "format": "blockchain", "address": ADDRESS, **dict.fromkeys(members[2:], value)}
        credentials = [value, dict.fromkeys(members, value), entry]
        documents = [
            {"id": user.id, "userId": user.id, **dict.fromkeys(names, value), "verifiedCredentials": credentials},
            {"id": user.id, "userId": user.id, **dict.fromkeys(names, value)},
            {"id": value, "userId": value, "user": value, "mergedUserId": value},
        ]
        for event, document in itertools.product(EVENTS, documents):
            number += 1
            ends = event in ("user.deleted", "user.session.revoked", "admin.user.session.revoked", "user.merged")
            data = {**document, "id": value, "userId": value} if ends else document
            body = message(hooked, event, eventId=f"h{number}", data=data, timestamp="2026-11-23T02:14:00Z")
            assert hooked.post(body, signed(body)).status_code in (200, 400), (event, value)
    assert hooked.refreshes(tokens)
    assert hooked.bridge.userinfo(tokens["access_token"]).status_code == 200


def test_two_secrets_are_good_while_one_is_changed(make_bridge: Callable[..., Bridge]) -> None:
    hooked = Hooked(make_bridge(DYNAMIC_WEBHOOK_SECRETS=f"{WEBHOOK_SECRET},dyn_the-secret-that-comes"))
    body = message(hooked)
    for secret, status in (
        (WEBHOOK_SECRET, 200),
        ("dyn_the-secret-that-comes", 200),
        ("dyn_another-one-entirely", 401),
    ):
        assert hooked.post(body, signed(body, secret)).status_code == status, secret


def test_a_bad_signature_changes_nothing(hooked: Hooked, user: User) -> None:
    session = hooked.sign_in(user)
    tokens, taken = hooked.tokens(session), hooked.bridge.rows("SELECT * FROM webhook_events")
    body = message(hooked, data={"id": session.sid, "userId": user.id})
    good = signed(body)
    altered = body.replace(b'"m"', b'"n"')
    bad = [
        None,
        "",
        "sha256=",
        good[:-1],
        good + "0",
        good.upper(),
        good.removeprefix("sha256="),
        signed(body, "x" * 20),
    ]
    bad += [f" {good}", "sha256=" + "é" * 64, signed(body + b" ")]
    for signature in bad:
        assert hooked.post(body, signature).status_code == 401, signature
    assert hooked.post(altered, good).status_code == 401
    assert hooked.bridge.rows("SELECT * FROM webhook_events") == taken
    assert hooked.refreshes(tokens)
    assert hooked.post(body, good).status_code == 200
    assert not hooked.refreshes(tokens)


def test_where_no_secret_is_configured_there_is_no_webhook(bridge: Bridge) -> None:
    environment = bridge.dynamic.emulator.environment_id
    body = message(Hooked(bridge))
    for secret in ("", "None", "()"):
        answer = bridge.http.post(f"/webhooks/dynamic/{environment}", data=body, headers={HEADER: signed(body, secret)})
        assert answer.status_code == 404


def test_an_environment_that_is_not_configured_has_no_webhook(hooked: Hooked) -> None:
    body = message(hooked)
    assert hooked.post(body, signed(body), "/webhooks/dynamic/22222222-2222-4222-8222-222222222222").status_code == 404
    assert hooked.post(body, signed(body), "/webhooks/dynamic/%00").status_code == 404
    assert hooked.bridge.http.get(hooked.path).status_code == 405


def test_a_message_of_another_environment_is_refused(hooked: Hooked) -> None:
    body = message(hooked, environmentId="22222222-2222-4222-8222-222222222222")
    answer = hooked.post(body, signed(body))
    assert (answer.status_code, answer.json["error"]) == (400, "webhook_malformed")


def test_a_body_over_64_kb_is_too_large(hooked: Hooked) -> None:
    body = message(hooked, padding="x" * 64 * 1024)
    assert hooked.post(body, signed(body)).status_code == 413
    body = message(hooked, padding="x" * 63 * 1024)
    assert hooked.post(body, signed(body)).status_code == 200


def test_while_the_database_is_away_dynamic_is_asked_to_come_again(hooked: Hooked, user: User) -> None:
    session = hooked.sign_in(user)
    tokens = hooked.tokens(session)
    hooked.dynamic.revoke(session.sid)
    with held_by_another(hooked.bridge.config.database_url.removeprefix("sqlite:///")):
        assert hooked.send() == [503]
    hooked.bridge.clock.forward(15)
    hooked.dynamic.webhooks.release()
    hooked.dynamic.webhooks.deliver()
    assert not hooked.refreshes(tokens)


@contextmanager
def held_by_another(path: str) -> Iterator[None]:
    """Somebody else writes, and does not end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_the_secret_and_what_was_sent_stand_in_no_log(hooked: Hooked, user: User, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    session = hooked.sign_in(user)
    hooked.dynamic.revoke(session.sid)
    hooked.send()
    body = message(hooked)
    hooked.post(body, "sha256=" + "0" * 64)
    logged = "\n".join(str(record.__dict__) for record in caplog.records)
    assert "webhook_signature_invalid" in logged
    assert WEBHOOK_SECRET not in logged
    assert "demo@example.com" not in logged
