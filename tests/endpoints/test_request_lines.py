"""One line for each request in the log, from either door's code: what it tells, and what it never does."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import OFFLINE, Bridge

from bridge.logs import JsonFormatter

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Lines]:
    """What was written since it was last asked for."""
    caplog.set_level(logging.INFO, "bridge.requests")

    def written() -> list[dict[str, Any]]:
        found = [JsonFormatter().format(record) for record in caplog.records if record.name == "bridge.requests"]
        caplog.clear()
        assert all(line.isascii() and len(line.splitlines()) == 1 for line in found)
        return [json.loads(line) for line in found]

    return written


def test_an_answer_is_one_line_that_says_who_was_given_what_and_how_long_it_took(bridge: Bridge, lines: Lines) -> None:
    bridge.add_client(**OFFLINE)
    answer = bridge.exchange(bridge.assertion())
    (line,) = lines()
    assert line.pop("ms") > 0
    assert re.fullmatch(r"[0-9a-f]{16}", line["request_id"])
    assert answer.headers["X-Request-Id"] == line.pop("request_id")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "bridge.requests",
        "event": "request",
        "method": "POST",
        "endpoint": "token",
        "status": 200,
        "peer": "127.0.0.1",
        "client_id": "app",
        "grant_type": "token-exchange",
    }


def test_a_refusal_is_the_same_line_with_the_reason(bridge: Bridge, lines: Lines) -> None:
    bridge.add_client()
    assert bridge.exchange(bridge.assertion(origin="https://evil.example")).status_code == 400
    (line,) = lines()
    assert (line["status"], line["reason"], line["client_id"]) == (400, "audience_not_listed", "app")


def test_who_only_claims_to_be_a_client_is_not_named(bridge: Bridge, lines: Lines) -> None:
    bridge.add_client()
    bridge.token({"grant_type": "client_credentials", "client_id": "app", "client_secret": "wrong"}, None)
    (line,) = lines()
    assert line["reason"] == "client_authentication_failed"
    assert "client_id" not in line


def test_what_is_unavailable_is_a_warning(bridge: Bridge, lines: Lines) -> None:
    bridge.add_client()
    bridge.dynamic.emulator.faults.set("/sdk", "error")
    assert bridge.exchange(bridge.assertion()).status_code == 503
    (line,) = lines()
    assert (line["level"], line["reason"]) == ("warning", "keys_unavailable")


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status"),
    [
        ("GET", "/", "index", 200),
        ("GET", "/jwks", "jwks", 200),
        ("HEAD", "/jwks", "jwks", 200),
        ("GET", "/.well-known/openid-configuration", "discovery", 200),
        ("GET", "/.well-known/oauth-authorization-server", "discovery", 200),
        ("GET", "/.well-known/security.txt", "security-txt", 404),
        ("GET", "/token", "token", 405),
        ("OPTIONS", "/userinfo", "userinfo", 204),
        ("GET", "/userinfo", "userinfo", 401),
        ("GET", "/authorize?client_id=nobody", "authorize", 400),
        ("GET", "/account/erase", "account-erase", 303),
        ("GET", "/reasons/assertion_expired", "reason", 200),
        ("GET", "/signin/assets/x.js", "signin-assets", 404),
        ("POST", "/webhooks/dynamic/hunter2", "webhook", 404),
        ("GET", "/hunter2", "none", 404),
        ("POST", "/reasons", "none", 405),
        ("HUNTER2", "/", "none", 405),
        ("GET", "//jwks", "none", 404),
    ],
)
def test_every_answer_has_a_line_and_an_id_and_an_endpoint_has_one_name(
    bridge: Bridge, lines: Lines, method: str, path: str, endpoint: str, status: int
) -> None:
    answer = bridge.http.open(path, method=method)
    (line,) = lines()
    assert (line["endpoint"], line["status"], answer.status_code) == (endpoint, status, status)
    assert answer.headers.getlist("X-Request-Id") == [line["request_id"]]
    assert "hunter2" not in json.dumps(line).lower()


def test_an_endpoint_has_the_same_name_below_an_issuers_path(make_bridge: Callable[..., Bridge], lines: Lines) -> None:
    bridge = make_bridge(BRIDGE_ISSUER="http://localhost:8080/auth")
    for path in ("/auth/jwks", "/auth/token", "/.well-known/openid-configuration/auth", "/auth/reasons"):
        bridge.http.get(path)
    assert [line["endpoint"] for line in lines()] == ["jwks", "token", "discovery", "reasons"]


def test_an_error_that_a_client_is_told_by_a_redirect_has_its_reason(bridge: Bridge, lines: Lines) -> None:
    back = "https://app.example.com/cb"
    bridge.add_client(grants=("authorization_code",), redirect_uris=(back,), require_pkce=False)
    query = {"client_id": "app", "redirect_uri": back, "response_type": "code", "scope": "openid", "prompt": "none"}
    assert bridge.http.get("/authorize", query_string=query).status_code == 303
    (line,) = lines()
    assert (line["status"], line["reason"]) == (303, "login_required")


def test_a_page_that_refuses_shows_the_id_of_its_line(bridge: Bridge, lines: Lines) -> None:
    answer = bridge.http.get("/authorize?client_id=nobody")
    (line,) = lines()
    assert line["reason"] == "client_unknown"
    assert line["request_id"] in answer.text


def test_a_bug_is_logged_under_the_id_of_its_line(bridge: Bridge, caplog: pytest.LogCaptureFixture) -> None:
    bridge.add_client()
    del bridge.http.application.extensions["bridge"].keyring._held  # no input makes one
    answer = bridge.http.get("/jwks")
    assert answer.status_code == 500
    bug, line = caplog.records
    assert bug.getMessage() == "bug"
    assert bug.request_id == line.fields["request_id"] == answer.headers["X-Request-Id"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "given",
    [
        "hunter2\r\nforged: line",
        "x" * 65,
        "short",
        "",
        "a b c d e f g",
        '"},{"level":"error"',
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
        "dob_refresh_0123456789",
        "идентификатор",
    ],
)
def test_a_proxys_id_is_not_taken_unless_it_has_the_form_of_one(
    make_bridge: Callable[..., Bridge], lines: Lines, given: str
) -> None:
    bridge = make_bridge(BRIDGE_PROXIES="1")
    answer = bridge.http.get("/jwks", environ_overrides={"HTTP_X_REQUEST_ID": given})
    (line,) = lines()
    assert line["request_id"] != given
    assert answer.headers["X-Request-Id"] == line["request_id"]


@pytest.mark.parametrize(("proxies", "taken"), [("0", False), ("1", True)])
def test_a_proxys_id_is_taken_and_a_clients_own_is_not(
    make_bridge: Callable[..., Bridge], lines: Lines, proxies: str, taken: bool
) -> None:
    given = "5f2b9c0d-1e7a-4386.x_y"
    answer = make_bridge(BRIDGE_PROXIES=proxies).http.get("/jwks", headers={"X-Request-Id": given})
    (line,) = lines()
    assert (line["request_id"] == given) is taken
    assert answer.headers["X-Request-Id"] == line["request_id"]


@pytest.mark.parametrize(
    ("traceparent", "kept"),
    [
        (f"00-{TRACE}-{PARENT}-01", True),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-brings", True),
        (f"00-{TRACE}-{PARENT}-01-more", False),
        (f"ff-{TRACE}-{PARENT}-01", False),
        (f"00-{'0' * 32}-{PARENT}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-{PARENT}-01", False),
        (f"00-{TRACE}x-{PARENT}-01", False),
        (f"00-{TRACE}-{PARENT}", False),
        (f"00-{TRACE}-{PARENT}-01\n", False),
        ("", False),
    ],
)
def test_of_a_traceparent_the_trace_id_is_kept_if_it_is_well_formed(
    bridge: Bridge, lines: Lines, traceparent: str, kept: bool
) -> None:
    bridge.http.get("/jwks", environ_overrides={"HTTP_TRACEPARENT": traceparent})
    (line,) = lines()
    assert line.get("trace_id") == (TRACE if kept else None)
    assert PARENT not in json.dumps(line)


HOSTILE = (
    "eyJhbGciOiJSUzI1NiJ9.SECRETSECRETSECRET.SECRET",
    "dob_refresh_SECRETSECRETSECRET",
    'SECRET\r\n{"level": "error"}',
    "SECRET\u2028\x00\x1b[2J",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_stranger_writes_gets_into_a_line(
    make_bridge: Callable[..., Bridge], lines: Lines, text: str
) -> None:
    bridge = make_bridge(BRIDGE_PROXIES="1")
    bridge.add_client()
    latin = text.encode().decode("latin-1")
    for path in ("/token", "/authorize", "/nothing", "/reasons/x", "/webhooks/dynamic/x", "/account"):
        environ = {
            "PATH_INFO": path if path == "/token" else f"{path}{latin}",
            "QUERY_STRING": f"code={latin}&state={latin}",
            "HTTP_X_FORWARDED_FOR": "203.0.113.9",
            **{f"HTTP_{name}": latin for name in ("USER_AGENT", "REFERER", "COOKIE", "HOST", "ORIGIN", "TRACEPARENT")},
            "HTTP_X_REQUEST_ID": latin,
            "HTTP_AUTHORIZATION": f"Basic {latin}",
        }
        form = {"grant_type": text, "client_id": text, "client_secret": text, "refresh_token": text}
        bridge.http.post("/token", data=form, environ_overrides=environ)
    found = lines()
    assert len(found) == 6
    assert "SECRET" not in json.dumps(found)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_proxy_says_of_the_peer_is_cut_and_redacted(
    make_bridge: Callable[..., Bridge], lines: Lines, text: str
) -> None:
    bridge = make_bridge(BRIDGE_PROXIES="1")
    latin = text.encode().decode("latin-1")
    for peer in (latin, "x" * 9000, "2001:db8::1"):
        bridge.http.get("/jwks", environ_overrides={"HTTP_X_FORWARDED_FOR": peer})
    said, long, plain = (line["peer"] for line in lines())
    assert "SECRETSECRET" not in said
    assert len(long) == 64
    assert plain == "2001:db8::1"


def test_questions_of_machines_of_ones_own_are_told_at_debug_alone(
    bridge: Bridge, caplog: pytest.LogCaptureFixture, lines: Lines
) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        bridge.http.get(path)
    assert lines() == []
    caplog.set_level(logging.DEBUG, "bridge.requests")
    bridge.http.get("/healthz")
    assert [line["endpoint"] for line in lines()] == ["healthz"]


def test_the_log_level_says_how_much_is_told(bridge: Bridge, caplog: pytest.LogCaptureFixture, lines: Lines) -> None:
    caplog.set_level(logging.WARNING, "bridge.requests")
    bridge.http.get("/jwks")
    assert lines() == []
    bridge.add_client()
    bridge.dynamic.emulator.faults.set("/sdk", "error")
    bridge.exchange(bridge.assertion())
    assert [line["status"] for line in lines()] == [503]
