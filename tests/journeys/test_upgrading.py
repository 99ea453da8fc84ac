"""Instances and their database's schema: one migrates, and nobody starts on a schema that is newer than itself."""

import subprocess
from pathlib import Path

import pytest
from databases import Databases, rows
from instances import running_instances
from loading import Device
from served import Command, clean_environment

from bridge.store.seal import new_secret_key
from bridge.store.tables import REVISION


def test_three_instances_that_migrate_at_once_migrate_once(tmp_path: Path, postgresql: Databases) -> None:
    url = postgresql.create(migrated=False)
    settings = {
        "BRIDGE_DEVELOPMENT": "true",
        "BRIDGE_ISSUER": "http://localhost:8080",
        "BRIDGE_DATABASE_URL": url,
        "BRIDGE_SECRET_KEYS": new_secret_key(),
        "DYNAMIC_ENVIRONMENT_ID": "11111111-1111-4111-8111-111111111111",
    }
    command = Command(tmp_path, settings)
    at_once = [
        subprocess.Popen(
            [*command.program, "db", "upgrade"],
            cwd=tmp_path,
            env={**clean_environment(), **settings},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=90)[1] for process in at_once]
    assert [process.returncode for process in at_once] == [0, 0, 0], said
    assert rows(url, "SELECT version_num FROM alembic_version") == [(REVISION,)]
    assert command("check").returncode == 0
    postgresql.drop(url)


@pytest.mark.slow
def test_on_a_schema_from_the_future_who_runs_runs_on_and_who_stopped_does_not_start(
    tmp_path: Path, postgresql: Databases
) -> None:
    url = postgresql.create(migrated=True)
    with running_instances(tmp_path, url, how_many=2) as deployment:
        secret = deployment.add_client("app", "--grant=token-exchange", "--grant=refresh_token")
        runs, stops = deployment.instances
        device = Device(runs.url, "app", secret, deployment.assertion(deployment.user()))
        assert device.exchange() == 200
        rows(url, "UPDATE alembic_version SET version_num = '9999'")
        assert stops.stop() == 0
        stops.begin()
        assert stops.process is not None
        assert stops.process.wait(timeout=60) == 1
        assert "newer" in deployment.command.log()
        assert [device.refresh(), device.userinfo(), device.exchange()] == [200, 200, 200]
        rows(url, "UPDATE alembic_version SET version_num = :mine", mine=REVISION)
        stops.start()
    postgresql.drop(url)
