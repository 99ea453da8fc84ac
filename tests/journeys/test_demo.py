"""`make demo`, `make demo-nextauth`, and the wheel in an empty environment."""

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZipFile

import nextauth_app
import pytest
from not_tested import REQUIRE, is_required, leave_out
from served import Command

TOP = Path(__file__).parents[2]
NEXTAUTH_DEMO = (sys.executable, "-m", "nextauth_demo")


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
    _check_content(ZipFile(wheel).namelist())
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


def _check_content(names: Sequence[str]) -> None:
    """The sign-in page's sources, and neither what npm installs for them nor what is built of them (decision 0015)."""
    page = {name.removeprefix("bridge/_assets/login-page/") for name in names if "_assets/login-page/" in name}
    assert {".npmrc", "build.mjs", "package.json", "package-lock.json", "src/main.js", "src/views/start.js"} <= page
    assert {name.partition("/")[0] for name in page if "/" in name} == {"src", "stubs"}
    assert not [name for name in names if "node_modules" in name or "dist/" in name or "manifest.json" in name]


@pytest.mark.browser  # not that it needs one: it belongs to the tests that build apps
@pytest.mark.timeout(1200)
def test_the_nextauth_demo_stays_up_until_it_is_ended(pytestconfig: pytest.Config) -> None:
    if problem := nextauth_app.missing():
        if is_required("node"):
            pytest.fail(f"{problem}, and {REQUIRE} asks for it")
        leave_out(pytestconfig, f"make demo-nextauth: {problem}.")
        pytest.skip(problem)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(NEXTAUTH_DEMO, cwd=TOP, env=environ, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        told = []
        for line in demo.stdout:
            told.append(line)
            if "Open this in your browser" in line:
                break
        try:
            assert "Open this in your browser" in told[-1], told
            with urlopen(told[-1].split()[-1], timeout=30) as page:
                assert b"You are not signed in" in page.read()
        finally:
            demo.terminate()
    assert demo.returncode == 0


def test_the_nextauth_demo_says_which_node_it_needs(tmp_path: Path) -> None:
    for program, does in (("npm", "exit 1"), ("node", "echo v18.20.0")):
        (tmp_path / program).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / program).chmod(0o755)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told = subprocess.run(NEXTAUTH_DEMO, cwd=TOP, env=environ, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "Node.js 20.9 or newer is needed, and this is v18.20.0" in told.stderr
    assert told.stdout == ""
