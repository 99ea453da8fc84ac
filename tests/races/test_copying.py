"""The move from SQLite to PostgreSQL: every row, nobody logged out, nothing mixed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import OFFLINE, Bridge
from databases import Databases, rows
from served import Command

from bridge.cli.schema import upgrade
from bridge.history import OPERATOR
from bridge.lifecycle.endings import revoke_user
from bridge.store import Database, clients
from bridge.store.copying import SourceChanged, TargetNotEmpty, copy
from bridge.store.tables import metadata

MakeBridge = Callable[..., Bridge]


@pytest.fixture
def empty(postgresql: Databases) -> Iterator[str]:
    """An empty database on PostgreSQL."""
    url = postgresql.create(migrated=False)
    yield url
    postgresql.drop(url)


def lived_in(bridge: Bridge) -> str:
    """A bridge that has been used; a refresh token of it."""
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    token = bridge.keep(user)
    gone = bridge.user(email="gone@example.com")
    bridge.keep(gone)
    with bridge.database.writing() as tx:
        revoke_user(tx, gone.id, actor=OPERATOR, now=bridge.clock())
    return token


def counts(url: str) -> dict[str, int]:
    return {table.name: rows(url, f"SELECT count(*) FROM {table.name}")[0][0] for table in metadata.sorted_tables}


def test_nobody_is_logged_out_by_the_move(make_bridge: MakeBridge, empty: str) -> None:
    before = make_bridge()
    token = lived_in(before)
    jwks = before.http.get("/jwks").json
    with Database(empty) as target:
        upgrade(target)
        copied = copy(before.database, target)
    assert copied == counts(before.config.database_url) == counts(empty)
    assert copied["grants"] == 2

    after = make_bridge(BRIDGE_DATABASE_URL=empty, BRIDGE_SECRET_KEYS=",".join(before.config.secret_keys))
    after.secrets.update(before.secrets)
    assert after.http.get("/jwks").json == jwks
    answer = after.refresh(token)
    assert answer.status_code == 200, answer.json
    assert after.userinfo(answer.json["access_token"]).status_code == 200
    assert after.exchange(after.assertion()).status_code == 200, "numbers of new rows go on where the old ones ended"


def test_a_database_that_holds_anything_is_not_copied_into(make_bridge: MakeBridge, empty: str) -> None:
    source = make_bridge()
    lived_in(source)
    with Database(empty) as target:
        upgrade(target)
        with target.writing() as tx:
            clients.add(tx, source.add_client("other"), 1)
        with pytest.raises(TargetNotEmpty):
            copy(source.database, target)
    assert counts(empty)["users"] == 0


def test_what_changes_while_it_is_copied_stops_the_move(
    make_bridge: MakeBridge, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_bridge()
    lived_in(source)
    reading, opened = source.database.reading, [0]

    def reading_late() -> Any:
        opened[0] += 1
        if opened[0] == 2:  # the copy is made, and not yet compared: a bridge that still runs takes a sign-in
            source.exchange(source.assertion(source.user(email="late@example.com")))
        return reading()

    monkeypatch.setattr(source.database, "reading", reading_late)
    with Database(empty) as target:
        upgrade(target)
        with pytest.raises(SourceChanged):
            copy(source.database, target)
    assert set(counts(empty).values()) == {0}


def test_the_command_copies_and_says_what(make_bridge: MakeBridge, empty: str, tmp_path: Path) -> None:
    source = make_bridge()
    lived_in(source)
    environ = {
        "BRIDGE_DEVELOPMENT": "true",
        "BRIDGE_ISSUER": source.config.issuer,
        "BRIDGE_DATABASE_URL": source.config.database_url,
        "BRIDGE_SECRET_KEYS": ",".join(source.config.secret_keys),
        "DYNAMIC_ENVIRONMENT_ID": source.dynamic.emulator.environment_id,
        "DYNAMIC_API_BASE_URL": source.dynamic.base_url,
        "PATH": os.environ["PATH"],
    }
    command = Command(tmp_path, environ)
    done = command("db", "copy", "--to", "-", stdin=f"{empty}\n")
    assert done.returncode == 0, done.stderr
    assert "rows copied and compared" in done.stderr
    again = command("db", "copy", "--to", empty)
    assert again.returncode == 1
    assert "holds rows already" in again.stderr
    assert command("db", "copy", "--to", "nonsense").returncode == 1
    assert counts(empty) == counts(source.config.database_url)
