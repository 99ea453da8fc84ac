"""Userinfo (OIDC Core section 5.3): three ways in, one answer."""

from dataclasses import replace

import pytest
from conftest import ADDRESS, Bridge

from bridge.store import clients, users


@pytest.fixture
def token(bridge: Bridge) -> str:
    bridge.add_client(scopes=("openid", "profile", "email", "wallets"), audiences=("https://api.example.com",))
    access_token: str = bridge.exchange(bridge.assertion()).json["access_token"]
    return access_token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_header_by_get_header_by_post_and_form_give_the_same_answer(bridge: Bridge, token: str) -> None:
    answers = [
        bridge.http.get("/userinfo", headers=bearer(token)),
        bridge.http.post("/userinfo", headers=bearer(token)),
        bridge.http.post("/userinfo", data={"access_token": token}),
        bridge.http.get("/userinfo", headers={"Authorization": f"bEARER {token}"}),
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].headers["Cache-Control"] == "no-store"
    assert answers[0].json["email"] == "demo@example.com"
    assert answers[0].json["wallet_address"] == ADDRESS


def test_without_a_token_the_challenge_is_bare(bridge: Bridge) -> None:
    for answer in (bridge.http.get("/userinfo"), bridge.http.post("/userinfo", data={})):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_in_the_query_is_not_seen(bridge: Bridge, token: str) -> None:
    assert bridge.http.get(f"/userinfo?access_token={token}").status_code == 401


def test_a_token_sent_twice_is_refused(bridge: Bridge, token: str) -> None:
    answer = bridge.http.post("/userinfo", data={"access_token": token}, headers=bearer(token))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_bad_token_is_401_with_the_error_in_the_challenge(bridge: Bridge, token: str) -> None:
    head, payload, signature = token.split(".")
    answers = bridge.exchange(bridge.assertion())
    for bad in (
        "junk",
        f"{head}.{payload}.{'A' * len(signature)}",
        answers.json["id_token"],
        bridge.assertion(),
        token + "=",
        "x" * 40_000,
    ):
        answer = bridge.http.get("/userinfo", headers=bearer(bad))
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


def test_it_ends_with_its_exp(bridge: Bridge, token: str) -> None:
    bridge.clock.forward(599)
    assert bridge.http.get("/userinfo", headers=bearer(token)).status_code == 200
    bridge.clock.forward(1)
    assert bridge.http.get("/userinfo", headers=bearer(token)).status_code == 401


def test_a_token_without_openid_lacks_scope(bridge: Bridge) -> None:
    bridge.add_client()
    token = bridge.exchange(bridge.assertion(), scope="email").json["access_token"]
    answer = bridge.http.get("/userinfo", headers=bearer(token))
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    assert 'scope="openid"' in answer.headers["WWW-Authenticate"]


def test_a_token_for_another_resource_alone_is_no_token_here(bridge: Bridge, token: str) -> None:
    other = bridge.exchange(bridge.assertion(), scope="email", resource="https://api.example.com")
    answer = bridge.http.get("/userinfo", headers=bearer(other.json["access_token"]))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


def test_only_the_claims_of_the_scope_are_told(bridge: Bridge, token: str) -> None:
    narrow = bridge.exchange(bridge.assertion(), scope="openid email").json["access_token"]
    assert bridge.http.get("/userinfo", headers=bearer(narrow)).json.keys() == {"sub", "email", "email_verified"}


def test_a_disabled_user_or_client_is_told_nothing_more(bridge: Bridge, token: str) -> None:
    sub = bridge.http.get("/userinfo", headers=bearer(token)).json["sub"]
    with bridge.database.writing() as tx:
        users.set_disabled(tx, sub, disabled=True, now=bridge.clock())
    assert bridge.http.get("/userinfo", headers=bearer(token)).status_code == 401
    with bridge.database.writing() as tx:
        users.set_disabled(tx, sub, disabled=False, now=bridge.clock())
        client = clients.find(tx, "app")
        assert client is not None
        clients.change(tx, replace(client, disabled=True), bridge.clock())
    bridge.clock.forward(clients.CACHED_FOR)
    assert bridge.http.get("/userinfo", headers=bearer(token)).status_code == 401
