"""Revocation (RFC 7009) and all else that takes tokens back: at userinfo, introspection and refresh at once."""

from typing import Any

import pytest
from conftest import OFFLINE, Bridge, refusal

from bridge.history import OPERATOR
from bridge.lifecycle.endings import enable_user, revoke_user
from bridge.model import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE
from bridge.store.seal import new_secret_key

pytestmark = pytest.mark.both_databases

API = "https://api.example.com"


def is_active(bridge: Bridge, token: str, client_id: str = "app") -> bool:
    answer = bridge.call("/introspect", token, client_id)
    assert answer.status_code == 200
    return answer.json != {"active": False}


@pytest.fixture
def offline(bridge: Bridge) -> Bridge:
    bridge.add_client(**OFFLINE)
    return bridge


@pytest.mark.parametrize("spent", [False, True])
@pytest.mark.parametrize("hint", [None, "refresh_token", "access_token", "surprise"])
def test_a_refresh_token_takes_its_grant_along(offline: Bridge, hint: str | None, spent: bool) -> None:
    answer = offline.exchange(offline.assertion(), scope="openid offline_access").json
    newest = offline.refresh(answer["refresh_token"]).json if spent else answer
    hinted = {} if hint is None else {"token_type_hint": hint}

    revoked = offline.call("/revoke", answer["refresh_token"], **hinted)

    assert (revoked.status_code, revoked.json) == (200, {})
    assert revoked.headers["Cache-Control"] == "no-store"
    assert refusal(offline.refresh(newest["refresh_token"])) == (400, "invalid_grant", "grant_ended")
    for token in (answer["access_token"], newest["access_token"]):
        assert offline.userinfo(token).status_code == 401
        assert not is_active(offline, token)
    assert not is_active(offline, newest["refresh_token"])
    assert offline.call("/revoke", answer["refresh_token"]).status_code == 200
    assert len(offline.rows("SELECT 1 FROM audit WHERE event = 'grant_closed'")) == 1


def test_an_access_token_goes_alone(offline: Bridge) -> None:
    answer = offline.exchange(offline.assertion(), scope="openid offline_access").json
    other = offline.refresh(answer["refresh_token"]).json
    assert offline.call("/revoke", answer["access_token"]).status_code == 200
    assert offline.userinfo(answer["access_token"]).status_code == 401
    assert not is_active(offline, answer["access_token"])
    assert offline.userinfo(other["access_token"]).status_code == 200
    assert offline.refresh(other["refresh_token"]).status_code == 200


def test_an_access_token_without_a_kept_grant_can_be_revoked(bridge: Bridge) -> None:
    bridge.add_client()
    answer = bridge.exchange(bridge.assertion()).json
    assert bridge.call("/revoke", answer["access_token"], token_type_hint="refresh_token").status_code == 200
    assert bridge.userinfo(answer["access_token"]).status_code == 401


def test_a_clients_own_access_token_can_be_revoked(bridge: Bridge) -> None:
    bridge.add_client(grants=(CLIENT_CREDENTIALS,), audiences=(API,), scopes=("jobs",))
    token = bridge.token({"grant_type": CLIENT_CREDENTIALS, "resource": API}).json["access_token"]
    assert is_active(bridge, token)
    assert bridge.call("/revoke", token).status_code == 200
    assert not is_active(bridge, token)


def test_another_clients_token_is_refused_and_lives_on(offline: Bridge) -> None:
    offline.add_client("other", **OFFLINE)
    answer = offline.exchange(offline.assertion(), scope="openid offline_access").json
    for token in (answer["refresh_token"], answer["access_token"]):
        assert refusal(offline.call("/revoke", token, "other")) == (400, "invalid_grant", "token_of_another_client")
    assert offline.userinfo(answer["access_token"]).status_code == 200
    assert offline.refresh(answer["refresh_token"]).status_code == 200


def test_what_is_unknown_is_as_good_as_revoked(offline: Bridge) -> None:
    answer = offline.exchange(offline.assertion(), scope="openid offline_access").json
    expired = answer["access_token"]
    offline.clock.forward(600)
    for token in ("junk", "dob_refresh_" + "A" * 43, answer["id_token"], expired, offline.assertion(), "a.b.c"):
        assert offline.call("/revoke", token).status_code == 200


