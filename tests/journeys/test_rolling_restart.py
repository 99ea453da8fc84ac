"""Three instances on one PostgreSQL are replaced one after the other under load, and nobody notices."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import Databases
from instances import Deployment, running_instances
from loading import Device, heard_by, statuses, under_load

EXCHANGE = ("--grant=token-exchange", "--grant=refresh_token")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def deployment(tmp_path: Path, postgresql: Databases) -> Iterator[Deployment]:
    url = postgresql.create(migrated=True)
    with running_instances(tmp_path, url) as running:
        yield running
    postgresql.drop(url)


def devices_of(deployment: Deployment, how_many: int) -> list[Device]:
    secret = deployment.add_client("app", *EXCHANGE)
    return [
        Device(deployment.issuer, "app", secret, deployment.assertion(deployment.user(number)))
        for number in range(how_many)
    ]


def test_no_request_fails_while_one_instance_after_the_other_is_replaced(deployment: Deployment) -> None:
    devices = devices_of(deployment, 6)
    with under_load(devices):
        for instance in deployment.instances:
            time.sleep(1)
            print(instance.port, "stop", time.monotonic())
            assert instance.stop() == 0
            print(instance.port, "stopped", time.monotonic())
            instance.start()
            print(instance.port, "started", time.monotonic())
    heard = heard_by(devices)
    print(deployment.balancer.broken, statuses(heard), len(heard), deployment.balancer.answered)
    print([one for one in heard if one.status != 200][:10], max(h.took for h in heard))
    assert set(statuses(heard)) == {200}
