"""A stock client against the real server: Authlib's OAuth2Session over HTTP, joserfc for the tokens."""

from pathlib import Path

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from served import Command, command_for, free_port

from bridge.emulator import RunningEmulator
from bridge.model import TOKEN_EXCHANGE

ORIGIN = "http://localhost:3000"
JWT = "urn:ietf:params:oauth:token-type:jwt"


@pytest.fixture
def initialised(tmp_path: Path, dynamic: RunningEmulator) -> tuple[Command, str, dict[str, str]]:
    """A bridge made by `init`, and the lines that it printed for NextAuth."""
    command = command_for(tmp_path, dynamic)
    issuer = f"http://localhost:{free_port()}"
    made = command("init", "--environment-id", dynamic.emulator.environment_id, "--issuer", issuer)
    assert made.returncode == 0, made.stderr
    return command, issuer, dict(line.split("=", 1) for line in made.stdout.splitlines())


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_authlib_exchanges_a_dynamic_jwt_by_what_discovery_says(
    initialised: tuple[Command, str, dict[str, str]], dynamic: RunningEmulator, method: str, workers: str
) -> None:
    command, issuer, printed = initialised
    emulator = dynamic.emulator
    user = emulator.create_user(email="demo@example.com", given_name="Demo")
    assertion = emulator.mint(user, origin=ORIGIN)
    port = issuer.rpartition(":")[2]
    with command.serving("--port", port, "--workers", workers, url=issuer):
        metadata = requests.get(f"{printed['AUTH_DYNAMIC_ISSUER']}/.well-known/openid-configuration", timeout=5).json()
        with OAuth2Session(
            printed["AUTH_DYNAMIC_ID"],
            printed["AUTH_DYNAMIC_SECRET"],
            token_endpoint_auth_method=method,
            scope="openid email",
        ) as client:
            tokens = client.fetch_token(
                metadata["token_endpoint"],
                grant_type=TOKEN_EXCHANGE,
                subject_token=assertion,
                subject_token_type=JWT,
            )
            keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=5).json())
            id_token = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
            assert id_token.claims["sub"] == user.id
            assert id_token.claims["email"] == "demo@example.com"
            assert client.get(metadata["userinfo_endpoint"]).json()["sub"] == user.id
            introspected = client.introspect_token(metadata["introspection_endpoint"], token=tokens["access_token"])
            assert introspected.json()["active"] is True
    secrets = [assertion, printed["AUTH_DYNAMIC_SECRET"], tokens["access_token"], tokens["id_token"]]
    kept = b"".join(file.read_bytes() for file in command.folder.glob("bridge.db*"))
    for secret in secrets:
        assert secret not in command.log()
        assert secret.encode() not in kept


def test_a_refusal_is_one_json_line_in_the_log_with_its_reason_and_without_the_token(
    initialised: tuple[Command, str, dict[str, str]], dynamic: RunningEmulator
) -> None:
    command, issuer, printed = initialised
    emulator = dynamic.emulator
    assertion = emulator.mint(emulator.create_user(email="demo@example.com"), origin="https://evil.example")
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": assertion,
        "subject_token_type": JWT,
        "client_id": printed["AUTH_DYNAMIC_ID"],
        "client_secret": printed["AUTH_DYNAMIC_SECRET"],
    }
    with command.serving("--port", issuer.rpartition(":")[2], url=issuer):
        answer = requests.post(f"{issuer}/token", data=form, timeout=5)
        assert answer.json()["error_uri"].endswith("audience_not_listed")
        junk = requests.post(f"{issuer}/token", data={**form, "client_id": "x\r\nforged: line"}, timeout=5)
        assert junk.status_code == 400
    log = command.log()
    line = next(line for line in log.splitlines() if "audience_not_listed" in line)
    assert answer.headers["X-Request-Id"] in line
    assert assertion.split(".")[1][:40] not in log
    assert printed["AUTH_DYNAMIC_SECRET"] not in log
    assert "\nforged" not in log
