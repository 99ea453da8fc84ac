"""The production server, and the others that may stand in its place."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import pytest
from served import Command, clean_environment, command_for, free_port, wait_until_ready, workers_of
from tls import self_signed

from bridge.emulator import NewWallet, RunningEmulator
from bridge.model import TOKEN_EXCHANGE

ORIGIN = "http://localhost:3000"
HEAD = b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def command(tmp_path: Path, dynamic: RunningEmulator) -> Command:
    """A bridge that is set up; `command.secret` is its client's."""
    command = command_for(tmp_path, dynamic)
    environment_id = dynamic.emulator.environment_id
    done = command(
        "init", "--environment-id", environment_id, "--issuer", "http://localhost:8080", "--client-id", "app"
    )
    assert done.returncode == 0, done.stderr
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines())
    return Command(command.folder, {**command.environ, "SECRET": lines["AUTH_DYNAMIC_SECRET"]})


def exchange(connection: http.client.HTTPConnection, command: Command, dynamic: RunningEmulator) -> dict[str, str]:
    """What a stock exchange answers."""
    user = dynamic.emulator.create_user(email="demo@example.com", wallets=[NewWallet()])
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": dynamic.emulator.mint(user, origin=ORIGIN),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "client_id": "app",
        "client_secret": command.environ["SECRET"],
    }
    body = "&".join(f"{name}={value}" for name, value in form.items())
    connection.request("POST", "/token", body, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    found: dict[str, str] = json.load(answer)
    return found


@contextmanager
def other_server(command: Command, *words: str, port: int) -> Iterator[None]:
    with (command.folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=command.folder,
            env={**clean_environment(), **command.environ},
            stdout=log,
            stderr=log,
            text=True,
        )
    try:
        wait_until_ready(server, f"http://localhost:{port}")
        yield
    finally:
        server.terminate()
        server.wait(timeout=20)


SERVERS: dict[str, Callable[[int], tuple[str, ...]]] = {
    "gunicorn": lambda port: ("gunicorn", "-b", f"127.0.0.1:{port}", "--workers", "2", "bridge.wsgi:app"),
    "gunicorn, threads, loaded before the fork": lambda port: (
        *("gunicorn", "-b", f"127.0.0.1:{port}", "--preload", "--workers", "2", "--threads", "4"),
        "bridge.wsgi:app",
    ),
    "waitress": lambda port: ("waitress", f"--listen=127.0.0.1:{port}", "bridge.wsgi:app"),
}


@pytest.mark.parametrize("server", [*SERVERS, "serve"])
def test_every_server_gives_the_same_answers(server: str, command: Command, dynamic: RunningEmulator) -> None:
    port = free_port()
    with ExitStack() as held:
        if server == "serve":
            held.enter_context(command.serving("--port", str(port), url=f"http://localhost:{port}"))
        else:
            held.enter_context(other_server(command, *SERVERS[server](port), port=port))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for _ in range(3):
            tokens = exchange(connection, command, dynamic)
            connection.request("GET", "/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
            assert json.load(connection.getresponse())["email"] == "demo@example.com"
        for path, status in (("/jwks", 200), ("/healthz", 200), ("/", 200), ("/nothing", 404), ("/readyz", 200)):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status, path
        connection.request("HEAD", "/jwks")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        connection.close()


def test_requests_under_way_are_answered_before_the_server_stops(command: Command, dynamic: RunningEmulator) -> None:
    port = free_port()
    with command.serving("--port", str(port), url=f"http://localhost:{port}") as server:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
            wire.sendall(HEAD + b"Connection: close\r\nContent-Length: 12\r\n\r\ngrant")
            time.sleep(0.3)  # the server has it, and waits for the rest
            server.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            wire.sendall(b"_type=x")
            assert b"grant" in wire.recv(65536).partition(b"\r\n\r\n")[2] or b"error" in wire.recv(65536)
        assert server.wait(timeout=20) == 0


def test_a_worker_that_dies_is_replaced(command: Command) -> None:
    port = free_port()
    with command.serving("--port", str(port), "--workers", "2", url=f"http://localhost:{port}") as server:
        found = workers_of(server.pid)
        assert len(found) == 2
        for worker in found:
            os.kill(worker, signal.SIGKILL)
        give_up_at = time.monotonic() + 20
        while time.monotonic() < give_up_at:
            if len(now := workers_of(server.pid)) == 2 and not set(now) & set(found):
                with suppress(OSError), urlopen(f"http://localhost:{port}/healthz", timeout=2) as answer:
                    assert answer.status == 200
                    return
            time.sleep(0.1)
        raise AssertionError("the workers were not replaced")


def test_it_listens_on_a_unix_socket(command: Command) -> None:
    path = command.folder / "bridge.sock"
    with command.serving("--socket", str(path), url="", ready=lambda: b" 200 " in asked(path)):
        assert b'"status":"ok"' in asked(path)


def asked(path: Path) -> bytes:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(5)
        wire.connect(str(path))
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while part := wire.recv(4096):
            received += part
        return received
    return b""


def test_it_speaks_tls_with_files_of_ones_own(command: Command, tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    key = self_signed(certificate)
    trusting = ssl.create_default_context(cafile=certificate)

    def healthy() -> bool:
        with suppress(OSError), urlopen(f"https://localhost:{port}/healthz", timeout=2, context=trusting) as answer:
            return bool(answer.status == 200)
        return False

    port = free_port()
    settings = {"BRIDGE_TLS_CERT": str(certificate), "BRIDGE_TLS_KEY": str(key)}
    served = Command(command.folder, {**command.environ, **settings})
    with served.serving("--port", str(port), url="", ready=healthy):
        assert healthy()


def test_dozens_of_bodies_that_never_come_hold_up_nobody_and_are_given_up(command: Command) -> None:
    port = free_port()
    with command.serving("--port", str(port), url=f"http://localhost:{port}"), ExitStack() as held:
        wires = [held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(100)]
        for wire in wires:
            wire.sendall(HEAD + b"Content-Length: 1000\r\n\r\ngrant")
        taken = []
        for _ in range(20):
            began = time.monotonic()
            with urlopen(f"http://localhost:{port}/jwks", timeout=5) as answer:
                assert answer.status == 200
            taken.append(time.monotonic() - began)
        assert sorted(taken)[-2] < 1
        assert wires[0].recv(4096).startswith(b"HTTP/1.1 408 ")  # after BODY_DEADLINE


def test_a_slow_dynamic_leaves_other_requests_alone(command: Command, dynamic: RunningEmulator) -> None:
    port = free_port()
    world = dynamic.emulator
    with command.serving("--port", str(port), url=f"http://localhost:{port}"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        exchange(connection, command, dynamic)  # Dynamic's keys are known
        world.faults.set(f"/sdk/{world.environment_id}/users", "slow", delay=4)
        small = [world.mint(world.create_user(), origin=ORIGIN, shape="small") for _ in range(50)]
        threads = [Thread(target=exchange_small, args=(port, command, token)) for token in small]
        for thread in threads:
            thread.start()
        taken = []
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            connection.request("GET", "/jwks")
            assert connection.getresponse().read()
            taken.append(time.monotonic() - began)
            time.sleep(0.01)
        connection.close()
        assert len(taken) > 20
        assert sorted(taken)[len(taken) * 9 // 10] < 0.3  # the machine may be busy; docs/performance.md has the figure


def exchange_small(port: int, command: Command, token: str) -> None:
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "client_id": "app",
        "client_secret": command.environ["SECRET"],
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = "&".join(f"{name}={value}" for name, value in form.items())
    connection.request("POST", "/token", body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert connection.getresponse().read()
    connection.close()


@pytest.mark.parametrize("server", ["gunicorn", "serve"])
def test_a_line_that_the_client_wrote_above_the_proxys_is_not_who_it_is(server: str, command: Command) -> None:
    """Some proxies add a line of their own to X-Forwarded-For instead of writing on in the client's."""
    port = free_port()
    command = Command(command.folder, {**command.environ, "BRIDGE_PROXIES": "1"})
    with ExitStack() as held:
        if server == "serve":
            held.enter_context(command.serving("--port", str(port), url=f"http://localhost:{port}"))
        else:
            held.enter_context(other_server(command, *SERVERS[server](port), port=port))
        with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
            lines = b"X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.9\r\n"
            wire.sendall(HEAD + lines + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            while wire.recv(4096):
                pass
    told = (command.folder / "server.log").read_text(encoding="utf-8")
    assert "203.0.113.9" in told
    assert "198.51.100.1" not in told
