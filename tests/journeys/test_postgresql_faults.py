"""PostgreSQL stops, freezes and comes back under load: 503 within the time-outs, and nothing answered is lost."""

import time
from collections.abc import Iterator
from threading import Event, Thread
from urllib.request import urlopen

import pytest
from databases import Databases
from instances import Deployment, running_instances
from loading import Device, Heard, heard_by, statuses, under_load, until
from postgres import PostgresServer

from bridge.store.postgresql import ANSWER_TIMEOUT, CONNECT_TIMEOUT

LONGEST = ANSWER_TIMEOUT + CONNECT_TIMEOUT + 1.5
"""Seconds until a 503: a connection that does not answer, or one that is not to be had; and a busy machine."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, own_postgresql: PostgresServer) -> Iterator[Deployment]:
    """The same instances for one fault after the other: none of them asks for a restart."""
    url = Databases(own_postgresql.url()).create(migrated=True)
    with running_instances(tmp_path_factory.mktemp("instances"), url, how_many=2) as running:
        yield running


@pytest.fixture
def devices(deployment: Deployment) -> list[Device]:
    client_id = f"app-{len(deployment.secrets)}"
    secret = deployment.add_client(client_id, "--grant=token-exchange", "--grant=refresh_token")
    users = map(deployment.user, range(6))
    # One instance each: that they are not ready sends no load balancer elsewhere, for there is no elsewhere.
    urls = [instance.url for instance in deployment.instances] * 3
    return [Device(url, client_id, secret, deployment.assertion(user)) for url, user in zip(urls, users, strict=True)]


class Onlooker:
    """Reads the documents of each instance all the time; how long each took."""

    PATHS = ("/.well-known/openid-configuration", "/jwks", "/healthz")

    def __init__(self, deployment: Deployment) -> None:
        self.taken: list[float] = []
        self._urls = [f"{instance.url}{path}" for instance in deployment.instances for path in self.PATHS]
        self._ended = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> "Onlooker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.02):
            for url in self._urls:
                began = time.monotonic()
                with urlopen(url, timeout=20) as answer:
                    answer.read()
                self.taken.append(time.monotonic() - began)


def stopped(server: PostgresServer) -> None:
    server.stop()
    time.sleep(4)  # an outage has a length
    server.start()


def restarted(server: PostgresServer) -> None:
    server.stop()
    server.start()


def crashed(server: PostgresServer) -> None:
    server.crash()
    server.start()


def frozen(server: PostgresServer) -> None:
    server.freeze()
    try:
        time.sleep(9)  # longer than any time-out
    finally:
        server.thaw()


@pytest.mark.parametrize("fault", [stopped, restarted, crashed, frozen])
def test_while_postgresql_is_away_there_is_503_in_time_and_afterwards_all_is_as_it_was(
    fault: object, deployment: Deployment, devices: list[Device], own_postgresql: PostgresServer
) -> None:
    assert callable(fault)
    with Onlooker(deployment) as onlooker, under_load(devices):
        until(lambda: all(len(device.heard) > 30 for device in devices))
        began = time.monotonic()
        fault(own_postgresql)
        ended = time.monotonic()
        settled = max(_answered_again(device, ended) for device in devices)
        until(lambda: all(device.heard[-1].began > settled for device in devices))
    heard = heard_by(devices)
    assert set(statuses(heard)) <= {200, 503}
    assert all("temporarily_unavailable" in one.error for one in heard if one.status == 503)
    assert {one.status for one in heard if one.began + one.took < began} == {200}
    assert {one.status for one in heard if one.began > settled} == {200}
    assert settled - ended < LONGEST, "recovered by itself"
    assert max(one.took for one in heard) < LONGEST
    assert max(onlooker.taken) < 1
    assert len(onlooker.taken) > 20, "it looked all the while"
    _nothing_is_lost(devices)


def _answered_again(device: Device, since: float) -> float:
    """When it first got what it asked for after that moment."""
    found: list[Heard] = []
    until(lambda: found.extend(h for h in list(device.heard) if h.began > since and h.status == 200) or found)
    return found[0].began + found[0].took


def _nothing_is_lost(devices: list[Device]) -> None:
    """Every grant that was answered can be renewed, by the last token of it that was answered."""
    for device in devices:
        tokens = [*device.grants, device.refresh_token]
        assert len(tokens) > 3
        for token in tokens:
            device.refresh_token = token
            assert device.refresh() == 200, device.heard[-1]
            assert device.userinfo() == 200
