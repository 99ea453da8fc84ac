"""POST /token: what every grant type shares."""

import pytest
from conftest import ISSUER, JWT, Bridge

from bridge.model import TOKEN_EXCHANGE

FORM = {"grant_type": TOKEN_EXCHANGE, "subject_token": "x", "subject_token_type": JWT}
URLENCODED = "application/x-www-form-urlencoded"


def test_every_answer_forbids_keeping_it(bridge: Bridge) -> None:
    bridge.add_client()
    for answer in (bridge.exchange(bridge.assertion()), bridge.exchange("junk"), bridge.token({}, None)):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("form", "error", "reason"),
    [
        ({}, "invalid_request", "parameter_missing"),
        ({"grant_type": ""}, "invalid_request", "parameter_missing"),
        ({"grant_type": "password"}, "unsupported_grant_type", "grant_type_unsupported"),
        ({"grant_type": f"{TOKEN_EXCHANGE} "}, "unsupported_grant_type", "grant_type_unsupported"),
        ({"grant_type": "<script>alert(1)</script>"}, "unsupported_grant_type", "grant_type_unsupported"),
    ],
)
def test_a_bad_grant_type_is_named_and_never_echoed(
    bridge: Bridge, form: dict[str, str], error: str, reason: str
) -> None:
    bridge.add_client()
    answer = bridge.token(form)
    assert answer.status_code == 400
    assert answer.json["error"] == error
    assert answer.json["error_uri"] == f"{ISSUER}/reasons/{reason}"
    assert "alert" not in answer.text


def test_an_error_description_holds_only_what_rfc_6749_allows(bridge: Bridge) -> None:
    bridge.add_client()
    for answer in (bridge.exchange("junk"), bridge.exchange("a.b.c"), bridge.token({"grant_type": "\u00e9"})):
        for member in ("error_description", "error_uri"):
            assert all(" " <= character <= "~" and character not in '"\\' for character in answer.json[member])


def test_the_query_string_is_never_read(bridge: Bridge) -> None:
    bridge.add_client()
    secret = bridge.secrets["app"]
    query = f"grant_type={TOKEN_EXCHANGE}&client_id=app&client_secret={secret}&subject_token_type={JWT}"
    answer = bridge.http.post(f"/token?{query}&subject_token={bridge.assertion()}", data={})
    assert answer.json["error_uri"].endswith("request_malformed")
    answer = bridge.http.post(f"/token?{query}", data={"subject_token": bridge.assertion()})
    assert answer.json["error_uri"].endswith("parameter_missing")


@pytest.mark.parametrize("name", ["grant_type", "client_id", "subject_token", "scope", "unknown"])
def test_a_repeated_parameter_is_refused(bridge: Bridge, name: str) -> None:
    bridge.add_client()
    answer = bridge.token({**FORM, name: ["one", "two"]})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert answer.json["error_uri"].endswith("parameter_repeated")


def test_an_empty_parameter_counts_as_absent_and_an_unknown_one_is_ignored(bridge: Bridge) -> None:
    bridge.add_client()
    answer = bridge.exchange(bridge.assertion(), scope="", actor_token="", audience="", surprise="yes")
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"grant_type": "client_credentials"}'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nx\r\n--x--',
        ),
        ("text/plain", b"grant_type=client_credentials"),
        ("", b"grant_type=client_credentials"),
        (URLENCODED, b"grant_type=%ff%fe"),
        (URLENCODED, b"grant_type=\xff"),
        (URLENCODED, b"grant_type=client_credentials&client_id=a%00b"),
        (URLENCODED, b"grant_type=client_credentials&client_id=a%0d%0ab"),
        (URLENCODED, b"&".join(b"p%d=1" % number for number in range(65))),
    ],
)
def test_what_is_not_a_plain_form_is_refused(bridge: Bridge, content_type: str, body: bytes) -> None:
    answer = bridge.http.post("/token", data=body, content_type=content_type)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert answer.json["error_uri"].endswith("request_malformed")


@pytest.mark.parametrize("path", ["/token", "/introspect", "/userinfo"])
def test_a_body_over_64_kb_is_refused(bridge: Bridge, path: str) -> None:
    answer = bridge.http.post(path, data=b"a=" + b"x" * 65536, content_type=URLENCODED)
    assert (answer.status_code, answer.json["error"]) == (413, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE"])
def test_another_method_is_refused(bridge: Bridge, method: str) -> None:
    answer = bridge.http.open("/token", method=method)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_client_may_use_only_its_grants(bridge: Bridge) -> None:
    bridge.add_client()
    answer = bridge.token({"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")
