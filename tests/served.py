"""The real server in a process of its own, on a free port, for as long as a test needs it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from bridge.emulator import RunningEmulator


@dataclass(frozen=True)
class Command:
    """`oidc-bridge` in a folder, with an environment of its own."""

    folder: Path
    environ: Mapping[str, str]
    program: tuple[str, ...] = (sys.executable, "-m", "bridge.cli")

    def __call__(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self._run(words, stdin, timeout=60)

    def for_long(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The same for what takes its time."""
        return self._run(words, "", timeout=240)

    def _run(self, words: Sequence[str], stdin: str, timeout: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.program, *words],
            cwd=self.folder,
            env={**clean_environment(), **self.environ},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @contextmanager
    def serving(
        self, *words: str, url: str, ready: Callable[[], bool] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """`oidc-bridge serve …` until the block ends; ready when the block begins, as `url` or else `ready` says."""
        with (self.folder / "server.log").open("w") as log:
            server = subprocess.Popen(
                [*self.program, "serve", *words],
                cwd=self.folder,
                env={**clean_environment(), **self.environ},
                stdout=log,
                stderr=log,
                text=True,
            )
        try:
            wait_until_ready(server, url, ready)
            yield server
        finally:
            server.terminate()
            server.wait(timeout=20)

    def log(self) -> str:
        return (self.folder / "server.log").read_text(encoding="utf-8")


def command_for(folder: Path, dynamic: RunningEmulator) -> Command:
    return Command(folder, {"DYNAMIC_API_BASE_URL": dynamic.base_url})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    ours = ("BRIDGE_", "DYNAMIC_", "NEXT_")
    others = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**others, "BRIDGE_LOGIN_PAGE": "off"}  # whether or not it was built in this checkout


def wait_until_ready(
    server: subprocess.Popen[Any], url: str, ready: Callable[[], bool] | None = None, *, within: float = 30
) -> None:
    give_up_at = time.monotonic() + within
    while time.monotonic() < give_up_at and server.poll() is None:
        if ready() if ready is not None else _is_ready(url):
            return
        time.sleep(0.05)
    raise AssertionError("the server did not become ready")


def _is_ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def workers_of(parent: int) -> list[int]:
    """The processes that answer."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes()
            if int(fields[1]) == parent and fields[0] != "Z" and b"spawn_main" in command:
                found.append(int(entry.name))
    return found


def tree_of(pid: int) -> list[int]:
    """A process and all that came of it."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]
    return [pid, *(member for child in children for member in tree_of(child))]
