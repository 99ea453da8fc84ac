"""The rules for settings: every fault by itself, beside the same settings without it."""

from pathlib import Path
from typing import Any

import pytest

from bridge.config import ConfigFaults
from bridge.config.checks import url_problem
from bridge.config.client_checks import client_faults, is_scope_word, origin_problem
from bridge.config.sources import load
from bridge.model import CLIENT_CREDENTIALS, TOKEN_EXCHANGE, Client, Secret
from bridge.store.seal import new_secret_key

ID = "11111111-1111-4111-8111-111111111111"
KEY = new_secret_key()
WEAK_KEY = "QUFB" * 10 + "QUE="  # 32 bytes, all the same
DIGEST = Secret("ab" * 32)
MINIMAL = {"BRIDGE_ISSUER": "https://id.example.com", "BRIDGE_SECRET_KEYS": KEY, "DYNAMIC_ENVIRONMENT_ID": ID}
LOOPBACK = {"BRIDGE_DEVELOPMENT": "true", "BRIDGE_ISSUER": "http://localhost:8080"}


def faulty(folder: Path, toml: str, environ: dict[str, str]) -> set[str]:
    """The settings that a configuration is refused for; none if it is safe."""
    file = folder / "bridge.toml"
    file.write_text(toml, encoding="utf-8")
    try:
        load({**MINIMAL, "BRIDGE_CONFIG": str(file), **environ})
    except ConfigFaults as refused:
        return {fault.setting for fault in refused.faults}
    return set()


def client(**settings: Any) -> Client:
    return Client(**{"client_id": "app", "secrets": (DIGEST,), **settings})


def wrong(client: Client, *, needs_secret: bool = True) -> list[str]:
    found = client_faults(client, environments={ID}, needs_secret=needs_secret)
    return [fault.setting.removeprefix(f"client {client.client_id}, ") for fault in found]


@pytest.mark.parametrize(
    ("environ", "setting"),
    [
        ({"BRIDGE_ISSUER": ""}, "BRIDGE_ISSUER"),
        ({"BRIDGE_ISSUER": "http://id.example.com"}, "BRIDGE_ISSUER"),
        ({"BRIDGE_ISSUER": "http://localhost:8080"}, "BRIDGE_ISSUER"),
        ({"BRIDGE_DEVELOPMENT": "true", "BRIDGE_ISSUER": "http://id.example.com"}, "BRIDGE_ISSUER"),
        ({"BRIDGE_DEVELOPMENT": "true"}, "BRIDGE_DEVELOPMENT"),
        ({"BRIDGE_SECRET_KEYS": ""}, "BRIDGE_SECRET_KEYS"),
        ({"BRIDGE_SECRET_KEYS": "secret"}, "BRIDGE_SECRET_KEYS"),
        ({"BRIDGE_SECRET_KEYS": f"{KEY},secret"}, "BRIDGE_SECRET_KEYS"),
        ({"BRIDGE_SECRET_KEYS": "é" * 44}, "BRIDGE_SECRET_KEYS"),
        ({"BRIDGE_SECRET_KEYS": WEAK_KEY}, "BRIDGE_SECRET_KEYS"),
        ({"BRIDGE_SECRET_KEYS": f"{KEY},{KEY}"}, "BRIDGE_SECRET_KEYS"),
        ({"BRIDGE_DATABASE_URL": "nonsense"}, "BRIDGE_DATABASE_URL"),
        ({"BRIDGE_DATABASE_URL": "sqlite://bridge.db"}, "BRIDGE_DATABASE_URL"),  # a slash is missing
        ({"BRIDGE_DATABASE_URL": "sqlite+nodriver:///bridge.db"}, "BRIDGE_DATABASE_URL"),
        ({"BRIDGE_DATABASE_URL": "oracle://db.example.com/bridge"}, "BRIDGE_DATABASE_URL"),  # its driver is not here
        ({"BRIDGE_DATABASE_URL": "sqlite:///:memory:"}, "BRIDGE_DATABASE_URL"),
        ({"BRIDGE_DATABASE_URL": "sqlite:///"}, "BRIDGE_DATABASE_URL"),
        ({"BRIDGE_DATABASE_URL": "sqlite://"}, "BRIDGE_DATABASE_URL"),
        ({"DYNAMIC_ENVIRONMENT_ID": ""}, "DYNAMIC_ENVIRONMENT_ID"),
        ({"DYNAMIC_API_BASE_URL": "http://dynamic.example.com/api/v0"}, f"environment {ID}, api_base_url"),
        ({"DYNAMIC_API_BASE_URL": "http://127.0.0.1:9000/api/v0"}, f"environment {ID}, api_base_url"),
        ({**LOOPBACK, "DYNAMIC_API_BASE_URL": "http://dynamic.example.com"}, f"environment {ID}, api_base_url"),
        ({"DYNAMIC_KEY_SOURCE": "keys"}, f"environment {ID}, api_token"),
        ({"DYNAMIC_REQUEST_ORIGIN": "https://app.example.com/"}, f"environment {ID}, request_origin"),
        ({"DYNAMIC_ISSUERS": "auth.example.io"}, f"environment {ID}, issuers"),
        ({"BRIDGE_ASSERTION_MAX_LIFETIME": "59"}, "BRIDGE_ASSERTION_MAX_LIFETIME"),
        ({"BRIDGE_ASSERTION_MAX_LIFETIME": "2592001"}, "BRIDGE_ASSERTION_MAX_LIFETIME"),
        ({"BRIDGE_CLOCK_SKEW": "-1"}, "BRIDGE_CLOCK_SKEW"),
        ({"BRIDGE_CLOCK_SKEW": "61"}, "BRIDGE_CLOCK_SKEW"),
        ({"BRIDGE_KEY_ROTATION": "-1"}, "BRIDGE_KEY_ROTATION"),
        ({"BRIDGE_KEY_ROTATION": "3599"}, "BRIDGE_KEY_ROTATION"),
        ({"BRIDGE_KEY_ROTATION": "31622401"}, "BRIDGE_KEY_ROTATION"),
        ({"BRIDGE_PORT": "0"}, "BRIDGE_PORT"),
        ({"BRIDGE_PORT": "65536"}, "BRIDGE_PORT"),
        ({"BRIDGE_WORKERS": "-1"}, "BRIDGE_WORKERS"),
        ({"BRIDGE_WORKERS": "257"}, "BRIDGE_WORKERS"),
        ({"BRIDGE_LOG_LEVEL": "chatty"}, "BRIDGE_LOG_LEVEL"),
    ],
)
def test_an_unsafe_or_impossible_setting_is_refused(tmp_path: Path, environ: dict[str, str], setting: str) -> None:
    assert faulty(tmp_path, "", environ) == {setting}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"BRIDGE_ISSUER": "https://example.com/auth/tenant"},
        LOOPBACK,
        {**LOOPBACK, "BRIDGE_ISSUER": "http://[::1]:8080"},
        {**LOOPBACK, "BRIDGE_DATABASE_URL": "sqlite:///:memory:"},
        {**LOOPBACK, "DYNAMIC_API_BASE_URL": "http://127.0.0.1:9000/api/v0"},
        {"BRIDGE_SECRET_KEYS": f"{KEY}, {new_secret_key()} ,"},
        {"DYNAMIC_KEY_SOURCE": "keys", "DYNAMIC_API_TOKEN": "dyn_x"},
        {"BRIDGE_ASSERTION_MAX_LIFETIME": "60", "BRIDGE_CLOCK_SKEW": "0", "BRIDGE_PORT": "1", "BRIDGE_WORKERS": "256"},
        {"BRIDGE_ASSERTION_MAX_LIFETIME": "2592000", "BRIDGE_CLOCK_SKEW": "60", "BRIDGE_PORT": "65535"},
        *({"BRIDGE_KEY_ROTATION": seconds} for seconds in ("0", "3600", "31622400")),
        {"BRIDGE_LOG_LEVEL": "debug"},
    ],
)
def test_a_safe_setting_is_accepted(tmp_path: Path, environ: dict[str, str]) -> None:
    assert faulty(tmp_path, "", environ) == set()


