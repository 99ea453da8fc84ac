"""Webhooks in the very moment of something else: whichever comes first, nothing lives that should have ended."""

import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from conftest import APP_ORIGIN, JWT, OFFLINE, WEBHOOK_SECRET, Bridge

from bridge.emulator import Session, User
from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE

pytestmark = pytest.mark.both_databases

ROUNDS = 12


@pytest.fixture
def bridge(make_bridge: Callable[..., Bridge]) -> Bridge:
    made: Bridge = make_bridge(DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET)
    made.add_client(**OFFLINE)
    return made


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each answers, all of them begun in the same moment."""
    ready = Barrier(len(acts))

    def begun(act: Callable[[], Any]) -> Any:
        ready.wait(timeout=30)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(begun, acts))


def webhook(bridge: Bridge, name: str, data: dict[str, Any], event_id: str) -> int:
    message = {
        "eventId": event_id,
        "eventName": name,
        "timestamp": bridge.dynamic.emulator.management.events()[-1].envelope("")["timestamp"],
        "environmentId": bridge.dynamic.emulator.environment_id,
        "data": data,
    }
    body = json.dumps(message).encode()
    signature = "sha256=" + hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    path = f"/webhooks/dynamic/{bridge.dynamic.emulator.environment_id}"
    client = bridge.http.application.test_client()
    return client.post(path, data=body, headers={"x-dynamic-signature-256": signature}).status_code


def post(bridge: Bridge, **form: str) -> Any:
    client = bridge.http.application.test_client()
    return client.post("/token", data={"client_id": "app", "client_secret": bridge.secrets["app"], **form})


def exchange(bridge: Bridge, assertion: str) -> Any:
    asked = {"subject_token": assertion, "subject_token_type": JWT, "scope": "openid offline_access"}
    return post(bridge, grant_type=TOKEN_EXCHANGE, **asked)


def refresh(bridge: Bridge, answer: Any) -> Any:
    return post(bridge, grant_type=REFRESH_TOKEN, refresh_token=answer.json["refresh_token"])


@pytest.mark.parametrize("user_is_known", [True, False])
def test_a_session_that_is_revoked_while_its_token_is_exchanged_leaves_no_grant(
    bridge: Bridge, user_is_known: bool
) -> None:
    world = bridge.dynamic.emulator
    user: User = bridge.user()
    for number in range(ROUNDS):
        if not user_is_known:
            user = bridge.user(email=f"user{number}@example.com")
        session: Session = world.sign_in(user.id, origin=APP_ORIGIN)
        assertion = world.mint(session, origin=APP_ORIGIN)
        revoked = {"id": session.sid, "userId": user.id}
        exchanged, status = at_once(
            lambda assertion=assertion: exchange(bridge, assertion),
            lambda revoked=revoked, number=number: webhook(bridge, "user.session.revoked", revoked, f"e{number}"),
        )
        assert status == 200
        if exchanged.status_code == 200:
            assert refresh(bridge, exchanged).status_code == 400
        else:
            assert exchanged.status_code == 400


def test_a_user_who_is_deleted_while_they_first_come_leaves_no_grant(bridge: Bridge) -> None:
    for number in range(ROUNDS):
        user = bridge.user(email=f"user{number}@example.com")
        assertion = bridge.assertion(user)
        exchanged, status = at_once(
            lambda assertion=assertion: exchange(bridge, assertion),
            lambda user=user, number=number: webhook(bridge, "user.deleted", {"id": user.id}, f"e{number}"),
        )
        assert status == 200
        if exchanged.status_code == 200:
            assert refresh(bridge, exchanged).status_code == 400
        else:
            assert exchanged.status_code == 400
        assert exchange(bridge, assertion).status_code == 400


def test_one_event_that_arrives_many_times_at_once_has_its_effect_once(bridge: Bridge) -> None:
    user = bridge.user()
    session = bridge.dynamic.emulator.sign_in(user.id, origin=APP_ORIGIN)
    assert exchange(bridge, bridge.dynamic.emulator.mint(session, origin=APP_ORIGIN)).status_code == 200
    revoked = {"id": session.sid, "userId": user.id}
    acts = [lambda: webhook(bridge, "user.session.revoked", revoked, "e")] * 8
    assert set(at_once(*acts)) == {200}
    assert bridge.rows("SELECT count(*) FROM audit WHERE event = 'dynamic_session_ended'") == [(1,)]


def test_events_of_one_user_at_once_do_not_wait_for_each_other_for_ever(bridge: Bridge) -> None:
    user = bridge.user()
    world = bridge.dynamic.emulator
    sessions = [world.sign_in(user.id, origin=APP_ORIGIN) for _ in range(8)]
    answers = [exchange(bridge, world.mint(session, origin=APP_ORIGIN)) for session in sessions]
    acts = [
        lambda session=session: webhook(bridge, "user.session.revoked", {"id": session.sid}, session.sid)
        for session in sessions
    ]
    changed = {"id": user.id, "firstName": "Mira", "verifiedCredentials": []}
    acts.append(lambda: webhook(bridge, "user.updated", changed, "u"))
    acts.append(lambda: webhook(bridge, "user.deleted", {"id": user.id}, "d"))
    assert set(at_once(*acts)) == {200}
    assert {refresh(bridge, answer).status_code for answer in answers} == {400}
