"""The server as its operators run it, in a temporary folder: `oidc-bridge init`, `client add`, `serve`."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench import BenchFailed
from bridge.config.settings import DEFAULT_LIMITS
from bridge.emulator import RunningEmulator, run

HOST = "127.0.0.1"
APP_ORIGIN = "http://localhost:3000"
SCOPES = ("openid", "profile", "email", "wallets")
GRANTS = ("authorization_code", "token-exchange", "refresh_token")
_CLIENT = (
    *("--assertion-origin", APP_ORIGIN),
    *(word for scope in (*SCOPES, "offline_access") for word in ("--scope", scope)),
    *(word for grant in GRANTS for word in ("--grant", grant)),
    *("--redirect-uri", f"{APP_ORIGIN}/callback"),
)
NOBODY_TOO_OFTEN = ",".join(f"{name}=900000000/minute" for name in DEFAULT_LIMITS)
"""BRIDGE_LIMITS for the load of a few users: everything is counted, nobody is refused."""
START_TIMEOUT, STOP_TIMEOUT, KILL_TIMEOUT = 30, 15, 2  # seconds


@dataclass(frozen=True, slots=True)
class BenchClient:
    """A registered client whose tokens are signed with `alg`."""

    client_id: str
    alg: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """A server that is ready. `group` is the process group that it and all its children form."""

    port: int
    group: int
    dynamic: RunningEmulator
    rs256: BenchClient
    es256: BenchClient
    is_peer: bool = False
    database_group: int | None = None  # of the database's own processes, if it is a server
    database_url: str = ""
    cold_start: float = 0.0  # seconds from the command to the first answer


@contextmanager
def staged(
    dynamic: RunningEmulator | None = None,
    *,
    workers: int = 1,
    database_url: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """A whole bridge, empty but for two clients; every process of it has ended when this ends, however it ends.

    `database_url`: of an empty PostgreSQL database, in place of a file. `settings`: of the server's environment.
    """
    with ExitStack() as held:
        dynamic = dynamic or held.enter_context(run())
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="oidc-bridge-bench-")))
        port = free_port()
        issuer = f"http://{HOST}:{port}"
        rs256, es256 = _set_up(folder, issuer, dynamic, database_url)
        began = time.monotonic()
        server = _serve(folder, port, {**environment(dynamic), **(settings or {})}, workers)
        try:
            _await_ready(server, port, folder)
            cold_start = time.monotonic() - began
            url = database_url or f"sqlite:///{folder}/bridge.db"
            yield Stage(port, server.pid, dynamic, rs256, es256, database_url=url, cold_start=cold_start)
        finally:
            end(server)


def _set_up(
    folder: Path, issuer: str, dynamic: RunningEmulator, database_url: str | None
) -> tuple[BenchClient, BenchClient]:
    environment_id = dynamic.emulator.environment_id
    made = _command(
        folder, dynamic, "init", "--environment-id", environment_id, "--issuer", issuer, "--client-id", "bench-rs256"
    )
    lines = dict(line.split("=", 1) for line in made.splitlines())
    if database_url is not None:
        settings = (folder / "bridge.env").read_text(encoding="utf-8").splitlines()
        kept = [line for line in settings if not line.startswith("BRIDGE_DATABASE_URL=")]
        (folder / "bridge.env").write_text("\n".join([*kept, f"BRIDGE_DATABASE_URL={database_url}", ""]))
        _command(folder, dynamic, "db", "upgrade")
        secret = _command(folder, dynamic, "client", "add", "bench-rs256", *_CLIENT).strip()
        lines["AUTH_DYNAMIC_SECRET"] = secret
    algorithms = ["--access-token-alg", "ES256", "--id-token-alg", "ES256"]
    secret = _command(folder, dynamic, "client", "add", "bench-es256", *_CLIENT, *algorithms)
    return (
        BenchClient("bench-rs256", "RS256", lines["AUTH_DYNAMIC_SECRET"]),
        BenchClient("bench-es256", "ES256", secret.strip()),
    )


def _command(folder: Path, dynamic: RunningEmulator, *words: str) -> str:
    """What one of our own commands prints."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge.cli", *words],
        cwd=folder,
        env=environment(dynamic),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchFailed(f"oidc-bridge {words[0]} failed:\n{done.stderr}")
    return done.stdout


def _serve(folder: Path, port: int, environ: Mapping[str, str], workers: int) -> subprocess.Popen[bytes]:
    with (folder / "server.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "bridge.cli", "serve", "--workers", str(workers), "--port", str(port)],
            cwd=folder,
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a group of its own: to be counted, and ended, as a whole
        )


def _await_ready(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT
    while time.monotonic() < give_up_at and server.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(HOST, port, timeout=2)
            connection.request("GET", "/readyz")
            ready = connection.getresponse().status == 200
            connection.close()
            if ready:
                return
        time.sleep(0.1)
    raise BenchFailed(f"The server did not start:\n{(folder / 'server.log').read_text(encoding='utf-8')}")


def end(server: subprocess.Popen[bytes]) -> None:
    try:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_TIMEOUT)
    finally:  # an impatient second Ctrl-C ends up here as well
        give_up_at = time.monotonic() + KILL_TIMEOUT
        with suppress(ProcessLookupError):  # the group has no member any more
            while time.monotonic() < give_up_at:
                os.killpg(server.pid, signal.SIGKILL)
                server.poll()
                time.sleep(0.01)
        server.wait()


def environment(dynamic: RunningEmulator) -> dict[str, str]:
    """This process's environment without the settings of a real bridge, and the emulator's address."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "DYNAMIC_", "NEXT_"))}
    return {**mine, "DYNAMIC_API_BASE_URL": dynamic.base_url, "BRIDGE_LIMITS": NOBODY_TOO_OFTEN}


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])
