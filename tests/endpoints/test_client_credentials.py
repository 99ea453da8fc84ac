"""Client credentials: a confidential client acts for itself."""

from typing import Any

import pytest
from conftest import ISSUER, Bridge
from joserfc import jwt
from joserfc.jwk import KeySet

pytestmark = pytest.mark.both_databases

GRANT = {"grant_type": "client_credentials"}
API = "https://api.example.com"


@pytest.fixture
def service(bridge: Bridge) -> Bridge:
    bridge.add_client("svc", grants=("client_credentials",), scopes=("openid", "email", "read"), audiences=(API,))
    return bridge


def test_the_token_stands_for_the_client_alone(service: Bridge) -> None:
    answer = service.token({**GRANT, "resource": API}, "svc").json
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
    keys = KeySet.import_key_set(service.http.get("/jwks").json)
    claims = jwt.decode(answer["access_token"], keys).claims
    assert {"iss": ISSUER, "sub": "svc", "client_id": "svc", "aud": API, "scope": "read"}.items() <= claims.items()
    assert "sid" not in claims


@pytest.mark.parametrize("scope", ["openid", "email", "read openid", "write"])
def test_no_scope_of_a_person_can_be_had(service: Bridge, scope: str) -> None:
    answer = service.token({**GRANT, "scope": scope}, "svc")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")


def test_userinfo_knows_nobody_behind_it(service: Bridge) -> None:
    token = service.token(GRANT, "svc").json["access_token"]
    answer = service.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")


@pytest.mark.parametrize("parameter", [{"resource": "https://other.example.com"}, {"audience": "x"}])
def test_an_unlisted_target_is_refused(service: Bridge, parameter: dict[str, Any]) -> None:
    assert service.token({**GRANT, **parameter}, "svc").json["error"] == "invalid_target"


def test_a_public_client_cannot_act_for_itself(bridge: Bridge) -> None:
    bridge.add_client("spa", public=True, grants=("client_credentials",))
    answer = bridge.token(GRANT, "spa")
    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")
