"""CORS (threats O15): documents for anybody, tokens for registered origins, credentials for nobody."""

import pytest
from conftest import Bridge

from bridge.store import clients

SPA = "https://spa.example.com"


@pytest.fixture
def bridge_with_spa(bridge: Bridge) -> Bridge:
    bridge.add_client("spa", public=True, cors_origins=(SPA,))
    return bridge


@pytest.mark.parametrize("path", ["/token", "/userinfo"])
def test_a_registered_origin_may_preflight_and_read(bridge_with_spa: Bridge, path: str) -> None:
    asked = {"Origin": SPA, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = bridge_with_spa.http.options(path, headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == SPA
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    answer = bridge_with_spa.http.post(path, headers={"Origin": SPA})
    assert answer.headers["Access-Control-Allow-Origin"] == SPA
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://spa.example.com.evil.example", "*", ""])
@pytest.mark.parametrize("path", ["/token", "/userinfo"])
def test_another_origin_may_not(bridge_with_spa: Bridge, path: str, origin: str) -> None:
    for answer in (
        bridge_with_spa.http.options(path, headers={"Origin": origin}),
        bridge_with_spa.http.post(path, headers={"Origin": origin}),
    ):
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_introspection_is_for_no_page(bridge_with_spa: Bridge) -> None:
    assert bridge_with_spa.http.options("/introspect", headers={"Origin": SPA}).status_code == 405
    answer = bridge_with_spa.http.post("/introspect", headers={"Origin": SPA})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_an_origin_that_a_client_adds_is_known_within_two_seconds(bridge_with_spa: Bridge) -> None:
    late = "https://late.example.com"
    assert "Access-Control-Allow-Origin" not in bridge_with_spa.http.post("/token", headers={"Origin": late}).headers
    bridge_with_spa.add_client("late", public=True, cors_origins=(late,))
    bridge_with_spa.clock.forward(clients.CACHED_FOR)
    answer = bridge_with_spa.http.post("/token", headers={"Origin": late})
    assert answer.headers["Access-Control-Allow-Origin"] == late
