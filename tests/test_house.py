"""The house keeps its floors and doors (docs/architecture.md)."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "bridge"
MODULES = sorted(PACKAGE.rglob("*.py"))

FLOORS = {
    **dict.fromkeys(("app", "parts", "cli", "config", "assets", "__init__"), 5),
    **dict.fromkeys(("web", "delivery"), 4),
    **dict.fromkeys(("oauth", "lifecycle"), 3),
    **dict.fromkeys(("dynamic", "tokens", "store"), 2),
    **dict.fromkeys(("jose", "fetch", "jwks", "keylife"), 1),
    **dict.fromkeys(("model", "history", "errors", "reasons", "signin_reasons", "clock", "subjects", "logs"), 0),
}
BESIDE = {
    ("oauth", "lifecycle"),
    ("jwks", "jose"),
    ("errors", "reasons"),
    ("signin_reasons", "reasons"),
    ("history", "model"),
}  # may look at a neighbour of their floor

DOORS = {
    "flask": ("web", "app", "emulator"),
    "werkzeug": ("web", "emulator"),
    "authlib": ("oauth",),
    "jwt": ("jose",),
    "requests": ("fetch",),
    "urllib3": ("fetch",),
    "sqlalchemy": ("store",),
    "psycopg": ("store.postgresql",),
    "alembic": ("cli.schema",),
    "cryptography": ("jose", "tokens.pairwise", "store.seal"),
    "pydantic": ("config.sources",),
    "pydantic_core": ("config.sources",),
    "pydantic_settings": ("config.sources",),
    "dotenv": ("config.sources",),
    "joserfc": ("emulator", "cli.demo"),
    "granian": ("cli.serve",),
    "coincurve": ("emulator.ethereum",),
    "Crypto": ("emulator.ethereum",),
    "click": ("cli",),
    "pytest": ("emulator.fixture",),
}


def name_of(module: Path) -> str:
    return ".".join(module.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            yield f"{node.module}"
            if node.module == "bridge":
                yield from (f"bridge.{alias.name}" for alias in node.names)


def own_rooms(module: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(module) if name.startswith("bridge.")}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_imports_point_down(module: Path) -> None:
    room = name_of(module).split(".")[0]
    if room == "emulator":
        assert own_rooms(module) <= {"emulator"}, "the emulator is a stranger to the bridge"
        return
    for other in own_rooms(module) - {room}:
        if other == "emulator":
            assert room == "cli", f"{room} imports the emulator"
        elif FLOORS[room] < 5:
            assert FLOORS[other] < FLOORS[room] or (room, other) in BESIDE, f"{room} imports {other}"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_one_package_has_one_door(module: Path) -> None:
    name = name_of(module)
    packages = {imported.split(".")[0] for imported in imports(module)} - {"bridge", ""}
    for package in packages - set(sys.stdlib_module_names):
        assert any(name == door or name.startswith(f"{door}.") for door in DOORS[package]), f"{name}: {package}"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_fits_in_the_head(module: Path) -> None:
    lines = module.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 300
    assert module.stem not in {"utils", "helpers", "common", "services", "manager", "base"}


def test_most_modules_are_short() -> None:
    long = [name_of(module) for module in MODULES if len(module.read_text(encoding="utf-8").splitlines()) > 150]
    assert len(long) <= len(MODULES) // 4, long


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_only_the_clock_reads_the_wall_clock(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    reads = [call for call in ("time.time(", "datetime.now(", "utcnow(", "date.today(", "gmtime(") if call in source]
    assert not reads or name_of(module) in ("clock", "emulator.clock")


def test_a_serving_worker_imports_neither_alembic_nor_pydantic_nor_the_emulator() -> None:
    code = "import sys, bridge.app, bridge.cli.serve; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "bridge.app" in loaded
    assert not {"alembic", "pydantic", "pydantic_settings", "bridge.emulator", "bridge.config.sources"} & set(loaded)


def test_a_worker_on_sqlite_does_not_load_postgresqls_driver() -> None:
    code = "import sys, bridge.app; from bridge.store import Database; Database('sqlite://'); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "psycopg" not in told.split()


def test_help_imports_no_command() -> None:
    code = "import sys; from bridge.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "sqlalchemy" not in told.split()
    assert "flask" not in told.split()
