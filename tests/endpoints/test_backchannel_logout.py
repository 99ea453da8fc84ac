"""Back-channel logout from end to end: whoever ends a session, every client of it is told by a token it can verify."""

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import CALLBACK, WEB, Browser
from conftest import OFFLINE, Bridge, decoded
from joserfc import jwt
from joserfc.jwk import KeySet
from receiving import Receiver, accepted, receiving

from bridge.delivery import pace
from bridge.delivery.deliver import Delivery
from bridge.history import OPERATOR
from bridge.lifecycle.endings import revoke_user
from bridge.store.outbox import Kind, Lane, Message, put

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


@pytest.fixture
def told(bridge: Bridge, receiver: Receiver) -> Bridge:
    """A bridge with a client that keeps grants and is told of their end."""
    bridge.add_client("app", **OFFLINE, backchannel_logout_uri=receiver.uri)
    return bridge


def end_all(bridge: Bridge, user: Any) -> None:
    with bridge.database.writing() as tx:
        assert revoke_user(tx, user.id, actor=OPERATOR, now=bridge.clock()) is not None


def owe(bridge: Bridge, count: int = 1, client_id: str = "app", *, sid: str = "s") -> None:
    """Messages to a client as they stand in the outbox after so many endings."""
    facts = {"sub": "22222222-2222-4222-8222-222222222222"}
    with bridge.database.writing() as tx:
        messages = (Message(Kind.BACKCHANNEL_LOGOUT, client_id, {**facts, "sid": f"{sid}{n}"}) for n in range(count))
        put(tx, messages, bridge.clock())


def events(bridge: Bridge) -> list[tuple[Any, ...]]:
    return bridge.rows("SELECT event, detail FROM audit WHERE event LIKE 'logout%' ORDER BY id")


def test_a_client_that_exchanges_tokens_is_told_when_its_user_is_signed_out_everywhere(
    told: Bridge, delivery: Delivery, receiver: Receiver
) -> None:
    user = told.user()
    told.keep(user)
    end_all(told, user)
    delivery.run_due(told.clock())
    assert claims_of(told, receiver.tokens[0], "app")["sub"] == user.id
    assert events(told) == [("logout_delivered", '{"attempts":1}')]


@pytest.mark.parametrize("alg", ["RS256", "ES256", "Ed25519"])
def test_the_token_is_signed_as_the_clients_id_tokens_are_and_names_the_user_as_they_do(
    bridge: Bridge, delivery: Delivery, receiver: Receiver, alg: str
) -> None:
    bridge.add_client(**OFFLINE, backchannel_logout_uri=receiver.uri, id_token_alg=alg, subject_type="pairwise")
    user = bridge.user()
    id_token = bridge.exchange(bridge.assertion(user), scope="openid offline_access").json["id_token"]
    end_all(bridge, user)
    delivery.run_due(bridge.clock())
    keys = KeySet.import_key_set(bridge.http.get("/jwks").json)
    shown = jwt.decode(id_token, keys, algorithms=[alg]).claims
    claims = claims_of(bridge, receiver.tokens[0], "app", alg)
    assert (claims["sub"], claims["sid"]) == (shown["sub"], shown["sid"])
    assert claims["sub"] != user.id


def test_a_logout_token_is_no_other_token(told: Bridge, delivery: Delivery, receiver: Receiver) -> None:
    owe(told)
    delivery.run_due(told.clock())
    (token,) = receiver.tokens
    assert told.userinfo(token).status_code == 401
    assert told.call("/introspect", token).json == {"active": False}
    assert told.exchange(token).status_code == 400
    hinted = told.http.get("/logout", query_string={"id_token_hint": token, "post_logout_redirect_uri": CALLBACK})
    assert hinted.status_code == 400, "as a hint it names nobody's client"


@pytest.mark.parametrize("status", [200, 204])
def test_success_is_200_or_204(told: Bridge, delivery: Delivery, receiver: Receiver, status: int) -> None:
    receiver.status = status
    owe(told)
    delivery.run_due(told.clock())
    assert outbox(told) == []


