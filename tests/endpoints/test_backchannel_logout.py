"""Back-channel logout from end to end: whoever ends a session, every client of it is told by a token it can verify."""

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import WEB, Browser
from conftest import Bridge
from joserfc import jwt
from joserfc.jwk import KeySet
from receiving import Receiver, accepted, receiving

from bridge.delivery.deliver import Delivery

pytestmark = pytest.mark.both_databases
SHARED = {**WEB, "assertion_origins": ("https://app.example.com",)}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def delivery(bridge: Bridge) -> Delivery:
    made: Delivery = bridge.http.application.extensions["bridge"].delivery(bridge.config, bridge.clock)
    return made


def claims_of(bridge: Bridge, token: str, client_id: str, alg: str = "RS256") -> Any:
    jwks = bridge.http.get("/jwks").json
    return accepted(token, jwks, issuer=bridge.config.issuer, client_id=client_id, now=bridge.clock(), alg=alg)


def outbox(bridge: Bridge) -> list[tuple[Any, ...]]:
    return bridge.rows("SELECT receiver, attempts, last_error, dead_at IS NOT NULL FROM outbox ORDER BY id")


def test_signing_out_at_one_app_ends_the_session_at_the_others(
    bridge: Bridge, delivery: Delivery, receiver: Receiver
) -> None:
    bridge.add_client("app", **SHARED)
    bridge.add_client("other", **SHARED, backchannel_logout_uri=receiver.uri)
    bridge.add_client("quiet", **SHARED)
    browser, user = Browser(bridge), bridge.user()
    hint = browser.tokens(user)["id_token"]
    told = browser.tokens(user, "other")["id_token"]
    browser.tokens(user, "quiet")
    browser.get(f"/logout?id_token_hint={hint}")
    assert receiver.tokens == []
    delivery.run_due(bridge.clock())
    (token,) = receiver.tokens
    of_id_token = jwt.decode(told, KeySet.import_key_set(bridge.http.get("/jwks").json), algorithms=["RS256"]).claims
    claims = claims_of(bridge, token, "other")
    assert (claims["sub"], claims["sid"]) == (of_id_token["sub"], of_id_token["sid"])
    assert receiver.types == ["application/x-www-form-urlencoded"]
    assert outbox(bridge) == []
    delivery.run_due(bridge.clock())
    assert len(receiver.tokens) == 1
    found = bridge.rows("SELECT actor, client_id, sub, sid FROM audit WHERE event = 'logout_delivered'")
    assert found == [("bridge", "other", user.id, claims["sid"])]
