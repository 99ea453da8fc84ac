"""Every way in which another server can misbehave, met over real sockets. The one place that measures real time."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Condition, Event, Thread

import pytest

from bridge.errors import FetchFailed
from bridge.fetch import Fetched, Fetcher

DEADLINE = 0.25
SLACK = 1.0
LIMIT = 256 * 1024

Script = Callable[["FaultServer", socket.socket], None]
Serve = Callable[[Script], "FaultServer"]


class FaultServer:
    """A server on 127.0.0.1 that reads a request and then does to the connection what its script says."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.context = context
        self.requests: list[str] = []
        self.accepted = 0
        self.news = Condition()
        self.stopping = Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.threads = [Thread(target=self.serve)]
        self.threads[0].start()

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}/secret-path?secret-query"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with self.news:
                self.accepted += 1
                self.news.notify_all()
            self.threads.append(Thread(target=self.handle, args=(connection,)))
            self.threads[-1].start()

    def handle(self, connection: socket.socket) -> None:
        connection.settimeout(0.5)
        with suppress(OSError), connection:
            if self.context is None:
                self.talk(connection)
            else:
                with self.context.wrap_socket(connection, server_side=True) as secure:
                    self.talk(secure)

    def talk(self, connection: socket.socket) -> None:
        if self.script is not silent:
            request = connection.makefile("rb").read1(65536)
            if not request:
                return
            self.requests.append(request.decode("latin-1"))
        self.script(self, connection)

    def wait_for(self, connections: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.accepted >= connections, timeout=5)

    def drip(self, connection: socket.socket, data: bytes) -> None:
        for byte in data:
            if self.stopping.wait(0.01):
                return
            connection.sendall(bytes([byte]))

    def close(self) -> None:
        self.stopping.set()
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for thread in self.threads:
            thread.join(5)


def answer(body: bytes = b'{"ok":true}', status: str = "200 OK", headers: str = "") -> Script:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n".encode()
    return lambda server, connection: connection.sendall(head + body)


def says(data: bytes) -> Script:
    return lambda server, connection: connection.sendall(data)


def drips(start: bytes, then: bytes) -> Script:
    def script(server: FaultServer, connection: socket.socket) -> None:
        connection.sendall(start)
        server.drip(connection, then)

    return script


def floods(start: bytes, then: bytes) -> Script:
    def script(server: FaultServer, connection: socket.socket) -> None:
        connection.sendall(start)
        while not server.stopping.is_set():
            connection.sendall(then)

    return script


def silent(server: FaultServer, connection: socket.socket) -> None:
    server.stopping.wait(30)


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[FaultServer] = []

    def start(script: Script) -> FaultServer:
        servers.append(FaultServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    """With a bulkhead of one: a thread that does not come back is noticed by the next call."""
    fetcher = Fetcher(development=True, threads=1)
    yield fetcher
    fetcher.close()


def failure(fetcher: Fetcher, url: str, deadline: float = DEADLINE) -> str:
    """What a call fails with; it must not take longer than its deadline and a little."""
    began = time.monotonic()
    with pytest.raises(FetchFailed) as failed:
        fetcher.get(url, deadline=deadline)
    assert time.monotonic() - began < deadline + SLACK
    return str(failed.value)


def get_once_free(fetcher: Fetcher, url: str) -> Fetched:
    """The answer, as soon as the one thread is back: at most a deadline and a little later."""
    until = time.monotonic() + DEADLINE + SLACK
    while True:
        try:
            return fetcher.get(url, deadline=2)
        except FetchFailed as failed:
            if str(failed) != "too many calls under way" or time.monotonic() > until:
                raise
            Event().wait(0.01)


OK = b"HTTP/1.1 200 OK\r\n"
JSON = b'{"keys":[]}'
FAULTS: dict[str, Script] = {
    "says nothing": silent,
    "drips its headers": drips(b"", OK + b"X: " + b"x" * 3000),
    "drips its body": drips(OK + b"Content-Length: 3000\r\n\r\n", b"x" * 3000),
    "drips chunks": drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 500),
    "drips interim answers": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "floods interim answers": floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "floods headers": floods(OK, b"X-Y: z\r\n" * 1000),
    "one endless header": floods(OK + b"X: ", b"x" * 10_000),
    "endless body": floods(OK + b"\r\n", b"x" * 10_000),
    "endless chunks": floods(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"2710\r\n" + b"x" * 10_000 + b"\r\n"),
    "one byte too many": answer(b"x" * (LIMIT + 1)),
    "closes at once": says(b""),
    "cut within the body": says(OK + b"Content-Length: 12\r\n\r\n" + JSON),
    "cut within a chunk": says(OK + b"Transfer-Encoding: chunked\r\n\r\nc\r\n" + JSON),
    "cut between chunks": says(OK + b"Transfer-Encoding: chunked\r\n\r\nb\r\n" + JSON + b"\r\n"),
    "broken chunk size": says(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + JSON),
    "is no HTTP": says(b"SSH-2.0-OpenSSH_9.9\r\n" + b"\x00\xff" * 100),
    "broken status": says(b"HTTP/1.1 two hundred OK\r\n\r\n" + JSON),
    "gzip": answer(JSON, headers="Content-Encoding: gzip\r\n"),
    "two encodings": answer(JSON, headers="Content-Encoding: identity, gzip\r\n"),
    **{
        f"redirect {code}": answer(b"", f"{code} X", "Location: /x\r\n") for code in (300, 301, 302, 303, 304, 307, 308)
    },
}


