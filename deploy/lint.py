"""`make check-deploy`: what deploy/ holds, read by the programs that it is for. Needs no container engine."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = HERE.parent / ".venv" / "tools" / "bin"
REQUIRED = "deploy" in os.environ.get("BRIDGE_TEST_REQUIRE", "")


def lints() -> Iterator[tuple[str, list[str]]]:
    """What is checked, and the command that checks it."""
    yield "Dockerfile", [str(TOOLS / "hadolint"), "--failure-threshold", "style", "--no-color", "Dockerfile"]
    yield "compose.yaml", [str(TOOLS / "docker-compose"), "-f", "compose.yaml", "config", "--quiet"]
    yield "Caddyfile", [str(TOOLS / "caddy"), "validate", "--config", "Caddyfile", "--adapter", "caddyfile"]
    for unit in sorted(HERE.glob("*.service")):
        yield unit.name, ["systemd-analyze", "verify", "--man=no", str(unit)]


def run(command: list[str], home: str) -> subprocess.CompletedProcess[str]:
    settings = {"BRIDGE_ISSUER": "https://id.example.com", "DYNAMIC_ENVIRONMENT_ID": "x"}
    environ = {"PATH": os.environ["PATH"], "HOME": home, **settings}
    return subprocess.run(command, cwd=HERE, env=environ, capture_output=True, text=True, check=False)


def unit_faults(told: str) -> str:
    """The program is not installed where the unit is checked: of the findings, this one is none."""
    lines = [line for line in told.splitlines() if "oidc-bridge" in line]
    return "\n".join(line for line in lines if "is not executable" not in line)


def main() -> int:
    """0 if nothing is wrong with what could be checked, and nothing was left out that `REQUIRED` asks for."""
    failed = False
    with tempfile.TemporaryDirectory() as home:
        for what, command in lints():
            if shutil.which(command[0]) is None:
                print(f"{what}: NOT CHECKED, {Path(command[0]).name} is not installed")
                failed = failed or REQUIRED
                continue
            done = run(command, home)
            wrong = unit_faults(done.stderr) if command[0] == "systemd-analyze" else done.returncode
            print(f"{what}: {'has faults' if wrong else 'no fault'} ({Path(command[0]).name})")
            if wrong:
                failed = True
                print(done.stdout + done.stderr, file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
