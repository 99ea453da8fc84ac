"""Log lines: one JSON object each, whatever is logged, and nothing in them that opens a door."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from bridge.emulator import Emulator
from bridge.logs import JsonFormatter, redacted
from bridge.store.clients import new_secret

EMULATOR = Emulator()
JWT = EMULATOR.mint(EMULATOR.create_user(email="demo@example.com"))
HEADER, PAYLOAD, SIGNATURE = JWT.split(".")
SECRET = new_secret()
SECRETS = [
    (JWT, [PAYLOAD, SIGNATURE]),
    (f"{HEADER}.{PAYLOAD}", [PAYLOAD]),
    (PAYLOAD, [PAYLOAD]),  # a part alone tells as much
    (JWT[:200], [JWT[20:200]]),
    (f"{JWT}=", [SIGNATURE]),
    (SECRET, [SECRET[11:]]),
    ("dob_code_AbC-_123", ["AbC-_123"]),
    (EMULATOR.api_token, [EMULATOR.api_token[4:]]),
    ("Authorization: Basic YXBwOmh1bnRlcjI=", ["YXBwOmh1bnRlcjI"]),
    ("authorization: basic  YXBwOmh1bnRlcjI=", ["YXBwOmh1bnRlcjI"]),
    ("Bearer opaque.token~1+/x==", ["opaque"]),
    ("BEARER opaque-token", ["opaque"]),
    ("client_secret=hunter2&x=1", ["hunter2"]),
    ("https://app.example.com/cb?code=hunter2&state=s", ["hunter2"]),
    ("refresh_token=hunter2", ["hunter2"]),
    ("Password=hunter2", ["hunter2"]),
    ('password="hunter2"', ["hunter2"]),
    ("client_secret='hunter2'", ["hunter2"]),
    ('{"client_secret": "hunter2"}', ["hunter2"]),
    ("{'client_secret': 'hunter2'}", ["hunter2"]),
    ("postgresql://bridge:hunter2@db.example.com/bridge", ["hunter2"]),
]


def line(message: Any = "event", *args: Any, exc_info: Any = None, **extra: Any) -> dict[str, Any]:
    """A record as it is written: one line of JSON."""
    record = logging.getLogger("test").makeRecord("test", logging.INFO, "file", 1, message, args, exc_info, extra=extra)
    text = JsonFormatter().format(record)
    assert len(text.splitlines()) == 1
    assert text.isascii()
    parsed = json.loads(text)
    assert isinstance(parsed, dict)
    return parsed


def raised(error: Exception) -> Any:
    try:
        raise error
    except type(error):
        return sys.exc_info()


def test_a_line_says_when_where_and_what() -> None:
    found = line("took %d s", 5, reason="key_unknown", count=3)
    assert {"level": "info", "logger": "test", "event": "took 5 s", "reason": "key_unknown", "count": 3}.items() <= (
        found.items()
    )
    assert found.keys() == {"time", "level", "logger", "event", "reason", "count"}


HOSTILE = ["a\r\nb", 'a\n{"level": "error"}', "a\x00b", "a\x1b[2Jb", "a\u2028b\u0085c", "\ud800", '"\\']


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_begins_another_line_or_is_lost(text: str) -> None:
    found = line(text, extra_text=text, nested={"text": [text]}, exc_info=raised(ValueError(text)))
    assert found["event"] == found["extra_text"] == found["nested"]["text"][0] == text
    assert text.splitlines()[0] in found["traceback"] or text == "\ud800"
    assert found["level"] == "info"


@pytest.mark.parametrize("value", [{1, 2}, object(), b"\xff\n", ValueError("a\nb")])
def test_a_value_that_json_does_not_know_is_written_all_the_same(value: Any) -> None:
    assert "value" in line(value=value)


@pytest.mark.parametrize(("text", "hidden"), SECRETS)
def test_a_secret_is_redacted_wherever_it_stands(text: str, hidden: list[str]) -> None:
    places = {
        "message": line(f"before {text} after"),
        "argument": line("before %s after", text),
        "extra": line(value=f"before {text} after"),
        "nested": line(value={"a": [text]}),
        "traceback": line(exc_info=raised(ValueError(f"before {text} after"))),
        "object": line(value=ValueError(f"before {text} after")),
    }
    told = {place: [part for part in hidden if part in json.dumps(found)] for place, found in places.items()}
    assert told == {place: [] for place in places}
    assert places["message"]["event"].startswith("before ")
    assert places["message"]["event"].endswith(" after")


NAMES = (
    *("client_secret", "password", "access_token", "refresh_token", "id_token", "subject_token", "client_assertion"),
    *("code_verifier", "authorization", "Authorization", "cookie", "Cookie", "secret_keys", "api_token"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_redacted_by_its_name(name: str) -> None:
    assert "hunter2" not in json.dumps([line(**{name: "hunter2"}), line(form={name: "hunter2"})])


@pytest.mark.parametrize(
    "text",
    ["reason code audience_not_listed", "the token has expired", "basic", "bearer of news", "eyJ"],
)
def test_plain_words_stay(text: str) -> None:
    assert redacted(text) == text


PROGRAM = """
import logging
from bridge.logs import set_up
logging.getLogger().addHandler(logging.StreamHandler())
set_up("DEBUG")
logging.getLogger("bridge.oauth").debug("client_secret=hunter2")
for name in ("authlib", "authlib.oauth2", "urllib3.connectionpool", "werkzeug", "sqlalchemy.engine", "alembic"):
    logging.getLogger(name).info("hunter2")
    logging.getLogger(name).warning("careful")
"""


def test_every_log_of_the_process_goes_to_stderr_in_this_form_and_others_debug_logs_nowhere() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    lines = [json.loads(text) for text in ran.stderr.splitlines()]
    assert ran.stdout == ""
    assert "hunter2" not in ran.stderr
    assert lines[0]["event"].endswith("[redacted]")
    assert [found["event"] for found in lines[1:]] == ["careful"] * 6


@pytest.mark.parametrize(
    "line",
    [
        "GET /authorize?request_uri=urn:ietf:params:oauth:request_uri:SECRETSECRETSECRET&proof=SECRETSECRETSECRET",
        "Cookie: a=1; __Host-bridge-session-root=SECRETSECRETSECRET; bridge-browser-root=SECRETSECRETSECRET",
        "seal=SECRETSECRETSECRET",
        '{"proof": "SECRETSECRETSECRET"}',
        "dob_code_SECRETSECRETSECRET and dob_refresh_SECRETSECRETSECRET",
    ],
)
def test_what_a_sign_in_leaves_behind_is_redacted(line: str) -> None:
    assert "SECRETSECRET" not in redacted(line)
