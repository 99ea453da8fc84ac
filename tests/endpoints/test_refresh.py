"""Refresh at /token: rotation, grace, retry, closing; what comes back, and what is refused (RFC 6749 section 6)."""

from typing import Any

import pytest
from conftest import APP_ORIGIN, OFFLINE, WEBHOOK_SECRET, Bridge, decoded, refusal

from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE
from bridge.store import users

pytestmark = pytest.mark.both_databases

API, OTHER_API = "https://api.example.com", "https://other.example.com"
DAY = 86400


@pytest.fixture
def offline(bridge: Bridge) -> Bridge:
    bridge.add_client(**OFFLINE)
    return bridge


def test_a_refresh_brings_new_tokens_and_a_new_refresh_token(offline: Bridge) -> None:
    user = offline.user()
    exchanged = offline.exchange(offline.assertion(user), scope="openid email offline_access").json
    assert exchanged["scope"] == "openid email offline_access"
    first = decoded(offline, exchanged["id_token"])
    offline.clock.forward(300)

    answer = offline.refresh(exchanged["refresh_token"])

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json.keys() == {"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}
    assert None not in answer.json.values()
    assert answer.json["refresh_token"] != exchanged["refresh_token"]
    second = decoded(offline, answer.json["id_token"])
    assert second["iat"] == first["iat"] + 300
    for name in ("iss", "sub", "aud", "auth_time", "sid", "amr", "email"):
        assert second[name] == first[name]
    assert "nonce" not in second
    assert offline.userinfo(answer.json["access_token"]).json["sub"] == user.id
    assert offline.refresh(answer.json["refresh_token"]).status_code == 200


def test_offline_access_has_to_be_asked_for(offline: Bridge) -> None:
    answer = offline.exchange(offline.assertion()).json
    assert "refresh_token" not in answer
    assert answer["scope"] == "openid profile email"
    assert offline.rows("SELECT count(*) FROM grants") == [(0,)]


@pytest.mark.parametrize(
    "settings",
    [
        {**OFFLINE, "public": True},
        {**OFFLINE, "grants": (TOKEN_EXCHANGE,)},
    ],
)
def test_offline_access_is_passed_over_where_it_cannot_be_had(bridge: Bridge, settings: dict[str, Any]) -> None:
    bridge.add_client(**settings)
    answer = bridge.exchange(bridge.assertion(), scope="openid offline_access").json
    assert "refresh_token" not in answer
    assert answer["scope"] == "openid"


def test_a_retry_within_the_grace_gets_the_newest_token_even_if_others_used_it(offline: Bridge) -> None:
    first = offline.keep()
    second = offline.refresh(first).json["refresh_token"]
    third = offline.refresh(second).json["refresh_token"]
    offline.clock.forward(30)
    for token in (first, second, first):
        assert offline.refresh(token).json["refresh_token"] == third
    assert offline.refresh(third).status_code == 200


def test_a_token_whose_successor_was_used_closes_the_grant_after_the_grace(offline: Bridge) -> None:
    first = offline.keep()
    second = offline.refresh(first).json["refresh_token"]
    answer = offline.refresh(second).json
    offline.clock.forward(31)

    assert refusal(offline.refresh(first)) == (400, "invalid_grant", "refresh_token_reused")

    assert refusal(offline.refresh(answer["refresh_token"])) == (400, "invalid_grant", "grant_ended")
    assert offline.userinfo(answer["access_token"]).status_code == 401
    assert offline.call("/introspect", answer["access_token"]).json == {"active": False}
    assert offline.rows("SELECT event, cause, actor FROM audit WHERE event = 'grant_closed'") == [
        ("grant_closed", "reuse_detected", "client:app")
    ]


def test_a_client_that_could_not_store_its_answer_goes_on_hours_later(offline: Bridge) -> None:
    first = offline.keep(lifetime=DAY)
    second = offline.refresh(first).json["refresh_token"]
    for _ in range(3):
        offline.clock.forward(600)
        assert offline.refresh(first).json["refresh_token"] == second
    third = offline.refresh(second).json["refresh_token"]
    assert third != second
    offline.clock.forward(600)
    assert refusal(offline.refresh(first))[2] == "refresh_token_reused"


def test_the_retry_ends_with_its_time(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, refresh_retry_ttl=600)
    token = bridge.keep()
    bridge.refresh(token)
    bridge.clock.forward(600)
    assert bridge.refresh(token).status_code == 200
    bridge.clock.forward(1)
    assert refusal(bridge.refresh(token))[2] == "refresh_token_reused"


def test_without_grace_and_retry_a_second_use_closes_the_grant_at_once(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, refresh_grace=0, refresh_retry_ttl=0)
    first = bridge.keep()
    second = bridge.refresh(first).json["refresh_token"]
    assert refusal(bridge.refresh(first))[2] == "refresh_token_reused"
    assert refusal(bridge.refresh(second))[2] == "grant_ended"


def test_a_client_without_rotation_keeps_its_token(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, refresh_rotation=False, refresh_idle_ttl=3600)
    token = bridge.keep()
    for _ in range(3):
        bridge.clock.forward(1800)
        assert bridge.refresh(token).json["refresh_token"] == token
    assert bridge.rows("SELECT count(*) FROM refresh_tokens") == [(1,)]


def test_another_clients_token_is_refused_and_stays_as_it_is(offline: Bridge) -> None:
    offline.add_client("thief", **OFFLINE)
    token = offline.keep()
    assert refusal(offline.refresh(token, "thief")) == (400, "invalid_grant", "refresh_token_invalid")
    with_wrong_secret = {"client_id": "app", "client_secret": "wrong"}
    answer = offline.token({"grant_type": REFRESH_TOKEN, "refresh_token": token, **with_wrong_secret}, None)
    assert refusal(answer)[:2] == (401, "invalid_client")
    assert offline.rows("SELECT state FROM refresh_tokens") == [("unspent",)]
    assert offline.refresh(token).status_code == 200


def test_a_spent_token_of_another_client_closes_nothing(offline: Bridge) -> None:
    offline.add_client("thief", **OFFLINE)
    first = offline.keep()
    head = offline.refresh(offline.refresh(first).json["refresh_token"]).json["refresh_token"]
    offline.clock.forward(31)
    assert refusal(offline.refresh(first, "thief"))[2] == "refresh_token_invalid"
    assert offline.refresh(head).status_code == 200


@pytest.mark.parametrize("spoilt", ["", "x", "dob_refresh_", "dob_refresh_" + "A" * 43, "dob_code_" + "A" * 43, "ä"])
def test_what_is_no_refresh_token_is_refused(offline: Bridge, spoilt: str) -> None:
    answer = offline.refresh(spoilt)
    expected = (
        (400, "invalid_grant", "refresh_token_invalid") if spoilt else (400, "invalid_request", "parameter_missing")
    )
    assert refusal(answer) == expected


def test_no_artefact_can_be_presented_as_another(offline: Bridge) -> None:
    assertion = offline.assertion()
    answer = offline.exchange(assertion, scope="openid offline_access").json
    for other in (answer["access_token"], answer["id_token"], offline.secrets["app"], assertion):
        assert refusal(offline.refresh(other))[2] == "refresh_token_invalid"
    assert offline.exchange(answer["refresh_token"]).status_code == 400
    assert offline.userinfo(answer["refresh_token"]).status_code == 401


def test_a_token_that_is_not_used_for_its_idle_time_expires(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, refresh_idle_ttl=3600)
    token = bridge.keep(lifetime=2 * DAY)
    bridge.clock.forward(3599)
    token = bridge.refresh(token).json["refresh_token"]
    bridge.clock.forward(3600)
    assert refusal(bridge.refresh(token)) == (400, "invalid_grant", "refresh_token_expired")


def test_two_grants_of_one_user_do_not_meet(offline: Bridge) -> None:
    user = offline.user()
    firsts = [offline.keep(user) for _ in range(2)]
    seconds = [offline.refresh(token).json["refresh_token"] for token in firsts]
    thirds = [offline.refresh(token).json["refresh_token"] for token in seconds]
    assert len({*firsts, *seconds, *thirds}) == 6
    for token, newest in zip(firsts, thirds, strict=True):
        assert offline.refresh(token).json["refresh_token"] == newest


def test_a_retry_does_not_revive_a_successor_that_was_idle_for_too_long(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, refresh_idle_ttl=3600)
    first = bridge.keep(lifetime=2 * DAY)
    bridge.refresh(first)
    bridge.clock.forward(3599)
    assert bridge.refresh(first).status_code == 200
    bridge.clock.forward(1)
    assert refusal(bridge.refresh(first)) == (400, "invalid_grant", "refresh_token_expired")


def test_a_grant_ends_with_its_absolute_time_however_often_it_is_refreshed(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, refresh_absolute_ttl=3600, access_token_ttl=900)
    token = bridge.keep(lifetime=2 * DAY)
    for _ in range(3):
        bridge.clock.forward(1000)
        answer = bridge.refresh(token).json
        token = answer["refresh_token"]
    assert answer["expires_in"] == 600
    bridge.clock.forward(600)
    assert refusal(bridge.refresh(token))[2] == "grant_ended"


def test_a_grant_ends_with_the_assertion_if_nobody_hears_of_revocations(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, access_token_ttl=DAY)
    answer = bridge.exchange(bridge.assertion(lifetime=7200), scope="openid offline_access").json
    assert answer["expires_in"] == 7200
    bridge.clock.forward(7199)
    answer = bridge.refresh(answer["refresh_token"]).json
    assert answer["expires_in"] == 1
    bridge.clock.forward(1)
    assert refusal(bridge.refresh(answer["refresh_token"]))[2] == "grant_ended"


def test_a_grant_lives_as_long_as_the_session_at_dynamic_if_somebody_hears(make_bridge: Any) -> None:
    bridge: Bridge = make_bridge(DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET)
    bridge.add_client(**OFFLINE, refresh_idle_ttl=40 * DAY, refresh_absolute_ttl=40 * DAY)
    token = bridge.keep()
    bridge.clock.forward(30 * DAY - 1)
    answer = bridge.refresh(token).json
    assert answer["expires_in"] == 1
    bridge.clock.forward(1)
    assert refusal(bridge.refresh(answer["refresh_token"]))[2] == "grant_ended"


def test_scope_narrows_for_one_access_token_only(offline: Bridge) -> None:
    token = offline.keep()
    narrow = offline.refresh(token, scope="email offline_access").json
    assert narrow["scope"] == "email offline_access"
    assert "id_token" not in narrow
    assert offline.userinfo(narrow["access_token"]).status_code == 403
    whole = offline.refresh(narrow["refresh_token"]).json
    assert whole["scope"] == "openid profile email offline_access"


@pytest.mark.parametrize("scope", ["openid wallets", "openid admin", 'openid "'])
def test_a_wider_scope_is_refused_and_spends_nothing(offline: Bridge, scope: str) -> None:
    offline.change_client(scopes=(*OFFLINE["scopes"], "wallets", "admin"))
    token = offline.keep()
    assert refusal(offline.refresh(token, scope=scope)) == (400, "invalid_scope", "scope_not_allowed")
    assert offline.rows("SELECT state FROM refresh_tokens") == [("unspent",)]


def test_resources_narrow_and_never_grow(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, audiences=(API, OTHER_API))
    token = bridge.keep(resource=API)
    answer = bridge.refresh(token).json
    assert set(decoded(bridge, answer["access_token"])["aud"]) == {API, bridge.config.issuer}
    answer = bridge.refresh(answer["refresh_token"], resource=API, scope="email").json
    assert decoded(bridge, answer["access_token"])["aud"] == API
    answer = bridge.refresh(answer["refresh_token"], resource=OTHER_API)
    assert refusal(answer) == (400, "invalid_target", "target_not_allowed")


def test_what_the_client_lost_since_it_does_not_get(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, audiences=(API,))
    token = bridge.keep(resource=API)
    bridge.change_client(scopes=("openid", "offline_access"))
    answer = bridge.refresh(token).json
    assert answer["scope"] == "openid offline_access"
    assert "email" not in decoded(bridge, answer["id_token"])
    bridge.change_client(audiences=())
    assert refusal(bridge.refresh(answer["refresh_token"]))[1] == "invalid_target"
    bridge.change_client(audiences=(API,), scopes=("openid",))
    assert refusal(bridge.refresh(answer["refresh_token"]))[1] == "unauthorized_client"
    bridge.change_client(grants=(TOKEN_EXCHANGE,), scopes=OFFLINE["scopes"])
    assert refusal(bridge.refresh(answer["refresh_token"]))[1] == "unauthorized_client"
    bridge.change_client(grants=OFFLINE["grants"])
    assert bridge.refresh(answer["refresh_token"]).status_code == 200


def test_claims_are_the_newest_that_are_known(offline: Bridge) -> None:
    user = offline.user()
    token = offline.keep(user)
    offline.clock.forward(5)
    offline.dynamic.emulator.update_user(user.id, given_name="Renamed")
    assert offline.exchange(offline.assertion(user)).status_code == 200
    answer = offline.refresh(token).json
    assert decoded(offline, answer["id_token"])["given_name"] == "Renamed"


def test_a_disabled_user_or_client_stops_every_refresh_at_once(offline: Bridge) -> None:
    user = offline.user()
    token = offline.keep(user)
    with offline.database.writing() as tx:
        users.set_disabled(tx, user.id, disabled=True, now=offline.clock())
    assert refusal(offline.refresh(token)) == (400, "invalid_grant", "user_disabled")
    with offline.database.writing() as tx:
        users.set_disabled(tx, user.id, disabled=False, now=offline.clock())
    offline.change_client(disabled=True)
    assert refusal(offline.refresh(token))[:2] == (401, "invalid_client")
    offline.change_client(disabled=False)
    assert offline.refresh(token).status_code == 200


def test_pairwise_subs_stay_the_same_over_refreshes(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE, subject_type="pairwise")
    user = bridge.user()
    answer = bridge.exchange(bridge.assertion(user), scope="openid offline_access").json
    again = bridge.refresh(answer["refresh_token"]).json
    subs = {decoded(bridge, token)["sub"] for token in (answer["id_token"], again["id_token"], again["access_token"])}
    assert len(subs) == 1
    assert subs != {user.id}


def test_no_refresh_token_stands_in_the_database(offline: Bridge) -> None:
    first = offline.keep()
    second = offline.refresh(first).json["refresh_token"]
    dumped = "\n".join(
        str(row) for table in ("grants", "refresh_tokens", "audit") for row in offline.rows(f"SELECT * FROM {table}")
    )
    for token in (first, second):
        assert token not in dumped
        assert token.removeprefix("dob_refresh_") not in dumped


def test_a_refresh_token_may_be_asked_for_by_type(offline: Bridge) -> None:
    kind = "urn:ietf:params:oauth:token-type:refresh_token"
    answer = offline.exchange(offline.assertion(), requested_token_type=kind, scope="openid offline_access").json
    assert (answer["issued_token_type"], answer["token_type"]) == (kind, "N_A")
    assert offline.refresh(answer["access_token"]).status_code == 200
    refused = offline.exchange(offline.assertion(), requested_token_type=kind, scope="openid")
    assert refusal(refused)[:2] == (400, "invalid_scope")


def test_nothing_of_a_refused_exchange_is_kept(offline: Bridge) -> None:
    answer = offline.exchange(offline.assertion(origin="https://evil.example.com"), scope="openid offline_access")
    assert answer.status_code == 400
    assert offline.rows("SELECT count(*) FROM grants") == [(0,)]
    assert APP_ORIGIN not in answer.text