@pytest.mark.parametrize(
    ("toml", "setting"),
    [
        (f"[[environments]]\nenvironment_id = '{ID[:-1]}a'\n" * 2, "environments"),
        (f"[[environments]]\nenvironment_id = '{ID[:-1]}A'", "environments"),
        ("[[environments]]\nenvironment_id = 'live'", "environments"),
        ("[[clients]]\nclient_id = 'app'\npublic = true\n" * 2, "client app"),
        ("[[clients]]\nclient_id = 'app'", "client app, secret_sha256"),
        ("[[claims]]\nsource = 'a'\nclaim = 'b'\n" * 2, "claim b"),
        *((f"[[claims]]\nsource = 'a'\nclaim = '{name}'", f"claim {name}") for name in ("sub", "roles", "email")),
        *((f"[[claims]]\nsource = 'a'\nclaim = '{name}'", f"claim {name}") for name in ("", "é", "b" * 129)),
        *(
            (f"[[claims]]\nsource = 'a'\nclaim = 'b'\nscope = '{scope}'", "claim b")
            for scope in ("openid", "offline_access", "two words", "")
        ),
        *((f"[[claims]]\nsource = '{source}'\nclaim = 'b'", "claim b") for source in ("", ".a", "a..b", "a.")),
    ],
)
def test_a_wrong_table_of_the_toml_is_refused(tmp_path: Path, toml: str, setting: str) -> None:
    assert faulty(tmp_path, toml, {}) == {setting}


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://id.example.com", True),
        ("https://id.example.com:8443/tenant", True),
        ("https://[2001:db8::1]", True),
        ("", False),
        ("id.example.com", False),
        ("ftp://id.example.com", False),
        ("https://", False),
        ("https://id.example.com/", False),
        ("https://id.example.com/tenant/", False),
        ("https://ID.example.com", False),
        ("HTTPS://id.example.com", False),
        ("https://id.example.com?", False),
        ("https://id.example.com/#", False),
        ("https://id.example.com?a=b", False),
        ("https://user@id.example.com", False),
        ("https://@id.example.com", False),
        ("https://id.example.com:port", False),
        ("https://id.example.com:", False),
        ("https://id.example.com:443", False),
        ("https://[::1", False),
        ("https://exa mple.com", False),
        ("https://id.exa\tmple.com", False),
        ("https://id.example.com\n", False),
        ("https://bücher.example", False),
        ("https://\\id.example.com", False),
        ("https://*.example.com", False),
        ("https://id.example.com/a/../b", False),
        ("http://localhost", False),
        ("http://127.0.0.1:8080", False),
    ],
)
def test_a_base_url_is_https_and_has_one_spelling(url: str, accepted: bool) -> None:
    assert (url_problem(url, development=False) is None) is accepted


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        ("https://app.example.com", True),
        ("https://app.example.com:8443", True),
        ("https://xn--bcher-kva.example", True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:3000", True),
        ("", False),
        ("null", False),
        ("*", False),
        ("app.example.com", False),
        ("https://", False),
        ("https://app.example.com/", False),
        ("https://app.example.com/path", False),
        ("https://app.example.com?", False),
        ("https://app.example.com#", False),
        ("https://user@app.example.com", False),
        ("https://@app.example.com", False),
        ("https://app.example.com:443", False),
        ("http://localhost:80", False),
        ("https://app.example.com:", False),
        ("https://app.example.com:08443", False),
        ("https://app.example.com:port", False),
        ("https://App.example.com", False),
        ("HTTPS://app.example.com", False),
        ("https://*.example.com", False),
        ("https://bücher.example", False),
        ("https://app.example.com\n", False),
        (" https://app.example.com", False),
        ("https://app exam.ple", False),
        ("https://[::1", False),
        ("http://app.example.com", False),
        ("http://localhost.example.com", False),
        ("app://localhost", False),
    ],
)
def test_an_origin_is_spelt_as_browsers_do(origin: str, accepted: bool) -> None:
    assert (origin_problem(origin) is None) is accepted


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        *(
            ({"client_id": name}, "client_id")
            for name in ("", "two words", "é", "app\n", "a" * 65, "a:b", ID, ID.upper())
        ),
        ({"grants": ("password",)}, "grants"),
        ({"grants": ("token-exchange",)}, "grants"),  # the short name is for people
        ({"public": True, "secrets": (), "grants": (CLIENT_CREDENTIALS,)}, "grants"),
        *(({"scopes": (word,)}, "scopes") for word in ("", "two words", 'a"b', "a\\b", "é", "a" * 129)),
        ({"public": True}, "secret_sha256"),
        ({"secrets": ()}, "secret_sha256"),
        ({"secrets": (DIGEST,) * 3}, "secret_sha256"),
        *(({"secrets": (Secret(digest),)}, "secret_sha256") for digest in ("", "ab" * 31, "AB" * 32, "xy" * 32)),
        ({"environments": (ID, "live")}, "environments"),
        ({"assertion_origins": ("https://app.example.com", "https://app.example.com/")}, "assertion_origins"),
        ({"cors_origins": ("*",)}, "cors_origins"),
        *(({"audiences": (name,)}, "audiences") for name in ("", "two words", "é", "a" * 513)),
        ({"serves": ("two words",)}, "serves"),
        ({"public": True, "secrets": (), "serves": ("api",)}, "serves"),
        *(({"sector_identifier": name}, "sector_identifier") for name in ("", "Example.com", "https://example.com")),
        *(({name: ttl}, name) for name in ("access_token_ttl", "id_token_ttl") for ttl in (29, 86401)),
        *(({"assertion_max_age": age}, "assertion_max_age") for age in (29, 30 * 86400 + 1)),
    ],
)
def test_a_wrong_setting_of_a_client_is_named(settings: dict[str, Any], setting: str) -> None:
    assert wrong(client(**settings)) == [setting]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"client_id": "A-z_09", "grants": (TOKEN_EXCHANGE, CLIENT_CREDENTIALS), "scopes": ("openid", "a:b", "!~")},
        {"public": True, "secrets": ()},
        {"secrets": (DIGEST, DIGEST), "environments": (ID,)},
        {"audiences": ("https://api.example.com/v1", "urn:api"), "serves": ("api",)},
        {"sector_identifier": "example.com", "subject_type": "pairwise"},
        {"access_token_ttl": 30, "id_token_ttl": 86400, "assertion_max_age": 30 * 86400},
    ],
)
def test_a_right_client_has_no_fault(settings: dict[str, Any]) -> None:
    assert wrong(client(**settings)) == []


def test_a_client_that_is_about_to_get_a_secret_needs_none_yet() -> None:
    assert wrong(client(secrets=()), needs_secret=False) == []


@pytest.mark.parametrize(
    ("word", "fits"), [("openid", True), ("urn:x", True), ("", False), ("a b", False), ("\x7f", False)]
)
def test_a_scope_word_has_no_space_quote_or_control_character(word: str, fits: bool) -> None:
    assert is_scope_word(word) is fits