@pytest.mark.parametrize("script", FAULTS.values(), ids=FAULTS.keys())
def test_a_faulty_server_costs_one_deadline_and_leaves_the_thread_free(
    script: Script, serve: Serve, fetcher: Fetcher
) -> None:
    faulty, good = serve(script), serve(answer())

    text = failure(fetcher, faulty.url())

    assert not [word for word in ("127.0.0.1", str(faulty.port), "secret", "http:") if word in text]
    assert get_once_free(fetcher, good.url()).json() == {"ok": True}
    assert faulty.accepted == 1  # neither retried nor redirected


def test_a_server_that_never_finishes_tls_costs_one_deadline(serve: Serve, fetcher: Fetcher) -> None:
    for script in (silent, drips(b"\x16\x03\x03\x40\x00", b"\x02" * 3000)):
        failure(fetcher, serve(script).url("https"))
        assert get_once_free(fetcher, serve(answer()).url()).status == 200


def test_a_server_that_does_not_even_accept_costs_one_deadline(serve: Serve, fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        failure(fetcher, f"http://127.0.0.1:{address[1]}/")
        assert get_once_free(fetcher, serve(answer()).url()).status == 200
        for sock in waiting:
            sock.close()


def test_a_refused_connection_fails_at_once(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert failure(fetcher, f"http://127.0.0.1:{port}/", deadline=5) == "no answer: ConnectionError"


@pytest.mark.parametrize("status", ["204 No Content", "401 Unauthorized", "404 Not Found", "429 X", "500 X", "503 X"])
def test_any_other_status_is_the_callers_to_judge(status: str, serve: Serve, fetcher: Fetcher) -> None:
    assert fetcher.get(serve(answer(b"", status)).url(), deadline=2).status == int(status[:3])


@pytest.mark.parametrize("head", [b"Content-Length: %d\r\n" % LIMIT, b"", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_may_be_256_kb(head: bytes, serve: Serve, fetcher: Fetcher) -> None:
    body = b"x" * LIMIT
    sent = b"40000\r\n" + body + b"\r\n0\r\n\r\n" if b"chunked" in head else body

    assert fetcher.get(serve(says(OK + head + b"\r\n" + sent)).url(), deadline=2).body == body


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe{", b"[" * 100_000, b"{", b'{"a":' + b"9" * 5000 + b"}", b"\x80"]
)
def test_what_is_not_json_is_a_failed_fetch(body: bytes) -> None:
    with pytest.raises(FetchFailed):
        Fetched(200, body).json()


def test_an_answer_hides_its_content() -> None:
    assert "secret" not in repr(Fetched(200, b"secret", {"X": "secret"}))


def test_a_call_carries_its_headers_and_asks_for_no_compression(serve: Serve, fetcher: Fetcher) -> None:
    server = serve(answer())
    fetcher.get(server.url(), deadline=2, headers={"Authorization": "Bearer x"})

    sent = server.requests[0].splitlines()
    assert sent[0] == "GET /secret-path?secret-query HTTP/1.1"
    assert {"Authorization: Bearer x", "Accept-Encoding: identity", "Accept: application/json"} < set(sent)


def test_the_environment_brings_neither_proxy_nor_password(
    serve: Serve, fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = serve(answer()), serve(answer(b"proxied"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login demo password demo\n", "utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, proxy.url())
        monkeypatch.setenv(name.upper(), proxy.url())
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    assert fetcher.get(server.url(), deadline=2).body == b'{"ok":true}'
    assert "Authorization" not in server.requests[0]
    assert proxy.accepted == 0


# The bulkhead


def test_a_full_bulkhead_fails_at_once_and_only_while_it_is_full(serve: Serve) -> None:
    fetcher, slow, good = Fetcher(development=True, threads=2), serve(silent), serve(answer())
    with ThreadPoolExecutor(2) as callers:
        waiting = [callers.submit(failure, fetcher, slow.url(), 20) for _ in range(2)]
        slow.wait_for(2)
        assert failure(fetcher, good.url()) == "too many calls under way"
        slow.stopping.set()
        assert [call.result() for call in waiting] == ["no answer: ConnectionError"] * 2
    assert get_once_free(fetcher, good.url()).status == 200
    fetcher.close()


def test_a_closed_fetcher_fails_at_once(serve: Serve, fetcher: Fetcher) -> None:
    fetcher.close()
    for _ in range(3):
        assert failure(fetcher, serve(silent).url()) == "shutting down"