def test_each_attempt_has_a_token_of_its_own(told: Bridge, delivery: Delivery, receiver: Receiver) -> None:
    owe(told, 2)
    delivery.run_due(told.clock())
    assert len({claims_of(told, token, "app")["jti"] for token in receiver.tokens}) == 2


@pytest.mark.parametrize("status", [202, 302, 307, 401, 404, 429, 500, 503])
def test_another_answer_means_that_the_receiver_is_away(
    told: Bridge, delivery: Delivery, receiver: Receiver, status: int
) -> None:
    receiver.status, receiver.headers = status, {"Location": receiver.uri}
    owe(told, 20)
    delivery.run_due(told.clock())
    assert receiver.arrived == 1, "the others wait, and no redirect is followed"
    error = "answer is a redirect" if status in (302, 307) else f"status {status}"
    assert outbox(told)[0] == ("app", 1, error, False)
    assert set(outbox(told)[1:]) == {("app", 0, None, False)}
    receiver.status = 200
    told.clock.forward(6)
    delivery.run_due(told.clock())
    assert (outbox(told), len(receiver.tokens)) == ([], 20)


@pytest.mark.parametrize(("asked", "granted"), [("1200", 1200), ("999999", pace.LONGEST_RETRY_AFTER), ("1", 4)])
def test_a_receiver_is_left_alone_for_as_long_as_it_asks_within_reason(
    told: Bridge, delivery: Delivery, receiver: Receiver, asked: str, granted: int
) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": asked}
    owe(told, 3)
    delivery.run_due(told.clock())
    receiver.status = 200
    told.clock.forward(granted - 1)
    delivery.run_due(told.clock())
    assert receiver.arrived == 1
    told.clock.forward(3)
    delivery.run_due(told.clock())
    assert len(receiver.tokens) == 3


def test_a_clock_that_was_set_back_makes_nobody_wait_for_what_is_owed(
    told: Bridge, delivery: Delivery, receiver: Receiver
) -> None:
    receiver.status = 503
    owe(told, 3)
    delivery.run_due(told.clock())
    delivery._look()
    assert receiver.arrived == 1, "and its receiver is left alone for now"
    receiver.status = 200
    told.clock.forward(-3600)
    assert delivery._look() == [Lane(Kind.BACKCHANNEL_LOGOUT, "app")]
    delivery.run_due(told.clock())
    assert len(receiver.tokens) == 3


def test_a_receiver_that_is_down_for_an_hour_hears_of_everything_when_it_is_back(
    told: Bridge, delivery: Delivery, receiver: Receiver
) -> None:
    owe(told, 50)
    receiver.status = 503
    for minute in range(60):
        owe(told, 1)
        delivery.run_due(told.clock())
        told.clock.forward(60)
        assert receiver.arrived <= 2 * minute + 6, "a probe at a time"
    receiver.status = 200
    told.clock.forward(pace.PROBES + 30)
    delivery.run_due(told.clock())
    assert outbox(told) == []
    assert len(receiver.tokens) == 110
    assert told.rows("SELECT failing_since, failures, last_error FROM receivers") == [(None, 0, None)]
    assert len(events(told)) == 110


def test_a_lone_message_is_probed_with_until_its_receiver_is_back(
    told: Bridge, delivery: Delivery, receiver: Receiver
) -> None:
    owe(told)
    receiver.status = 503
    for _ in range(240):
        delivery.run_due(told.clock())
        told.clock.forward(60)
    receiver.status = 200
    told.clock.forward(pace.PROBES + 30)
    delivery.run_due(told.clock())
    assert len(receiver.tokens) == 1


