"""Once means once: over threads, over processes, and over a kill."""

import os
import signal
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from served import Command, command_for, free_port, tree_of

from bridge.emulator import RunningEmulator
from bridge.model import TOKEN_EXCHANGE

ORIGIN = "http://localhost:3000"
JWT = "urn:ietf:params:oauth:token-type:jwt"


@dataclass(frozen=True)
class Site:
    """A bridge whose one client takes each assertion once, and the way to present one to it."""

    command: Command
    issuer: str
    secret: str
    dynamic: RunningEmulator

    def assertions(self, count: int) -> list[str]:
        emulator = self.dynamic.emulator
        user = emulator.create_user(email="demo@example.com")
        return [emulator.mint(user, origin=ORIGIN) for _ in range(count)]

    def present(self, assertion: str) -> int | None:
        """The status, or None if no answer came."""
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": assertion,
            "subject_token_type": JWT,
            "client_id": "nextauth",
            "client_secret": self.secret,
        }
        try:
            return requests.post(f"{self.issuer}/token", data=form, timeout=20).status_code
        except requests.RequestException:
            return None

    def serving(self, workers: int) -> AbstractContextManager[subprocess.Popen[str]]:
        port = self.issuer.rpartition(":")[2]
        return self.command.serving("--port", port, "--workers", str(workers), url=self.issuer)


@pytest.fixture
def site(tmp_path: Path, dynamic: RunningEmulator) -> Site:
    command = command_for(tmp_path, dynamic)
    issuer = f"http://localhost:{free_port()}"
    made = command("init", "--environment-id", dynamic.emulator.environment_id, "--issuer", issuer)
    printed = dict(line.split("=", 1) for line in made.stdout.splitlines())
    assert command("client", "update", "nextauth", "--assertion-once").returncode == 0
    return Site(command, issuer, printed["AUTH_DYNAMIC_SECRET"], dynamic)


def test_of_many_at_once_over_two_processes_one_takes_an_assertion(site: Site) -> None:
    with site.serving(workers=2), ThreadPoolExecutor(16) as pool:
        for assertion in site.assertions(5):
            statuses = Counter(pool.map(site.present, [assertion] * 16))
            assert statuses == {200: 1, 400: 15}


def test_what_was_taken_before_a_kill_is_not_taken_again_after_it(site: Site) -> None:
    assertions = site.assertions(60)
    with site.serving(workers=1) as server, ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(site.present, assertion) for assertion in assertions]
        answers[20].result()
        _kill(server)
        before = [answer.result() for answer in answers]
    assert before.count(200) >= 18
    assert None in before
    with site.serving(workers=1):
        after = [site.present(assertion) for assertion in assertions]
    for first, second in zip(before, after, strict=True):
        assert second in (200, 400)
        assert (first, second) != (200, 200)


def _kill(server: subprocess.Popen[str]) -> None:
    for pid in tree_of(server.pid):
        os.kill(pid, signal.SIGKILL)
    server.wait()
