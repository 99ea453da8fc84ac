"""nginx and Caddy with the files of deploy/, before a bridge: what they let through, and what they keep."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from not_tested import is_required, leave_out
from served import free_port
from tls import self_signed

TOP = Path(__file__).parents[2]
HEADERS_OF_OURS = ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix")
LONG = "x" * 7000  # about the longest query that the bridge takes


class Behind(BaseHTTPRequestHandler):
    """Stands where the bridge would: tells what arrives, and as what."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.began.append(self.path)  # type: ignore[attr-defined]
        length = int(self.headers.get("Content-Length") or 0)
        told = {"path": self.path, "headers": dict(self.headers.items()), "body": len(self.rfile.read(length))}
        self.server.arrived.append(told)  # type: ignore[attr-defined]
        answer = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Location", f"https://app.example.com/?code={LONG}")
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815 - names that http.server looks for

    def log_message(self, *words: Any) -> None:
        return


@pytest.fixture(scope="module")
def behind() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Behind)
    server.daemon_threads = True
    server.arrived, server.began = [], []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def nginx(folder: Path, port: int, behind: int) -> list[str]:
    """The command that runs nginx with our file: of it, only addresses and paths are others."""
    certificate = folder / "own.pem"
    key = self_signed(certificate)
    text = (TOP / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for old, new in (
        ("127.0.0.1:8080", f"127.0.0.1:{behind}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/id.example.com.pem", str(certificate)),
        ("/etc/ssl/private/id.example.com.key", str(key)),
        ("/var/log/nginx/oidc-bridge.log", str(folder / "access.log")),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "ours.conf").write_text(text, encoding="utf-8")
    temporary = "".join(
        f"{what}_temp_path {folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;"
        f" events {{}} http {{ {temporary} include {folder}/ours.conf; }}",
        encoding="utf-8",
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def caddy(folder: Path, port: int, behind: int) -> list[str]:
    """The command that runs Caddy with our file: of it, only addresses and where things are kept are others."""
    certificate = folder / "own.pem"
    key = self_signed(certificate)
    text = (TOP / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    for old, new in (
        ("127.0.0.1:8080", f"127.0.0.1:{behind}"),
        ("id.example.com {", f"https://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {key}"),
        ("{\n\tservers {", "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {"),
        ("\tlog {\n", f"\tlog {{\n\t\toutput file {folder}/access.log\n"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / "Caddyfile").write_text(text, encoding="utf-8")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


PROXIES: dict[str, Callable[[Path, int, int], list[str]]] = {"nginx": nginx, "caddy": caddy}


@contextmanager
def running(words: list[str], folder: Path, port: int, path: str) -> Iterator[None]:
    with (folder / "output").open("wb") as output:
        environ = {"PATH": path, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        process = subprocess.Popen(words, cwd=folder, env=environ, stdout=output, stderr=output)
    try:
        give_up_at = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < give_up_at:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        else:
            logs = [
                file.read_text(errors="replace")[-2000:]
                for file in folder.glob("*")
                if file.suffix in ("", ".log") and file.is_file()
            ]
            raise AssertionError("\n".join(logs))
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


class Proxy:
    """A proxy that runs, asked as from outside."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder = port, folder
        self._context = ssl.create_default_context(cafile=str(folder / "own.pem"))

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        wire: HTTPConnection = HTTPSConnection("localhost", self.port, timeout=20, context=self._context)
        try:
            wire.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = wire.getresponse()
            return answer.status, answer.read()
        finally:
            wire.close()


def is_usable(program: str, path: str) -> bool:
    """Whether the program is there, and knows what our file says: Caddy does from 2.7 on."""
    found = shutil.which(program, path=path)
    if found is None or program != "caddy":
        return found is not None
    told = subprocess.run([found, "version"], capture_output=True, text=True, check=False, timeout=20).stdout
    version = re.match(r"v?(\d+)\.(\d+)", told)
    return version is not None and (int(version[1]), int(version[2])) >= (2, 7)


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest,
    behind: ThreadingHTTPServer,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Proxy]:
    path = f"{TOP}/.venv/tools/bin:{os.environ['PATH']}:/usr/sbin"
    if not is_usable(request.param, path):
        if is_required(request.param):
            pytest.fail(f"{request.param} is not installed, or too old")
        leave_out(pytestconfig, f"deploy/'s settings of {request.param}, which is not installed, or too old.")
        pytest.skip("not installed, or too old")
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    words = PROXIES[request.param](folder, port, behind.server_port)
    with running(words, folder, port, path):
        yield Proxy(port, folder)


def test_who_is_connected_is_told_and_nothing_that_the_client_says_of_itself(proxy: Proxy) -> None:
    said = {name.replace("-", "_"): "evil.example" for name in HEADERS_OF_OURS}
    status, body = proxy.ask("GET", "/authorize?client_id=x", X_Forwarded_For="203.0.113.9", **said)
    assert status == 200
    told = json.loads(body)
    headers = {name.lower(): value for name, value in told["headers"].items()}
    assert told["path"] == "/authorize?client_id=x"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert not {name.lower() for name in HEADERS_OF_OURS} & headers.keys()
    assert "evil.example" not in body.decode()


def test_a_request_has_the_proxys_id_and_not_the_clients(proxy: Proxy) -> None:
    told = json.loads(proxy.ask("GET", "/jwks", X_Request_Id="chosen-by-the-client")[1])
    given = {name.lower(): value for name, value in told["headers"].items()}["x-request-id"]
    assert re.fullmatch(r"[0-9a-f-]{32,36}", given)


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/metrics/x", "//healthz", "/./readyz", "/%6detrics"]
)
def test_what_operators_ask_is_not_to_be_had_from_outside(proxy: Proxy, path: str) -> None:
    assert proxy.ask("GET", path)[0] == 404


def test_a_body_of_64_kb_passes_and_a_larger_one_does_not(proxy: Proxy, behind: ThreadingHTTPServer) -> None:
    largest = 64_000
    assert json.loads(proxy.ask("POST", "/token", b"x" * largest)[1])["body"] == largest
    before = len(behind.arrived)  # type: ignore[attr-defined]
    assert proxy.ask("POST", "/token", b"x" * (64 * 1024 + 1))[0] == 413
    for told in behind.arrived[before:]:  # type: ignore[attr-defined]  # Caddy tries it, and breaks off
        assert told["body"] < int(told["headers"]["Content-Length"]), "nothing of it arrives whole"


def test_long_queries_and_long_redirects_pass(proxy: Proxy) -> None:
    status, body = proxy.ask("GET", f"/authorize?request={LONG}")
    assert (status, json.loads(body)["path"]) == (200, f"/authorize?request={LONG}")


def test_a_body_in_drips_reaches_nobody_before_it_is_whole(proxy: Proxy, behind: ThreadingHTTPServer) -> None:
    began: list[str] = behind.began  # type: ignore[attr-defined]
    before = len(began)
    context = ssl.create_default_context(cafile=str(proxy.folder / "own.pem"))
    with (
        socket.create_connection(("localhost", proxy.port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wire,
    ):
        wire.sendall(b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n0123456789")
        assert proxy.ask("GET", "/jwks")[0] == 200  # goes by meanwhile
        assert began[before:] == ["/jwks"]
        wire.sendall(b"0123456789")
        assert b" 200 " in wire.recv(4096).splitlines()[0]


def test_the_log_has_no_query(proxy: Proxy) -> None:
    proxy.ask("GET", "/logout?id_token_hint=eyJhbGciOi", Authorization="Bearer dob_at_x", Cookie="s=dob_ss_x")
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        logged = (
            (proxy.folder / "access.log").read_text(encoding="utf-8") if (proxy.folder / "access.log").exists() else ""
        )
        if "/logout" in logged:
            break
        time.sleep(0.02)
    assert "/logout" in logged
    assert not re.search(r"eyJ|dob_|client_id|id_token_hint", logged)
