"""The refresh of the tabs of one app, at the real server with two workers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import requests
from databases import rows
from served import Command, free_port

from bridge.emulator import RunningEmulator
from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE

ORIGIN = "http://localhost:3000"
JWT = "urn:ietf:params:oauth:token-type:jwt"
TABS = 50


@pytest.mark.both_databases
def test_fifty_refreshes_of_one_token_at_once_are_all_answered_with_one_successor(
    url: str, tmp_path: Path, dynamic: RunningEmulator
) -> None:
    command = Command(tmp_path, {"DYNAMIC_API_BASE_URL": dynamic.base_url, "BRIDGE_DATABASE_URL": url})
    issuer = f"http://localhost:{free_port()}"
    made = command("init", "--environment-id", dynamic.emulator.environment_id, "--issuer", issuer)
    secret = dict(line.split("=", 1) for line in made.stdout.splitlines())["AUTH_DYNAMIC_SECRET"]
    ready = Barrier(TABS)

    def post(**form: str) -> requests.Response:
        form = {"client_id": "nextauth", "client_secret": secret, **form}
        return requests.post(f"{issuer}/token", data=form, timeout=30)

    def refresh(token: str) -> tuple[int, str]:
        ready.wait(timeout=30)
        answer = post(grant_type=REFRESH_TOKEN, refresh_token=token)
        return answer.status_code, answer.json().get("refresh_token", answer.text)

    with (
        command.serving("--port", issuer.rpartition(":")[2], "--workers", "2", url=issuer),
        ThreadPoolExecutor(TABS) as tabs,
    ):
        user = dynamic.emulator.create_user(email="demo@example.com")
        assertion = dynamic.emulator.mint(user, origin=ORIGIN)
        exchange = {"grant_type": TOKEN_EXCHANGE, "subject_token": assertion, "subject_token_type": JWT}
        token = post(**exchange, scope="openid offline_access").json()["refresh_token"]
        for _ in range(3):
            answers = set(tabs.map(refresh, [token] * TABS))
            assert len(answers) == 1
            status, successor = answers.pop()
            assert (status, successor) != (200, token)
            assert status == 200
            token = successor
    assert rows(url, "SELECT count(*), max(sequence) FROM refresh_tokens") == [(4, 3)]
    assert rows(url, "SELECT count(*) FROM grants WHERE closed_at IS NULL") == [(1,)]
