"""Three instances on one PostgreSQL are replaced one after the other under load, and nobody notices."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import Databases
from instances import Deployment, running_instances
from loading import Device, heard_by, under_load, until

EXCHANGE = ("--grant=token-exchange", "--grant=refresh_token")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def deployment(tmp_path: Path, postgresql: Databases) -> Iterator[Deployment]:
    url = postgresql.create(migrated=True)
    with running_instances(tmp_path, url, BRIDGE_DRAIN_DELAY="1") as running:
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
            until(lambda: len(deployment.balancer.ready) == 3)
            assert instance.stop() == 0
            instance.start()
        until(lambda: len(deployment.balancer.ready) == 3)
    heard = heard_by(devices)
    assert [one for one in heard if one.status != 200] == []
    assert len(heard) > 500
    assert min(deployment.balancer.answered[instance.port] for instance in deployment.instances) > 100
    assert deployment.balancer.broken == []
    for device in devices:
        for token in (*device.grants, device.refresh_token):
            device.refresh_token = token
            assert device.refresh() == 200, "no grant is lost"
