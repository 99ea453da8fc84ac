"""The clients in clients/: installed by their lock file into build/, and run with the test's browser at their side."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surfing import Page, Surfer

SOURCE = Path(__file__).parent / "clients"
BUILT = Path(__file__).parents[2] / "build"
INSTALLED_BY = ("package.json", "package-lock.json", ".npmrc")


class NotInstalledError(Exception):
    """Node is missing, or the packages could not be had. Says what."""


def installed() -> Path:
    """The folder in which the clients are ready to run. Raises NotInstalledError."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise NotInstalledError("Node.js 20 or newer with npm is not installed")
    digest = hashlib.sha256(b"\0".join((SOURCE / name).read_bytes() for name in INSTALLED_BY)).hexdigest()
    folder = BUILT / f"clients-{digest[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (BUILT / f"{folder.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # two test runs at once do not build into each other
        for path in SOURCE.iterdir():
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
        if not (folder / "node_modules" / ".complete").exists():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise NotInstalledError(f"npm could not install the clients: {done.stderr.strip()[-400:]}")
            (folder / "node_modules" / ".complete").touch()
    return folder


def run(script: str, settings: Mapping[str, str], surfer: Surfer) -> list[str]:
    """Everything that the client says has worked; it does whatever its script asks of the browser on the way."""
    worked: list[str] = []
    with subprocess.Popen(
        ["node", script],
        cwd=installed(),
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            said = json.loads(line)
            if "worked" in said:
                worked.append(said["worked"])
                continue
            page: Page = getattr(surfer, said["step"])(*said["words"])
            process.stdin.write(f"{json.dumps(_shown(page))}\n")
            process.stdin.flush()
        assert process.wait(timeout=20) == 0, f"after {worked}:\n{process.stderr.read()}"
    return worked


def _shown(page: Page) -> dict[str, Any]:
    return {"url": page.url, "ids": sorted(page.ids), "posted": dict(page.posted)}