def test_nobody_revokes_without_a_secret_but_a_public_client(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    bridge.add_client("spa", public=True, cors_origins=("https://spa.example.com",))
    token = bridge.keep()
    for form in ({}, {"client_id": "app"}, {"client_id": "app", "client_secret": "wrong"}):
        assert refusal(bridge.http.post("/revoke", data={"token": token, **form}))[:2] == (401, "invalid_client")
    assert refusal(bridge.call("/revoke", token, "spa"))[:2] == (400, "invalid_grant")
    own = bridge.exchange(bridge.assertion(), "spa").json["access_token"]
    page = {"Origin": "https://spa.example.com"}
    answer = bridge.http.post("/revoke", data={"token": own, "client_id": "spa"}, headers=page)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://spa.example.com"
    assert bridge.userinfo(own).status_code == 401


def test_the_token_comes_in_the_body_once(offline: Bridge) -> None:
    token = offline.keep()
    form = {"client_id": "app", "client_secret": offline.secrets["app"]}
    assert refusal(offline.http.post(f"/revoke?token={token}", data=form))[2] == "parameter_missing"
    twice = {**form, "token": [token, token]}
    assert refusal(offline.http.post("/revoke", data=twice))[2] == "parameter_repeated"
    assert offline.http.get(f"/revoke?token={token}").status_code == 405
    assert is_active(offline, token)


def test_introspection_tells_a_client_of_its_own_refresh_token_alone(offline: Bridge) -> None:
    offline.add_client("api", grants=(), serves=(API,))
    user = offline.user()
    token = offline.keep(user)
    answer = offline.call("/introspect", token).json
    assert answer["active"] is True
    assert (answer["sub"], answer["client_id"], answer["iss"]) == (user.id, "app", offline.config.issuer)
    assert answer["scope"] == "openid profile email offline_access"
    assert answer["exp"] == offline.clock() + 7200
    assert "token_type" not in answer
    assert not is_active(offline, token, "api")
    successor = offline.refresh(token).json["refresh_token"]
    assert not is_active(offline, token)
    assert is_active(offline, successor)
    offline.disable(user)
    assert not is_active(offline, successor)


def test_a_user_who_is_signed_out_everywhere_has_nothing_left(bridge: Bridge) -> None:
    bridge.add_client(grants=(*OFFLINE["grants"], JWT_BEARER), scopes=OFFLINE["scopes"])
    user, other = bridge.user(), bridge.user(email="other@example.com")
    assertion = bridge.assertion(user)
    kept = bridge.exchange(assertion, scope="openid offline_access").json
    plain = bridge.exchange(assertion).json
    others = bridge.keep(other)
    with bridge.database.writing() as tx:
        assert revoke_user(tx, user.id, actor=OPERATOR, now=bridge.clock()) == 1
    for answer in (kept, plain):
        assert bridge.userinfo(answer["access_token"]).status_code == 401
        assert not is_active(bridge, answer["access_token"])
    assert refusal(bridge.refresh(kept["refresh_token"]))[2] == "grant_ended"
    assert refusal(bridge.exchange(assertion)) == (400, "invalid_request", "assertion_revoked")
    bearer = bridge.token({"grant_type": JWT_BEARER, "assertion": assertion})
    assert refusal(bearer) == (400, "invalid_grant", "assertion_revoked")
    assert bridge.refresh(others).status_code == 200
    bridge.clock.forward(1)
    assert bridge.exchange(bridge.assertion(user)).status_code == 200


def test_being_enabled_again_brings_nothing_back(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    answer = bridge.exchange(bridge.assertion(user), scope="openid offline_access").json
    bridge.disable(user)
    with bridge.database.writing() as tx:
        assert enable_user(tx, user.id, actor=OPERATOR, now=bridge.clock())
    assert bridge.userinfo(answer["access_token"]).status_code == 401
    assert refusal(bridge.refresh(answer["refresh_token"]))[2] == "grant_ended"
    bridge.clock.forward(1)
    assert bridge.exchange(bridge.assertion(user)).status_code == 200


def test_a_grant_that_raced_past_a_sign_out_is_over_all_the_same(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    with bridge.database.writing() as tx:
        assert revoke_user(tx, user.id, actor=OPERATOR, now=bridge.clock()) is None  # not known yet
    answer = bridge.exchange(bridge.assertion(user), scope="openid offline_access").json
    with bridge.database.writing() as tx:
        from bridge.store import users

        users.revoke(tx, user.id, bridge.clock())  # as if its other half, the closing, had not seen this grant
    assert refusal(bridge.refresh(answer["refresh_token"]))[2] == "grant_ended"
    assert bridge.userinfo(answer["access_token"]).status_code == 401


def test_a_second_sign_out_by_a_clock_that_is_behind_gives_nothing_back(bridge: Bridge) -> None:
    bridge.add_client()
    user = bridge.user()
    token = bridge.exchange(bridge.assertion(user)).json["access_token"]
    for now in (bridge.clock(), bridge.clock() - 5):
        with bridge.database.writing() as tx:
            assert revoke_user(tx, user.id, actor=OPERATOR, now=now) == 0
        assert bridge.userinfo(token).status_code == 401


def test_the_grant_types_are_discovered(bridge: Bridge) -> None:
    document = bridge.http.get("/.well-known/openid-configuration").json
    expected = {AUTHORIZATION_CODE, TOKEN_EXCHANGE, JWT_BEARER, "refresh_token", CLIENT_CREDENTIALS}
    assert expected == set(document["grant_types_supported"])
    assert document["revocation_endpoint"] == f"{bridge.config.issuer}/revoke"
    assert "offline_access" in document["scopes_supported"]
    assert "none" in document["revocation_endpoint_auth_methods_supported"]


@pytest.mark.parametrize("how", ["disabled", "removed"])
def test_an_environment_that_is_switched_off_stops_every_grant(make_bridge: Any, how: str) -> None:
    key = new_secret_key()
    before: Bridge = make_bridge(BRIDGE_SECRET_KEYS=key)
    before.add_client(grants=(*OFFLINE["grants"], JWT_BEARER), scopes=OFFLINE["scopes"])
    user = before.user()
    answer = before.exchange(before.assertion(user), scope="openid offline_access").json
    environment_id = before.config.environments[0].environment_id
    off = f'[[environments]]\nenvironment_id = "{environment_id}"\ndisabled = true\n' if how == "disabled" else ""
    other = {} if how == "disabled" else {"DYNAMIC_ENVIRONMENT_ID": "11111111-1111-4111-8111-111111111111"}
    after: Bridge = make_bridge(off, BRIDGE_SECRET_KEYS=key, **other)
    after.secrets.update(before.secrets)
    assert refusal(after.refresh(answer["refresh_token"])) == (400, "invalid_grant", "environment_not_allowed")
    assert after.userinfo(answer["access_token"]).status_code == 401
    for token in (answer["access_token"], answer["refresh_token"]):
        assert not is_active(after, token)
    assertion = after.assertion(user)
    assert after.exchange(assertion).status_code == 400
    assert after.token({"grant_type": JWT_BEARER, "assertion": assertion}).json["error"] == "invalid_grant"
    assert before.refresh(answer["refresh_token"]).status_code == 200, "nothing was spent or closed"
