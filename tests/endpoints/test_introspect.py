"""Introspection (RFC 7662): who may know, and what an inactive answer says."""

import pytest
from conftest import Bridge

from bridge.store import users

API = "https://api.example.com"


@pytest.fixture
def bridge_with_api(bridge: Bridge) -> Bridge:
    """`app` gets tokens for the API, `api` serves it, `stranger` does neither."""
    bridge.add_client("app", audiences=(API,))
    bridge.add_client("api", grants=(), serves=(API,))
    bridge.add_client("stranger", grants=())
    bridge.add_client("spa", public=True)
    return bridge


def introspect(bridge: Bridge, token: str, client_id: str, **more: str) -> object:
    form = {"token": token, "client_id": client_id, "client_secret": bridge.secrets[client_id], **more}
    answer = bridge.http.post("/introspect", data=form)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json


def test_the_client_itself_and_who_serves_the_audience_may_know(bridge_with_api: Bridge) -> None:
    bridge = bridge_with_api
    user = bridge.user()
    token = bridge.exchange(bridge.assertion(user), resource=API).json["access_token"]
    for client_id in ("app", "api"):
        answer = introspect(bridge, token, client_id)
        assert isinstance(answer, dict)
        assert answer["active"] is True
        assert (answer["sub"], answer["client_id"], answer["token_type"]) == (user.id, "app", "Bearer")
        assert API in answer["aud"]


def test_everybody_else_and_every_other_token_gets_the_bare_inactive_answer(bridge_with_api: Bridge) -> None:
    bridge = bridge_with_api
    answer = bridge.exchange(bridge.assertion(), resource=API).json
    inactive = {"active": False}
    assert introspect(bridge, answer["access_token"], "stranger") == inactive
    assert introspect(bridge, answer["id_token"], "app") == inactive
    assert introspect(bridge, "junk", "app") == inactive
    assert introspect(bridge, bridge.assertion(), "app") == inactive
    without_api = bridge.exchange(bridge.assertion()).json["access_token"]
    assert introspect(bridge, without_api, "api") == inactive
    bridge.clock.forward(600)
    assert introspect(bridge, answer["access_token"], "app") == inactive


def test_an_unknown_hint_is_ignored(bridge_with_api: Bridge) -> None:
    token = bridge_with_api.exchange(bridge_with_api.assertion()).json["access_token"]
    answer = introspect(bridge_with_api, token, "app", token_type_hint="surprise")
    assert isinstance(answer, dict)
    assert answer["active"] is True


def test_a_disabled_user_is_inactive(bridge_with_api: Bridge) -> None:
    bridge = bridge_with_api
    user = bridge.user()
    token = bridge.exchange(bridge.assertion(user)).json["access_token"]
    with bridge.database.writing() as tx:
        users.set_disabled(tx, user.id, disabled=True, now=bridge.clock())
    assert introspect(bridge, token, "app") == {"active": False}


def test_nobody_asks_without_a_secret(bridge_with_api: Bridge) -> None:
    bridge = bridge_with_api
    token = bridge.exchange(bridge.assertion()).json["access_token"]
    for form in ({}, {"client_id": "spa"}, {"client_id": "app"}, {"client_id": "app", "client_secret": "wrong"}):
        answer = bridge.http.post("/introspect", data={"token": token, **form})
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_the_token_must_be_there(bridge_with_api: Bridge) -> None:
    form = {"client_id": "app", "client_secret": bridge_with_api.secrets["app"]}
    answer = bridge_with_api.http.post("/introspect", data=form)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
