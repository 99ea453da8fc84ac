"""The demo's processes: our own commands, and servers that are up while a block runs."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from bridge.cli.demo.telling import DemoFailed

START_TIMEOUT = 30  # seconds
FOREIGN = ("BRIDGE_", "DYNAMIC_", "NEXT_", "AUTH_", "FLASK_")
"""Settings of a real bridge or app, which have no place in the demo."""


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without anybody's settings, and with these."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**mine, **settings}


def bridge_command(folder: Path, settings: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "bridge.cli", *words],
        cwd=folder,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def serving(folder: Path, settings: Mapping[str, str], *words: str, ready: str) -> Iterator[None]:
    """`python -m …` in a process of its own until the block ends; `ready` is a URL that answers when the block begins.

    Raises DemoFailed, with what the process wrote, if it does not.
    """
    log = folder / f"{words[0]}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", *words], cwd=folder, env=environment(settings), stdout=output, stderr=output
        )
    try:
        _wait_until_ready(server, ready, log)
        yield
    finally:
        server.terminate()
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT
    while time.monotonic() < give_up_at and server.poll() is None:
        try:
            with urlopen(url, timeout=10):  # noqa: S310 - our own server
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise DemoFailed(f"{url} did not answer:\n{log.read_text(encoding='utf-8', errors='replace')}")


def free_port(wished: int) -> int:
    """The wished port of this machine if it is free, else another."""
    for port in (wished, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("no free port")
