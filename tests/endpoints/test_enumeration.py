"""Nobody finds out which clients exist, neither by what an answer says nor by how long it takes (threats O20)."""

import time
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from conftest import Bridge

from bridge.model import CLIENT_CREDENTIALS
from bridge.oauth.request import Answer, HttpRequest
from bridge.web.endpoints import answer_to

SAMPLES = 200
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def bridge(make_bridge: Callable[..., Bridge]) -> Bridge:
    """One that counts no failures, else most of the samples would be told to come later."""
    bridge = make_bridge(BRIDGE_LIMITS="failures=off")
    bridge.add_client("known", grants=(CLIENT_CREDENTIALS,), scopes=("read",))
    bridge.add_client("off", grants=(CLIENT_CREDENTIALS,), scopes=("read",), disabled=True)
    bridge.add_client("spa", public=True)
    return bridge


def guess(bridge: Bridge, client_id: str) -> tuple[Answer, int]:
    """The answer to a guessed secret, and how long it took in ns."""
    body = urlencode({"grant_type": CLIENT_CREDENTIALS, "client_id": client_id, "client_secret": "guessed"}).encode()
    route = bridge.http.application.wsgi_app.routes.find("/token")
    request = HttpRequest("POST", FORM, body, "192.0.2.1", bridge.clock())
    began = time.perf_counter_ns()
    answer = answer_to(route, request)
    return answer, time.perf_counter_ns() - began


def test_one_answer_for_a_client_that_exists_is_switched_off_is_public_or_does_not_exist(bridge: Bridge) -> None:
    said = set()
    for client_id in ("known", "off", "spa", "nobody", "n" * 65, "\u00fc"):
        answer, _ = guess(bridge, client_id)
        headers = {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
        said.add((answer.status, answer.body, tuple(sorted(headers.items()))))
    assert len(said) == 1


@pytest.mark.parametrize("known", ["known", "off", "spa"])
def test_the_time_does_not_tell_whether_a_client_exists(bridge: Bridge, known: str) -> None:
    """How often a guess at an existing client takes longer than one at another name: in half of all pairs."""
    for client_id in (known, "nobody"):
        guess(bridge, client_id)
    pairs = [(guess(bridge, known)[1], guess(bridge, "nobody")[1]) for _ in range(SAMPLES)]
    existing, absent = zip(*pairs, strict=True)
    longer = sum((a > b) + (a == b) / 2 for a in existing for b in absent) / SAMPLES**2
    assert 0.3 < longer < 0.7


def test_a_client_that_is_registered_is_known_within_two_seconds(bridge: Bridge) -> None:
    assert bridge.token({"grant_type": CLIENT_CREDENTIALS}, "late").status_code == 401
    bridge.add_client("late", grants=(CLIENT_CREDENTIALS,), scopes=("read",))
    bridge.forget_cache()
    assert bridge.token({"grant_type": CLIENT_CREDENTIALS}, "late").status_code == 200
