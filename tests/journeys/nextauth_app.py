"""The apps of examples/, built for production and running on ports of this machine.

They are copied to build/examples, installed by their lock file and built there, once: what is there is used again as
long as the files, and the settings that they were built with, are the same.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

TOP = Path(__file__).parents[2]
BUILT = TOP / "build" / "examples"
MADE = ("node_modules", ".next", "dist", "next-env.d.ts", "tsconfig.tsbuildinfo")
PUBLIC = ("VITE_",)
FOREIGN = ("AUTH_", "NEXTAUTH_", "NEXT_", "VITE_", "BRIDGE_", "DYNAMIC_", "DATABASE_URL", "SESSION_STRATEGY")


@dataclass(frozen=True)
class App:
    """An app that answers at `url`. What it wrote is in `log`."""

    url: str
    log: Path


def missing() -> str | None:
    """What is not there to build with; None if all is."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "npm is not installed (Node.js 20.9 or newer brings it)"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if [int(part) for part in version.removeprefix("v").split(".")[:2] if part.isdecimal()] < [20, 9]:
        return f"Node.js 20.9 or newer is needed, and this is {version or 'none that runs'}"
    return None


@contextmanager
def running_app(example: str, port: int, settings: Mapping[str, str], log: Path) -> Iterator[App]:
    """The example on `port` with `settings` in its environment, until the block ends; ready when it begins.

    Those of the single-page app are fixed when it is built.
    """
    public = {name: value for name, value in settings.items() if name.startswith(PUBLIC)}
    settings = {"DATABASE_URL": f"file:{log.with_suffix('.db')}", **settings}  # for those that have one
    folder = built(example, public)
    host_option = "--host" if example == "spa" else "--hostname"
    command = ["npm", "start", "--", "--port", str(port), host_option, "localhost"]
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=_environment(settings), stdout=output, stderr=output, start_new_session=True
        )
    app = App(f"http://localhost:{port}", log)
    try:
        _wait_until_ready(server, app)
        yield app
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # npm, and what it started
        server.wait(timeout=20)


def built(example: str, public: Mapping[str, str]) -> Path:
    """The folder in which the example is ready to start."""
    source = TOP / "examples" / example
    lock = (source / "package-lock.json").read_bytes()
    folder = BUILT / f"{example}-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (BUILT / f"{folder.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # two test runs at once do not build into each other
        _copy(source, folder)
        if not (folder / "node_modules" / ".complete").exists():
            _npm(folder, {}, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            (folder / "node_modules" / ".complete").touch()
        stamp, mark = _stamp(source, public), folder / "node_modules" / ".built"
        if not mark.exists() or mark.read_text() != stamp:
            mark.unlink(missing_ok=True)
            _npm(folder, public, "run", "build")
            mark.write_text(stamp)
    return folder


def _copy(source: Path, folder: Path) -> None:
    for old in folder.iterdir():
        if old.name not in MADE:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for path in _files(source):
        copy = folder / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _stamp(source: Path, public: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(public, sort_keys=True).encode())
    for path in _files(source):
        digest.update(f"{path.relative_to(source)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()


def _files(source: Path) -> Iterator[Path]:
    """What the example is built of; neither what was made of it nor what is for readers, nor somebody's settings."""
    for name in sorted(path.name for path in source.iterdir()):
        if name in MADE or name.startswith(".env") or name.endswith((".md", ".db")):
            continue
        path = source / name
        yield from sorted(inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else [path]


def _npm(folder: Path, public: Mapping[str, str], *words: str) -> None:
    done = subprocess.run(
        ["npm", *words], cwd=folder, env=_environment(public), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"npm {' '.join(words)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**ours, "CI": "1", "NEXT_TELEMETRY_DISABLED": "1", **settings}


def _wait_until_ready(server: subprocess.Popen[bytes], app: App) -> None:
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at and server.poll() is None:
        try:
            with urlopen(app.url, timeout=10):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{app.url} did not become ready:\n{app.log.read_text(encoding='utf-8')}")
