"""Property: no request whatever gets a 5xx, and no answer repeats what it was sent."""

import string
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import JWT, Bridge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.emulator import User
from bridge.model import TOKEN_EXCHANGE

pytestmark = pytest.mark.both_databases

# The application is one for all examples of a test: nothing that a hostile request does may outlast it.
HOSTILE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

PATHS = st.sampled_from(["/token", "/userinfo", "/introspect", "/jwks", "/", "/reasons/x", "/healthz"])
METHODS = st.sampled_from(["GET", "POST", "PUT", "OPTIONS", "HEAD", "DELETE"])
HEADER_VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60)
HEADERS = st.dictionaries(
    st.sampled_from(["Authorization", "Content-Type", "Origin", "Host", "If-None-Match", "Cookie", "Accept"]),
    HEADER_VALUES,
    max_size=4,
)
NAMES = st.sampled_from(
    ["grant_type", "client_id", "client_secret", "scope", "resource", "audience", "subject_token", "token", "x"]
)
FORMS = st.lists(st.tuples(NAMES, st.text(max_size=40)), max_size=8)
SEGMENT = st.text(string.ascii_letters + string.digits + "-_", max_size=40)


@contextmanager
def no_5xx() -> Iterator[list[int]]:
    statuses: list[int] = []
    yield statuses
    assert all(status < 500 for status in statuses), statuses


@HOSTILE
@given(method=METHODS, path=PATHS, headers=HEADERS, body=st.binary(max_size=300))
def test_any_bytes_anywhere_never_get_a_5xx(
    bridge: Bridge, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    with no_5xx() as statuses:
        statuses.append(bridge.http.open(path, method=method, headers=headers, data=body).status_code)


@HOSTILE
@given(form=FORMS)
def test_any_form_at_the_token_endpoint_never_gets_a_5xx(bridge: Bridge, form: list[tuple[str, str]]) -> None:
    with no_5xx() as statuses:
        fields: dict[str, list[str]] = {}
        for name, value in form:
            fields.setdefault(name, []).append(value)
        statuses.append(bridge.http.post("/token", data=fields).status_code)


@pytest.fixture
def good(bridge: Bridge) -> str:
    """An assertion that would be accepted."""
    bridge.add_client()
    return bridge.assertion()


@HOSTILE
@given(data=st.data())
def test_any_change_to_a_good_assertion_is_refused(bridge: Bridge, good: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(good) - 1))
    length = data.draw(st.integers(0, 5))
    mutated = good[:at] + data.draw(st.text(max_size=5)) + good[at + length :]
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": JWT, "subject_token": mutated}
    assert bridge.token(form).status_code == (200 if mutated == good else 400)


CLAIMS = ("sub", "sid", "aud", "iss", "exp", "iat", "scope", "environment_id", "verified_credentials", "originalSid")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@pytest.fixture
def someone(bridge: Bridge) -> User:
    """A user of whom the client may know everything."""
    bridge.add_client(scopes=("openid", "profile", "email", "phone", "address", "wallets", "groups"))
    return bridge.user()


@HOSTILE
@given(
    claim=st.sampled_from(CLAIMS),
    value=st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
)
def test_any_value_that_dynamic_might_sign_never_gets_a_5xx(
    bridge: Bridge, someone: User, claim: str, value: object
) -> None:
    assert bridge.exchange(bridge.assertion(someone, claims={claim: value})).status_code in (200, 400)


@HOSTILE
@given(token=st.text(max_size=60) | st.tuples(SEGMENT, SEGMENT, SEGMENT).map(".".join))
def test_any_access_token_never_gets_a_5xx(bridge: Bridge, token: str) -> None:
    with no_5xx() as statuses:
        statuses.append(bridge.http.post("/userinfo", data={"access_token": token}).status_code)
