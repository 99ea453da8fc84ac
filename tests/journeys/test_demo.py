"""`make demo`, and the wheel in an empty environment."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from served import Command

TOP = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_demo_runs_through_and_leaves_nothing_behind(tmp_path: Path) -> None:
    told = Command(tmp_path, {})("demo", "--once")
    assert told.returncode == 0, told.stderr
    for step in (
        *("and on to the page", "a code goes back", "The app redeemed", "tokens renewed: 1", "nobody is asked"),
        *("the app's session and the bridge's", "login_required"),
        *("discovery document", "exchanged at /token", "verified by joserfc", "userinfo", "signature_invalid"),
        *("offline_access", "its successor, again", "Revoked", "refresh_token_reused", "audit why"),
    ):
        assert step in told.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_works_in_an_empty_environment(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(TOP)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").iterdir()
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    locked = ["--require-hashes", "-r", str(TOP / "requirements" / "run.lock")]
    for packages in (locked, ["--no-deps", str(wheel)]):
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True, capture_output=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    installed = Command(empty, {"PYTHONPATH": "", "PATH": os.environ["PATH"]}, (str(python.parent / "oidc-bridge"),))
    told = installed("demo", "--once")
    assert told.returncode == 0, told.stderr
    assert "Every step went as it must" in told.stdout