def test_what_a_receiver_refuses_is_tried_a_few_times_and_holds_up_nothing(
    told: Bridge, delivery: Delivery, receiver: Receiver
) -> None:
    receiver.status = 400
    owe(told, 2)
    delivery.run_due(told.clock())
    assert receiver.arrived == 2, "it answers: the second is sent as well"
    for _ in range(pace.REFUSALS):
        told.clock.forward(4400)
        delivery.run_due(told.clock())
    assert receiver.arrived == 2 * pace.REFUSALS
    assert outbox(told) == [("app", pace.REFUSALS, "status 400", True)] * 2
    assert events(told) == [("logout_undelivered", f'{{"attempts":{pace.REFUSALS},"error":"status 400"}}')] * 2


def test_what_waits_for_a_receiver_that_is_away_for_days_is_given_up(
    told: Bridge, delivery: Delivery, receiver: Receiver
) -> None:
    receiver.status = 500
    owe(told, 3)
    delivery.run_due(told.clock())
    told.clock.forward(pace.PATIENCE - 10)
    owe(told, 1)
    delivery.run_due(told.clock())
    assert not any(dead for *_, dead in outbox(told))
    told.clock.forward(600)
    delivery.run_due(told.clock())
    assert [dead for *_, dead in outbox(told)] == [True, True, True, False]
    assert [event for event, _ in events(told)] == ["logout_undelivered"] * 3


def test_where_nobody_is_to_be_told_any_more_the_message_goes(told: Bridge, delivery: Delivery) -> None:
    told.add_client("quiet")
    for client_id in ("quiet", "unknown"):
        owe(told, 1, client_id)
    delivery.run_due(told.clock())
    assert outbox(told) == []
    assert [event for event, _ in events(told)] == ["logout_undelivered"] * 2


def test_a_message_that_alone_breaks_its_receiver_does_not_stop_the_others(
    told: Bridge, delivery: Delivery, receiver: Receiver
) -> None:
    receiver.breaks_on = "poison0"
    owe(told, 1, sid="poison")
    for _ in range(20):
        owe(told, 3)
        for _ in range(3):
            delivery.run_due(told.clock())
            told.clock.forward(7)
    assert len(receiver.tokens) >= 57, "at most the last round waits"
    assert ("app", "status 500") in [(name, error) for name, _, error, _ in outbox(told)]
    for _ in range(pace.ATTEMPTS):
        told.clock.forward(4400)
        delivery.run_due(told.clock())
    assert len(receiver.tokens) == 60
    assert [(error, dead) for _, _, error, dead in outbox(told)] == [("status 500", True)]


def test_no_token_and_no_address_stands_in_the_database_or_the_log(
    told: Bridge, delivery: Delivery, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    owe(told)
    delivery.run_due(told.clock())
    for table in ("outbox", "receivers", "audit"):
        for row in told.rows(f"SELECT * FROM {table}"):
            assert "eyJ" not in str(row)
            assert receiver.uri not in str(row)
    assert "eyJ" not in caplog.text


def test_exchanges_of_one_session_share_a_grant_until_their_user_is_signed_out(
    told: Bridge, delivery: Delivery, receiver: Receiver
) -> None:
    user = told.user()
    assertion = told.assertion(user)

    def exchanged(scope: str = "openid profile") -> str:
        answer = told.exchange(assertion, scope=scope)
        assert answer.status_code == 200, answer.json
        return str(answer.json["access_token"])

    grants = {str(decoded(told, exchanged())["grant_id"]) for _ in range(5)}
    assert len(grants) == 1
    assert decoded(told, exchanged("openid"))["grant_id"] not in grants, "what was allowed is told of each"
    before = exchanged()
    assert told.userinfo(before).status_code == 200
    end_all(told, user)
    assert told.userinfo(before).status_code == 401
    delivery.run_due(told.clock())
    assert len(receiver.tokens) == 1, "one session, one client: told once"

    told.clock.forward(60)
    again = told.exchange(told.assertion(user), scope="openid profile").json["access_token"]
    assert decoded(told, again)["grant_id"] not in grants
    assert told.userinfo(again).status_code == 200
