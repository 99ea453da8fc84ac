"""What deploy/ holds is safe, and speaks of this program as it is (`make check-deploy` has each file read)."""

import re
import subprocess
from pathlib import Path

import pytest
from dockerfile import stages
from test_docs import setting_names

from bridge.cli.main import COMMANDS

TOP = Path(__file__).parents[1]
DEPLOY = TOP / "deploy"
SHIPPED = [DEPLOY / name for name in ("Dockerfile", "compose.yaml", "nginx.conf", "Caddyfile")]
UNITS = sorted(DEPLOY.glob("*.service"))
DIGEST = re.compile(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}")


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*SHIPPED, *UNITS], ids=lambda path: path.name)
def test_only_settings_and_commands_that_there_are_stand_in_deploy(path: Path) -> None:
    known = set(setting_names()) | {"BRIDGE_CONFIG"}
    for name in re.findall(r"\b(?:BRIDGE|DYNAMIC)_[A-Z_]+\b", text(path)):
        assert name.removesuffix("_FILE") in known, name
    for command in re.findall(r"oidc-bridge ([a-z-]+)\b(?! --target)", re.sub(r"#.*|-t oidc-bridge.*", "", text(path))):
        assert command in COMMANDS, command


def test_every_base_image_is_fixed_by_its_digest() -> None:
    named = stages(DEPLOY / "Dockerfile")
    bases = [stage.base for stage in named.values() if stage.base not in named]
    images = re.findall(r"image: (\S+:\S+)", text(DEPLOY / "compose.yaml"))
    assert len(bases) >= 2
    assert len(images) == 1
    for image in bases + images:
        assert DIGEST.fullmatch(image), image


def test_what_is_installed_in_the_image_is_locked_by_hashes() -> None:
    for stage in stages(DEPLOY / "Dockerfile").values():
        for run in stage.all("RUN"):
            for command in re.split(r"&&|;", run):
                if " pip " in command and " install " in command:
                    assert "--require-hashes" in command or "--no-index" in command, command
            assert not re.search(r"curl|wget|apt-get|npm install", run)


def test_the_image_runs_as_nobody_who_can_write_and_holds_no_secret() -> None:
    found = stages(DEPLOY / "Dockerfile")
    final = found["bridge"]
    assert final.all("USER") == ["10001:10001"]
    assert final.steps.index(("USER", "10001:10001")) > max(
        number for number, (word, _) in enumerate(final.steps) if word in ("RUN", "COPY")
    )
    assert found["bridge-with-login-page"].base == "bridge"
    assert "root" not in found["bridge-with-login-page"].all("USER")
    for stage in found.values():
        assert not re.search(r"SECRET|TOKEN|PASSWORD|DATABASE_URL", " ".join(stage.all("ENV") + stage.all("ARG")))
    for copied in found["bridge"].all("COPY"):
        assert copied.startswith(("--from=", "deploy/healthcheck.py ")), copied


def test_only_what_is_named_gets_into_the_build() -> None:
    lines = [line for line in text(TOP / ".dockerignore").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    tracked = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=False).stdout.split()
    assert all("secret" not in path and not path.endswith((".env", ".db", ".git")) for path in let_in)
    force_included = re.findall(r'^"([a-z-]+)[^"]*" = "bridge/_assets/', text(TOP / "pyproject.toml"), re.MULTILINE)
    assert {"templates", "migrations"} <= set(force_included)
    for source in force_included:
        assert any(path.split("/")[0] == source for path in let_in), source
    if tracked:
        assert not [path for path in let_in if path != "login-page" and not any(t.startswith(path) for t in tracked)]


def services() -> dict[str, str]:
    """What compose.yaml says of each service."""
    told = text(DEPLOY / "compose.yaml")
    body = told.split("\nservices:\n")[1].split("\nnetworks:\n")[0]
    return dict(re.findall(r"^  (\w+):\n((?:(?:    .*)?\n)+)", body, re.MULTILINE))


def test_each_service_is_closed_in() -> None:
    told = text(DEPLOY / "compose.yaml")
    hardened = told.split("x-hardened: &hardened\n")[1].split("\n\n")[0]
    for line in ("read_only: true", "cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]'):
        assert line in hardened
    assert "<<: *hardened" in told.split("x-bridge: &bridge\n")[1].split("\n\n")[0]
    found = services()
    assert set(found) == {"bridge", "migrate", "database"}
    for name, part in found.items():
        assert "<<: *bridge" in part or ("<<: *hardened" in part and 'user: "999:999"' in part), name
        assert "privileged: true" not in part
        assert "cap_add" not in part
    assert re.findall(r"ports: (.*)", told) == ['["127.0.0.1:8080:8080"]'], "nothing but the proxy reaches it"


def test_no_secret_is_a_variable_in_compose() -> None:
    told = text(DEPLOY / "compose.yaml")
    for name in re.findall(r"^ +([A-Z_]+): ", told, re.MULTILINE):
        if re.search(r"SECRET|PASSWORD|TOKEN|DATABASE_URL", name):
            assert name.endswith("_FILE"), name
    assert set(re.findall(r"/run/secrets/(\w+)", told)) == set(re.findall(r"file: secrets/(\w+)", told))


def test_the_schema_is_migrated_once_before_any_instance_starts() -> None:
    found = services()
    assert "command: [db, upgrade]" in found["migrate"]
    assert "condition: service_healthy" in found["migrate"]
    assert re.search(r"migrate:\n +condition: service_completed_successfully", found["bridge"])


def test_proxies_pass_on_neither_large_bodies_nor_who_the_client_says_it_is() -> None:
    nginx, caddy = text(DEPLOY / "nginx.conf"), text(DEPLOY / "Caddyfile")
    for line in ("client_max_body_size 64k;", "proxy_request_buffering on;", "large_client_header_buffers 4 8k;"):
        assert line in nginx
    assert "max_size 64KB" in caddy
    assert "request_buffers 64KiB" in caddy
    for header in ("X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"):
        assert f'proxy_set_header {header} "";' in nginx
        assert f"header_up -{header}\n" in caddy
    assert "$proxy_add_x_forwarded_for" not in nginx
    assert "$request_uri" not in nginx
