"""What a stock client cannot send, at the real server (threats A11, O13)."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.request import urlopen

import pytest
from served import command_for, free_port

from bridge.emulator import run

HEAD = b"POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    issuer = f"http://localhost:{port}"
    with run() as dynamic:
        command = command_for(tmp_path_factory.mktemp("bridge"), dynamic)
        assert command("init", "--environment-id", dynamic.emulator.environment_id, "--issuer", issuer).returncode == 0
        with command.serving("--port", str(port), url=issuer):
            yield port


def answer_to(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=4) as wire:
        wire.sendall(request)
        received = b""
        with suppress(TimeoutError, ConnectionError):
            while part := wire.recv(4096):
                received += part
        return received


def test_a_few_connections_that_send_their_body_slowly_hold_up_nobody_else(port: int) -> None:
    with ExitStack() as held:
        for _ in range(8):
            wire = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            wire.sendall(HEAD + b"Content-Length: 1000\r\n\r\ngrant")
        began = time.monotonic()
        with urlopen(f"http://localhost:{port}/healthz", timeout=5) as answer:
            assert answer.status == 200
        assert time.monotonic() - began < 5


def test_a_chunked_body_is_read_whole_or_refused(port: int) -> None:
    def chunked(body: bytes) -> bytes:
        return HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    assert b"parameter_missing" in answer_to(port, chunked(b"x=1"))
    assert b" 413 " in answer_to(port, chunked(b"grant_type=x&x=" + b"A" * 70_000 + b"&grant_type=y"))[:20]


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x=" + b"A" * 70_000,
        b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
def test_malformed_http_is_refused_and_the_server_goes_on(port: int, request_bytes: bytes) -> None:
    answer = answer_to(port, request_bytes)
    assert not answer or answer.split(b" ")[1].startswith(b"4")
    with urlopen(f"http://localhost:{port}/healthz", timeout=5) as alive:
        assert alive.status == 200
