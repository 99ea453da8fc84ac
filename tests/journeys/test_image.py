"""The steps of deploy/Dockerfile, carried out without a container engine: in a folder that stands for the image's root.

Not carried out: the base image itself, and the step that makes the user. All stages share the one folder: their paths
do not meet.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from databases import Databases
from dockerfile import Stage, stages
from not_tested import is_required, leave_out
from served import Command, free_port

from bridge.emulator import RunningEmulator
from bridge.store.seal import new_secret_key

TOP = Path(__file__).parents[2]
pytestmark = [pytest.mark.rehearsal, pytest.mark.timeout(600)]


class Rehearsal:
    """Carries out stages in a folder."""

    def __init__(self, root: Path, context: Path) -> None:
        self.root, self._context, self._stages = root, context, stages(TOP / "deploy" / "Dockerfile")

    def place(self, words: str) -> str:
        """The same words about a path in our folder."""
        return re.sub(r"(?<![\w./-])/(opt|src|data)\b", rf"{self.root}/\1", words)

    def carry_out(self, name: str) -> None:
        stage = self._stages[name]
        workdir = self.root
        for word, rest in stage.steps:
            if word == "WORKDIR":
                workdir = Path(self.place(rest))
                workdir.mkdir(exist_ok=True)
            elif word == "COPY":
                self._copy(rest, workdir)
            elif word == "RUN" and "groupadd" not in rest:
                self._run(rest, workdir, self._environment(stage))

    def _environment(self, stage: Stage) -> dict[str, str]:
        """Nothing but what the image has, and how packages are reached from here."""
        reached = {n: v for n, v in os.environ.items() if n.startswith(("PIP_", "npm_config_", "NODE_EXTRA", "SSL_"))}
        below = self._environment(self._stages[stage.base]) if stage.base in self._stages else {}
        own = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', " ".join(stage.all("ENV"))))
        home = {"HOME": os.environ.get("HOME", "/"), "PATH": f"{self.root}/python"}  # no Node.js of this machine
        return {**home, **reached, **below, **own}

    def _copy(self, rest: str, workdir: Path) -> None:
        *sources, target = rest.split()
        if sources[0].startswith("--from="):
            assert all((self.root / path.lstrip("/")).exists() for path in sources[1:]), rest
            return
        goal = workdir / self.place(target)
        for source in sources:
            found = self._context / source
            if found.is_dir():
                shutil.copytree(found, goal, dirs_exist_ok=True)
            else:
                assert found.is_file(), source
                named = goal / found.name if target.endswith("/") else goal
                named.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, named)

    def _run(self, command: str, workdir: Path, environ: dict[str, str]) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", self.place(command)],
            cwd=workdir,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"


@contextmanager
def build_context() -> Iterator[Path]:
    """What .dockerignore lets into the build, and no more."""
    lines = (TOP / ".dockerignore").read_text(encoding="utf-8").splitlines()
    left_out = shutil.ignore_patterns(*(line.removeprefix("**/") for line in lines if line.startswith("**/")))
    with tempfile.TemporaryDirectory() as folder:
        for line in lines:
            path = TOP / line.removeprefix("!")
            goal = Path(folder) / line.removeprefix("!")
            if not line.startswith("!"):
                continue
            goal.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, goal, ignore=left_out)
            else:
                shutil.copy(path, goal)
        yield Path(folder)


@pytest.fixture(scope="module")
def image() -> Iterator[Rehearsal]:
    """The image's files, as every stage leaves them."""
    with tempfile.TemporaryDirectory(prefix="image-") as folder, build_context() as context:
        root = Path(folder)
        (root / "python").mkdir()
        (root / "opt").mkdir()
        (root / "python" / "python").symlink_to(getattr(sys, "_base_executable", sys.executable))
        rehearsal = Rehearsal(root, context)
        for name in ("build", "login-page", "bridge", "bridge-with-login-page"):
            rehearsal.carry_out(name)
        yield rehearsal


@pytest.fixture
def closed_in(pytestconfig: pytest.Config) -> tuple[str, ...]:
    """What runs a program where nothing can be written, without a single capability."""
    script = (
        "awk '$3 !~ /^(proc|sysfs|devpts|devtmpfs|cgroup2?|mqueue)$/ && $2 !~ /^.dev/ {print $2}' /proc/self/mounts"
        ' | while read -r where; do mount -o remount,ro,bind "$where" 2>/dev/null; done;'
        ' touch "$HOME/.written" 2>/dev/null && exit 9;'
        ' exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"'
    )
    words = (
        "unshare",
        "--mount",
        "sh",
        "-c",
        f'mount --make-rprivate / && mount --bind / / && cd "$PWD" && {script}',
        "sh",
    )
    if os.geteuid() != 0 or subprocess.run([*words, "true"], check=False, capture_output=True).returncode != 0:
        if is_required("deploy"):
            pytest.fail("nothing can be mounted read-only here")
        leave_out(pytestconfig, "The image with a read-only root: nothing can be mounted here.")
        pytest.skip("nothing can be mounted read-only here")
    return words


def test_the_image_serves_from_a_read_only_root_without_a_capability(
    image: Rehearsal, closed_in: tuple[str, ...], postgresql: Databases, dynamic: RunningEmulator, tmp_path: Path
) -> None:
    program = (*closed_in, str(image.root / "opt/oidc-bridge/bin/oidc-bridge"))
    port = free_port()
    (tmp_path / "secret_keys").write_text(f"{new_secret_key()}\n")
    (tmp_path / "database_url").write_text(postgresql.create(migrated=False))
    environ = {
        "BRIDGE_ISSUER": f"http://localhost:{port}",
        "BRIDGE_DEVELOPMENT": "true",
        "BRIDGE_HOST": "127.0.0.1",
        "BRIDGE_PORT": str(port),
        "BRIDGE_SECRET_KEYS_FILE": str(tmp_path / "secret_keys"),
        "BRIDGE_DATABASE_URL_FILE": str(tmp_path / "database_url"),
        "BRIDGE_LOGIN_PAGE": str(image.root / "opt/login-page"),
        "DYNAMIC_ENVIRONMENT_ID": dynamic.emulator.environment_id,
        "DYNAMIC_API_BASE_URL": dynamic.base_url,
    }
    command = Command(tmp_path, environ, program)
    migrated = command("db", "upgrade")
    assert migrated.returncode == 0, migrated.stderr
    healthy = [sys.executable, str(image.root / "opt/oidc-bridge/healthcheck.py")]
    with command.serving(url=f"http://127.0.0.1:{port}") as server:
        assert subprocess.run(healthy, env={"BRIDGE_PORT": str(port)}, check=False).returncode == 0
    assert server.returncode == 0, command.log()
    assert subprocess.run(healthy, env={"BRIDGE_PORT": str(port)}, check=False).returncode == 1
    assert "Read-only file system" not in command.log()


def test_the_image_holds_the_program_and_its_locked_packages_alone(image: Rehearsal) -> None:
    python = image.root / "opt/oidc-bridge/bin/python"
    code = "from importlib.metadata import distributions; print(*sorted(d.name.lower() for d in distributions()))"
    told = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    installed = {name.replace("_", "-") for name in told.split()}
    locked = set(re.findall(r"^([a-z0-9-]+)==", (TOP / "requirements/run.lock").read_text("utf-8"), re.MULTILINE))
    assert "dynamic-oidc-bridge" in installed
    assert installed - {"dynamic-oidc-bridge"} <= locked
    assert (image.root / "opt/login-page/manifest.json").is_file()
    assert not list((image.root / "opt/oidc-bridge").rglob("node_modules"))
