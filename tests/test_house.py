"""The house keeps its floors and doors (docs/architecture.md)."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "bridge"
MODULES = sorted(PACKAGE.rglob("*.py"))

FLOORS = {
    **dict.fromkeys(
        ("app", "background", "gauges", "observing", "parts", "wsgi", "cli", "config", "assets", "__init__"), 5
    ),
    **dict.fromkeys(("web", "delivery"), 4),
    **dict.fromkeys(("oauth", "lifecycle"), 3),
    **dict.fromkeys(("dynamic", "tokens", "store"), 2),
    **dict.fromkeys(("jose", "fetch", "jwks", "keylife", "metrics", "ratelimit"), 1),
    **dict.fromkeys(
        ("model", "history", "errors", "reasons", "signin_reasons", "clock", "subjects", "logs", "waiting"), 0
    ),
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
    "limits": ("ratelimit",),
    "granian": ("cli.serve", "web.rsgi"),
    "prometheus_client": ("metrics",),
    "coincurve": ("emulator.ethereum",),
    "Crypto": ("emulator.ethereum",),
    "click": ("cli",),
    "pytest": ("emulator.fixture",),
}


def name_of(module: Path) -> str:
    return ".".join(module.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


@cache
def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(parsed(module)):
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


def calls(module: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a module, with the name it is made by, as written: `subprocess.run`, `print`."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (False, None)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_call_turns_a_check_off_or_runs_a_shell(module: Path) -> None:
    for name, call in calls(module):
        given = {word.arg: word.value for word in call.keywords if word.arg}
        assert "verify" not in given or not is_false(given["verify"]), f"{name}: TLS unverified"
        assert "shell" not in given or is_false(given["shell"]), f"{name}: a shell"
        assert name not in ("eval", "exec", "os.system", "os.popen", "pickle.loads", "pickle.load", "yaml.load"), name
        assert not name.endswith("_create_unverified_context"), name


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_only_the_command_line_prints(module: Path) -> None:
    printing = [
        name for name, _ in calls(module) if name in ("print", "pprint", "sys.stdout.write", "sys.stderr.write")
    ]
    assert not printing or name_of(module).split(".")[0] in ("cli", "logs")


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_nothing_rests_on_an_assert(module: Path) -> None:
    """`python -O` would take it away."""
    asserts = [node for node in ast.walk(parsed(module)) if isinstance(node, ast.Assert)]
    assert not asserts


SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA|BEGIN|SET|ATTACH|VACUUM) ")
OF_OUR_SCHEMA = {"store.database.insert_if_absent"}
"""Where names of our own tables and columns are put into a statement."""


def functions(tree: ast.AST, within: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node, with the name of the function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        inside = f"{within}.{node.name}" if isinstance(node, ast.FunctionDef | ast.ClassDef) else within
        yield inside, node
        yield from functions(node, inside)


def is_fixed(part: ast.expr) -> bool:
    """A text that is the same in every run: as written, a CONSTANT, or a {CONSTANT} in an f-string."""
    value = part.value if isinstance(part, ast.FormattedValue) else part
    name = value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""
    return isinstance(value, ast.Constant) or name.isupper()


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_statement_is_put_together_from_values(module: Path) -> None:
    for where, node in functions(parsed(module), name_of(module)):
        parts: list[ast.expr] = []
        if isinstance(node, ast.JoinedStr):
            parts = node.values
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            parts = [node.left, node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            parts = [node.func.value, *node.args, *(word.value for word in node.keywords)]
        first = parts[0] if parts else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and SQL.match(first.value):
            assert where in OF_OUR_SCHEMA or all(map(is_fixed, parts)), f"{where}: {first.value!r}"


def test_no_lock_file_names_a_registry() -> None:
    """Whoever installs decides where from; the hashes decide what."""
    locks = [*TOP.glob("requirements/*.lock"), *(lock for lock in TOP.glob("**/package-lock.json") if is_own(lock))]
    assert len(locks) >= 6
    for lock in locks:
        told = lock.read_text(encoding="utf-8")
        assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|git\+", told), lock
        if lock.suffix == ".lock":
            assert "://" not in told, lock
            assert told.count("==") <= told.count("--hash=sha256:"), lock
        else:
            resolved = re.findall(r'"resolved": "([^"]*)"', told)
            assert not [place for place in resolved if ":" in place], lock


def is_own(lock: Path) -> bool:
    parts = lock.relative_to(TOP).parts
    return not {"node_modules", "build", "dist"} & set(parts) and not parts[0].startswith(".")


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


def test_no_two_test_modules_have_one_name() -> None:
    """The second of them, and any conftest.py beside the first, would take the other's place as a module."""
    names = [path.name for path in (TOP / "tests").rglob("*.py") if path.name != "__init__.py"]
    assert sorted(names) == sorted(set(names))
