"""The server's processes are killed: others go on, and nobody stays behind who holds the port with old settings."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest
from databases import Databases
from instances import Instance, running_instances
from loading import Device, until
from postgres import PostgresServer
from served import command_for, free_port, workers_of

from bridge.emulator import RunningEmulator


@pytest.fixture
def instance(tmp_path: Path, dynamic: RunningEmulator) -> Iterator[Instance]:
    """A server with two workers."""
    command = command_for(tmp_path, dynamic)
    port = free_port()
    done = command("init", "--environment-id", dynamic.emulator.environment_id, "--issuer", f"http://localhost:{port}")
    assert done.returncode == 0, done.stderr
    started = Instance(command, port, workers=2)
    try:
        started.start()
        found = workers_of(started.pid)
        yield started
    finally:
        started.end()
        for worker in filter(is_there, found):
            os.kill(worker, signal.SIGKILL)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def answers(instance: Instance) -> bool:
    with suppress(OSError), urlopen(f"{instance.url}/healthz", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def test_workers_whose_parent_is_killed_end_and_leave_the_port_to_who_comes_next(instance: Instance) -> None:
    workers = workers_of(instance.pid)
    assert len(workers) == 2
    instance.kill()
    until(lambda: not any(is_there(worker) for worker in workers), within=20)
    assert not answers(instance)
    instance.start()
    assert answers(instance)


def test_while_one_worker_is_killed_the_other_answers(instance: Instance) -> None:
    first, second = workers_of(instance.pid)
    os.kill(first, signal.SIGKILL)
    until(lambda: all(answers(instance) for _ in range(20)))
    until(lambda: len(workers_of(instance.pid)) == 2)
    assert is_there(second)


@pytest.mark.slow
def test_a_worker_that_dies_while_postgresql_is_away_takes_nobody_along(
    tmp_path: Path, own_postgresql: PostgresServer
) -> None:
    url = Databases(own_postgresql.url()).create(migrated=True)
    with running_instances(tmp_path, url, how_many=1, workers=2) as deployment:
        (instance,) = deployment.instances
        secret = deployment.add_client("app", "--grant=token-exchange", "--grant=refresh_token")
        device = Device(instance.url, "app", secret, deployment.assertion(deployment.user()))
        assert device.exchange() == 200
        own_postgresql.stop()
        first, second = workers_of(instance.pid)
        os.kill(first, signal.SIGKILL)
        until(lambda: deployment.command.log().count("worker waits for the database") >= 3)
        assert is_there(second)
        for _ in range(20):
            assert answers(instance)
        own_postgresql.start()
        began = deployment.command.log().count("worker waits for the database")
        until(lambda: device.exchange() == 200)
        os.kill(second, signal.SIGKILL)  # the new one answers, for it has come to work meanwhile
        until(lambda: answers(instance) and device.refresh() == 200)
        assert deployment.command.log().count("worker waits for the database") <= began + 1
