"""Client authentication: exactly one method, the registered one, and one answer to every failure."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote_plus

import pytest
from conftest import Bridge

from bridge.store import clients

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def service(bridge: Bridge) -> Bridge:
    """A bridge with a confidential client `svc` and a public one `spa`."""
    bridge.add_client("svc", grants=("client_credentials",), scopes=("read",))
    bridge.add_client("spa", public=True)
    return bridge


def basic(user: str, password: str) -> Mapping[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def raw_basic(value: bytes | str) -> Mapping[str, str]:
    encoded = value if isinstance(value, str) else b64encode(value).decode()
    return {"Authorization": f"Basic {encoded}"}


def test_basic_and_post_are_both_accepted_of_one_client(service: Bridge) -> None:
    secret = service.secrets["svc"]
    assert service.http.post("/token", data=GRANT, headers=basic("svc", secret)).status_code == 200
    post = service.http.post("/token", data={**GRANT, "client_id": "svc", "client_secret": secret})
    assert post.status_code == 200


def test_basic_credentials_are_form_decoded(service: Bridge) -> None:
    def encoded_as_openid_client_does(text: str) -> str:
        return quote_plus(text).replace("-", "%2D").replace("_", "%5F")

    headers = basic(*map(encoded_as_openid_client_does, ("svc", service.secrets["svc"])))
    assert service.http.post("/token", data=GRANT, headers=headers).status_code == 200


def test_the_scheme_is_read_in_any_case_and_the_client_id_may_stand_in_the_body_too(service: Bridge) -> None:
    credentials = basic("svc", service.secrets["svc"])["Authorization"].removeprefix("Basic ")
    answer = service.http.post(
        "/token", data={**GRANT, "client_id": "svc"}, headers={"Authorization": f"bAsIc {credentials}"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        basic("svc", "wrong"),
        basic("svc", ""),
        basic("nobody", "wrong"),
        basic("spa", "anything"),
        basic("svc", "dob_secret_\u00e9"),
        raw_basic(b"svc"),
        raw_basic(b"\xff\xfe:x"),
        raw_basic(b"svc%ff:x"),
        raw_basic(b"svc\x00:x"),
        raw_basic("%%%not-base64%%%"),
        raw_basic(""),
        {"Authorization": "Basic"},
        {"Authorization": "Bearer abc"},
        {"Authorization": "Digest username=svc"},
    ],
)
def test_every_failure_in_the_header_has_one_answer(service: Bridge, headers: Mapping[str, str]) -> None:
    answer = service.http.post("/token", data=GRANT, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    expected = service.http.post("/token", data={**GRANT, "client_id": "nobody", "client_secret": "x"})
    assert answer.json == expected.json


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"client_id": "svc"},
        {"client_id": "svc", "client_secret": ""},
        {"client_id": "svc", "client_secret": "wrong"},
        {"client_id": "nobody"},
        {"client_id": "nobody", "client_secret": "wrong"},
        {"client_id": "spa", "client_secret": "wrong"},
        {"client_id": "SVC", "client_secret": "wrong"},
        {"client_assertion": "x", "client_assertion_type": "y"},
        {"client_id": "svc", "client_assertion": "x"},
    ],
)
def test_every_failure_in_the_body_has_the_same_answer_without_a_challenge(
    service: Bridge, form: dict[str, str]
) -> None:
    answer = service.http.post("/token", data={**GRANT, **form})
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(
    "body", [{"client_secret": "x"}, {"client_id": "svc", "client_secret": "x"}, {"client_id": "spa"}]
)
def test_two_ways_at_once_are_refused(service: Bridge, body: dict[str, str]) -> None:
    answer = service.http.post("/token", data={**GRANT, **body}, headers=basic("svc", service.secrets["svc"]))
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_right_secret_beside_a_junk_assertion_is_refused(service: Bridge) -> None:
    form = {**GRANT, "client_id": "svc", "client_secret": service.secrets["svc"], "client_assertion": "junk"}
    assert service.http.post("/token", data=form).status_code == 400


def test_a_public_client_names_itself_and_proves_nothing(service: Bridge) -> None:
    answer = service.exchange(service.assertion(), "spa")
    assert answer.status_code == 200


def test_two_secrets_are_live_during_a_rotation_and_one_after_it(service: Bridge) -> None:
    old = service.secrets["svc"]
    with service.database.writing() as tx:
        new = clients.add_secret(tx, "svc", service.clock(), overlap=600)
    service.clock.forward(clients.CACHED_FOR)

    def status(secret: str) -> int:
        return service.http.post("/token", data=GRANT, headers=basic("svc", secret)).status_code

    assert (status(old), status(new)) == (200, 200)
    service.clock.forward(600)
    assert (status(old), status(new)) == (401, 200)


def test_a_disabled_client_is_refused_within_two_seconds_whatever_it_knows(service: Bridge) -> None:
    assert service.token(GRANT, "svc").status_code == 200
    with service.database.writing() as tx:
        client = clients.find(tx, "svc")
        assert client is not None
        clients.change(tx, replace(client, disabled=True), service.clock())
    service.clock.forward(clients.CACHED_FOR)
    answer = service.token(GRANT, "svc")
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_failures_slow_down_and_a_right_secret_still_passes(service: Bridge) -> None:
    wrong = {**GRANT, "client_id": "svc", "client_secret": "wrong"}
    statuses = [service.http.post("/token", data=wrong).status_code for _ in range(32)]
    assert statuses == [401] * 30 + [429] * 2
    answer = service.http.post("/token", data=wrong)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert service.token(GRANT, "svc").status_code == 200
    service.clock.forward(60)
    assert service.http.post("/token", data=wrong).status_code == 401


def test_a_client_of_bridge_toml_authenticates_by_its_digest(make_bridge: Callable[..., Bridge]) -> None:
    secret = clients.new_secret()
    bridge = make_bridge(
        toml=f'[[clients]]\nclient_id = "declared"\ngrants = ["client_credentials"]\n'
        f'scopes = ["read"]\nsecret_sha256 = ["{clients.secret_digest(secret)}"]\n'
    )
    form = {**GRANT, "client_id": "declared"}
    assert bridge.http.post("/token", data={**form, "client_secret": secret}).status_code == 200
    assert bridge.http.post("/token", data={**form, "client_secret": "x"}).status_code == 401


def test_a_disabled_client_that_used_basic_is_challenged_too(service: Bridge) -> None:
    service.add_client("off", grants=("client_credentials",), disabled=True)
    answer = service.http.post("/token", data=GRANT, headers=basic("off", service.secrets["off"]))
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_an_empty_password_is_no_secret(service: Bridge) -> None:
    answer = service.http.post("/token", data=GRANT, headers=basic("spa", ""))
    assert answer.status_code == 401
