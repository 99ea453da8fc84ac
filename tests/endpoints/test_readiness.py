"""/healthz and /readyz: who may send requests here, and what is wrong if nobody should."""

import pytest
from conftest import Bridge
from sqlalchemy import text
from watching import hearing
from werkzeug.test import TestResponse

from bridge.store import Database, tables
from bridge.web.ops import Check

WELL = {"database": "ok", "signing keys": "ok", "upstream keys": "ok"}


def parts(answer: TestResponse) -> tuple[int, str, dict[str, str]]:
    return answer.status_code, answer.json["status"], answer.json["parts"]


def change_schema(database: Database, revision: str) -> None:
    with database.writing() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_a_bridge_that_works_is_healthy_and_ready(bridge: Bridge) -> None:
    bridge.add_client()
    assert bridge.exchange(bridge.assertion()).status_code == 200
    assert bridge.http.get("/healthz").json == {"status": "ok"}
    assert parts(bridge.http.get("/readyz")) == (200, "ready", WELL)


@pytest.mark.both_databases
def test_an_older_schema_is_not_ready_and_a_newer_one_is(bridge: Bridge) -> None:
    """A rolling upgrade migrates first, and what runs is to run on."""
    change_schema(bridge.database, "0000")
    status, word, found = parts(bridge.http.get("/readyz"))
    assert (status, word, found["database"]) == (503, "not ready", "schema is old")
    change_schema(bridge.database, f"{tables.REVISION}9")
    bridge.clock.forward(1)
    assert bridge.http.get("/readyz").status_code == 200


@pytest.mark.both_databases
def test_however_often_it_is_asked_the_database_is_asked_one_statement_a_second(bridge: Bridge) -> None:
    assert bridge.http.get("/readyz").status_code == 200
    asked = list[str]()
    with hearing(asked.append):
        for _ in range(50):
            assert bridge.http.get("/readyz").status_code == 200
        assert asked == []
        bridge.clock.forward(1)
        for _ in range(50):
            assert bridge.http.get("/readyz").status_code == 200
    assert len([one for one in asked if not one.startswith(("BEGIN", "COMMIT"))]) == 1


def test_a_schema_that_goes_away_is_old_and_one_that_comes_back_is_ready(bridge: Bridge) -> None:
    assert bridge.http.get("/readyz").status_code == 200
    for renaming in ("alembic_version RENAME TO away", "away RENAME TO alembic_version"):
        with bridge.database.writing() as tx:
            tx.execute(text(f"ALTER TABLE {renaming}"))
        for _ in range(2):
            bridge.clock.forward(1)
            answer = bridge.http.get("/readyz")
        assert answer.json["parts"]["database"] == ("schema is old" if "TO away" in renaming else "ok")


def test_without_keys_that_may_sign_it_is_not_ready(bridge: Bridge) -> None:
    with bridge.database.writing() as tx:
        tx.execute(text("ALTER TABLE signing_keys RENAME TO away"))
        tx.execute(
            text(
                "CREATE TABLE signing_keys AS SELECT kid, alg, state, 'x' AS private_key, created_at,"
                " activated_at, retired_at, published_until FROM away"
            )
        )
        tx.execute(text("UPDATE signing_keys SET kid = 'other-' || kid"))  # sealed under keys that we do not have
    bridge.clock.forward(59)
    assert bridge.http.get("/readyz").status_code == 200
    bridge.clock.forward(11)
    status, _, found = parts(bridge.http.get("/readyz"))
    assert (status, found["signing keys"]) == (503, "not read lately")


def test_dynamic_being_away_is_told_and_takes_nobody_out_of_service(bridge: Bridge) -> None:
    assert parts(bridge.http.get("/readyz")) == (200, "ready", {**WELL, "upstream keys": "not fetched yet"})
    bridge.add_client()
    assert bridge.exchange(bridge.assertion()).status_code == 200
    world = bridge.dynamic.emulator
    world.faults.set(f"/sdk/{world.environment_id}/.well-known/jwks", "error")
    bridge.clock.forward(3600)
    bridge.exchange(bridge.assertion())
    assert parts(bridge.http.get("/readyz")) == (200, "ready", {**WELL, "upstream keys": "old"})


def test_a_server_that_is_told_to_stop_is_healthy_and_not_ready(bridge: Bridge) -> None:
    stopping = list[bool]()
    readiness = bridge.http.application.extensions["observing"].readiness
    readiness.add(Check("server", lambda _: "stopping" if stopping else None))
    assert bridge.http.get("/readyz").json["parts"]["server"] == "ok"
    stopping.append(True)
    assert bridge.http.get("/readyz").status_code == 503
    assert bridge.http.get("/healthz").status_code == 200


def test_what_is_told_is_of_fixed_words(bridge: Bridge) -> None:
    told = bridge.http.get("/readyz?x=<script>", headers={"Host": "evil.example"}).text
    assert "evil" not in told
    assert "script" not in told
    assert bridge.config.database_url not in told
