"""`oidc-bridge doctor`: every finding by itself, beside the same settings without it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.doctor.client_rules import client_findings
from bridge.cli.doctor.fapi import fapi_findings
from bridge.cli.doctor.findings import Finding, Severity
from bridge.cli.doctor.server_rules import server_findings
from bridge.config import Config
from bridge.config.client_checks import client_faults
from bridge.config.sources import load
from bridge.model import AUTHORIZATION_CODE, REFRESH_TOKEN, TOKEN_EXCHANGE, Client, Secret
from bridge.store.seal import new_secret_key

ID = "11111111-1111-4111-8111-111111111111"
GOOD = Client(
    "app",
    grants=(AUTHORIZATION_CODE, TOKEN_EXCHANGE, REFRESH_TOKEN),
    scopes=("openid", "offline_access"),
    redirect_uris=("https://app.example.com/callback",),
    assertion_origins=("https://app.example.com",),
    backchannel_logout_uri="https://app.example.com/logout",
    secrets=(Secret("ab" * 32),),
)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.chdir(tmp_path)
    return load(
        {
            "BRIDGE_ISSUER": "https://id.example.com",
            "BRIDGE_SECRET_KEYS": new_secret_key(),
            "DYNAMIC_ENVIRONMENT_ID": ID,
            "BRIDGE_PROXIES": "1",
        }
    )


def said(found: Iterable[Finding]) -> list[tuple[Severity, str]]:
    return [(finding.severity, finding.what) for finding in found]


ERROR, WARNING, ADVICE = Severity.ERROR, Severity.WARNING, Severity.ADVICE


@pytest.mark.parametrize(
    ("settings", "severity", "what"),
    [
        ({"redirect_uris": ()}, ERROR, "has no redirect URI"),
        ({"require_pkce": False}, WARNING, "may leave PKCE out"),
        ({"redirect_uris": ("http://127.0.0.1/cb",)}, WARNING, "is confidential and waits at a loopback address"),
        ({"redirect_uris": ("com.example.app:/cb",)}, ADVICE, "uses the custom scheme com.example.app:"),
        (
            {"redirect_uris": ("http://127.0.0.1/cb",), "consent": "skip", "public": True, "secrets": ()},
            WARNING,
            "skips consent at an address that others can claim",
        ),
        ({"redirect_uris": ("https://id.example.com/cb",)}, WARNING, "lives on the bridge's own origin"),
        ({"assertion_origins": ()}, ERROR, "may exchange Dynamic JWTs of no page"),
        ({"assertion_origins": ("http://localhost:3000",)}, WARNING, "trusts sign-ins of http://localhost:3000"),
        ({"assertion_max_age": 86400}, WARNING, "takes assertions that are 86400 s old"),
        ({"access_token_ttl": 7200}, WARNING, "has access tokens for 7200 s"),
        ({"id_token_ttl": 7200}, ADVICE, "has ID tokens for 7200 s"),
        ({"secrets": (Secret("ab" * 32), Secret("cd" * 32))}, ADVICE, "has two secrets without an end"),
        ({"scopes": ("openid",)}, ADVICE, "may refresh, but has not the scope offline_access"),
        ({"refresh_rotation": False}, WARNING, "does not rotate refresh tokens"),
        ({"refresh_grace": 300}, ADVICE, "has a grace of 300 s"),
        ({"refresh_absolute_ttl": 100 * 86400}, ADVICE, "may refresh for more than 90 days"),
        ({"backchannel_logout_uri": None}, ADVICE, "has no back-channel logout URI"),
    ],
)
def test_each_weakness_of_a_client_is_found_alone(
    config: Config, settings: dict[str, Any], severity: Severity, what: str
) -> None:
    assert said(client_findings(config, GOOD, declared=False)) == []
    weak = replace(GOOD, **settings)
    found = list(client_findings(config, weak, declared=False))
    assert (severity, what) in said(found)
    assert not list(client_faults(weak, environments=(ID,), needs_secret=True)), "else nobody could have it"


def test_a_disabled_client_is_not_judged(config: Config) -> None:
    gone = replace(GOOD, disabled=True, redirect_uris=())
    assert said(client_findings(config, gone, declared=False)) == []
    assert said(fapi_findings(config, gone)) == []


def test_a_mend_is_a_command_or_tells_where_the_client_is_declared(config: Config) -> None:
    weak = replace(GOOD, require_pkce=False)
    [of_database] = client_findings(config, weak, declared=False)
    [of_file] = client_findings(config, weak, declared=True)
    assert of_database.mend == "oidc-bridge client update app --require-pkce"
    assert "bridge.toml" in of_file.mend


@pytest.mark.parametrize(
    ("settings", "severity", "what"),
    [
        ({"development": True}, ERROR, "BRIDGE_DEVELOPMENT is on"),
        ({"log_level": "DEBUG"}, ADVICE, "logs at DEBUG"),
        ({"log_level": "ERROR"}, ADVICE, "does not log requests"),
        ({"metrics_token": None}, ADVICE, "nobody can watch it: there is no /metrics"),
        ({"workers": 2}, ADVICE, "2 workers share an SQLite file"),
        (
            {"database_url": "postgresql+psycopg://bridge@db.example.com/bridge"},
            WARNING,
            "the database is reached without TLS being demanded",
        ),
        ({"key_rotation": 0}, WARNING, "signing keys rotate by command only"),
        ({"secret_keys": ("a", "b", "c")}, ADVICE, "3 secret keys are in use"),
        ({"audit_retention": 86400}, ADVICE, "audit entries are kept for less than 30 days"),
        ({"proxies": 0}, WARNING, "nobody knows where requests come from"),
        ({"limits": {"user": "600/minute"}}, WARNING, "source, failures, client, webhooks, signins: not limited"),
        ({"session_absolute_ttl": 100 * 86400}, ADVICE, "browsers stay signed in for more than 90 days"),
    ],
)
def test_each_weakness_of_the_server_is_found_alone(
    config: Config, settings: dict[str, Any], severity: Severity, what: str
) -> None:
    config = replace(config, metrics_token="x" * 32)
    assert (severity, what) not in said(server_findings(config, [GOOD]))
    assert (severity, what) in said(server_findings(replace(config, **settings), [GOOD]))


@pytest.mark.parametrize("host", ["db.example.com/bridge?sslmode=verify-full", "localhost/bridge", "/bridge"])
def test_a_database_that_demands_tls_or_is_on_this_machine_is_well(config: Config, host: str) -> None:
    found = server_findings(replace(config, database_url=f"postgresql+psycopg://bridge@{host}"), [GOOD])
    assert "the database is reached without TLS being demanded" not in [finding.what for finding in found]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"legacy_scope": True}, "sign-ins without scope are accepted"),
        ({"key_source": "keys"}, "its keys come from the legacy endpoint"),
        ({}, "nobody tells us when a session ends at Dynamic"),
    ],
)
def test_each_weakness_of_an_environment_is_found(config: Config, settings: dict[str, Any], what: str) -> None:
    environment = replace(config.environments[0], **settings)
    changed = replace(config, environments=(environment,))
    assert what in [finding.what for finding in server_findings(changed, [GOOD])]
    off = replace(config, environments=(replace(environment, disabled=True),))
    assert what not in [finding.what for finding in server_findings(off, [GOOD])]


def test_fapi_asks_for_what_this_bridge_offers_and_says_what_it_does_not(config: Config) -> None:
    asked = [finding.what for finding in fapi_findings(config, GOOD)]
    assert "has tokens signed with RS256 (--id-token-alg)" in asked
    better = replace(GOOD, id_token_alg="ES256", access_token_alg="ES256")
    assert "has tokens signed with RS256 (--id-token-alg)" not in [f.what for f in fapi_findings(config, better)]
    assert "authenticates by a shared secret" in [f.what for f in fapi_findings(config, better)]
