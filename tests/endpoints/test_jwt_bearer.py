"""jwt-bearer (RFC 7523): the second door for assertions, each taken once."""

from typing import Any

import pytest
from conftest import APP_ORIGIN, Bridge, refusal
from werkzeug.test import TestResponse

from bridge.model import JWT_BEARER, REFRESH_TOKEN, TOKEN_EXCHANGE

SETTINGS = {"grants": (JWT_BEARER,)}


def present(bridge: Bridge, assertion: str, client_id: str = "app", **parameters: Any) -> TestResponse:
    return bridge.token({"grant_type": JWT_BEARER, "assertion": assertion, **parameters}, client_id)


def test_an_assertion_becomes_tokens(bridge: Bridge) -> None:
    bridge.add_client(**SETTINGS)
    user = bridge.user()
    answer = present(bridge, bridge.assertion(user), scope="openid email")
    assert answer.status_code == 200
    assert answer.json.keys() == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert bridge.userinfo(answer.json["access_token"]).json["sub"] == user.id


def test_each_assertion_is_taken_once_whatever_its_spelling(bridge: Bridge) -> None:
    bridge.add_client(**SETTINGS)
    assertion = bridge.assertion()
    assert present(bridge, assertion).status_code == 200
    assert refusal(present(bridge, assertion)) == (400, "invalid_grant", "assertion_replayed")


def test_once_holds_over_both_doors(bridge: Bridge) -> None:
    bridge.add_client(grants=(JWT_BEARER, TOKEN_EXCHANGE), assertion_once=True)
    assertion = bridge.assertion()
    assert bridge.exchange(assertion).status_code == 200
    assert refusal(present(bridge, assertion))[2] == "assertion_replayed"


def test_a_refusal_for_another_reason_leaves_the_assertion_good(bridge: Bridge) -> None:
    bridge.add_client(**SETTINGS)
    bridge.add_client("other", **SETTINGS, assertion_origins=("https://other.example.com",))
    assertion = bridge.assertion()
    assert refusal(present(bridge, assertion, "other")) == (400, "invalid_grant", "audience_not_listed")
    assert refusal(present(bridge, assertion, scope="admin")) == (400, "invalid_scope", "scope_not_allowed")
    assert present(bridge, assertion).status_code == 200


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"origin": "https://evil.example.com"}, "audience_not_listed"),
        ({"issued_at": 1_795_400_000 - 7300, "lifetime": 9000}, "assertion_too_old"),
        ({"issued_at": 1_795_400_000 - 7300}, "assertion_expired"),
        ({"header": {"alg": "none"}}, "algorithm_not_allowed"),
        ({"header": {"jku": "https://evil.example.com"}}, "header_not_allowed"),
        ({"claims": {"scope": "requiresAdditionalAuth"}}, "mfa_owed"),
    ],
)
def test_a_bad_assertion_is_invalid_grant(bridge: Bridge, how: dict[str, Any], reason: str) -> None:
    bridge.add_client(**SETTINGS)
    assert refusal(present(bridge, bridge.assertion(**how))) == (400, "invalid_grant", reason)


def test_what_is_wrong_with_the_request_is_said_as_such(bridge: Bridge) -> None:
    bridge.add_client(**SETTINGS)
    bridge.add_client("exchanger")
    missing = bridge.token({"grant_type": JWT_BEARER})
    assert refusal(missing) == (400, "invalid_request", "parameter_missing")
    assert refusal(present(bridge, bridge.assertion(), "exchanger"))[1] == "unauthorized_client"
    nobody = bridge.token({"grant_type": JWT_BEARER, "assertion": bridge.assertion()}, None)
    assert refusal(nobody)[:2] == (401, "invalid_client")


def test_no_refresh_token_comes_of_it(bridge: Bridge) -> None:
    bridge.add_client(grants=(JWT_BEARER, REFRESH_TOKEN), scopes=("openid", "offline_access"))
    answer = present(bridge, bridge.assertion(), scope="openid offline_access").json
    assert answer["scope"] == "openid"
    assert "refresh_token" not in answer


def test_a_switched_off_user_gets_nothing(bridge: Bridge) -> None:
    bridge.add_client(**SETTINGS)
    user = bridge.user()
    assert present(bridge, bridge.assertion(user)).status_code == 200
    bridge.disable(user)
    bridge.clock.forward(1)
    assert refusal(present(bridge, bridge.assertion(user))) == (400, "invalid_grant", "user_disabled")


def test_keys_that_cannot_be_had_are_503_and_never_a_refusal(bridge: Bridge) -> None:
    bridge.add_client(**SETTINGS)
    assertion = bridge.assertion()
    bridge.dynamic.emulator.faults.set("/sdk", "down")
    assert refusal(present(bridge, assertion))[:2] == (503, "temporarily_unavailable")


def test_nothing_of_the_request_comes_back(bridge: Bridge) -> None:
    bridge.add_client(**SETTINGS)
    answer = present(bridge, bridge.assertion(origin="https://evil.example.com"))
    assert "evil" not in answer.text
    assert APP_ORIGIN not in answer.text
