"""Three instances on one PostgreSQL are one provider: whatever was begun at one goes on at another."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from databases import Databases
from instances import ORIGIN, Deployment, running_instances
from loading import Device, until
from provider import ADDRESS, Provider
from receiving import Receiver, accepted, claims_in, receiving
from requests import Session
from sqlalchemy import make_url
from surfing import Surfer
from test_code_flow import AFTER, APP, CALLBACK, REGISTERED, told, whole_journey

from bridge.emulator import NewWallet
from bridge.jose import parse
from bridge.keylife import READ_FIRST
from bridge.model import AUTHORIZATION_CODE
from bridge.store.clients import CACHED_FOR

EXCHANGE = ("--grant=token-exchange", "--grant=refresh_token", f"--assertion-origin={ORIGIN}")


@pytest.fixture(scope="module", params=["direct", pytest.param("pgbouncer", marks=pytest.mark.slow)])
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgresql: Databases
) -> Iterator[Deployment]:
    url = way = postgresql.create(migrated=True)
    if request.param == "pgbouncer":
        by_way_of = make_url(request.getfixturevalue("pgbouncer")).set(database=make_url(url).database)
        way = by_way_of.render_as_string(hide_password=False)
    with running_instances(tmp_path_factory.mktemp("instances"), way) as running:
        yield running
    postgresql.drop(url)


@pytest.fixture(scope="module")
def provider(deployment: Deployment) -> Provider:
    """What the world sees of them."""
    world = deployment.dynamic.emulator
    user = world.create_user(email="demo@example.com", given_name="Demo", wallets=[NewWallet(address=ADDRESS)])
    return Provider(deployment.issuer, deployment.dynamic, deployment.command, user)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def devices(deployment: Deployment, request: pytest.FixtureRequest) -> list[Device]:
    """Sessions of one user, each kept at an instance of its own."""
    client_id = request.node.name.partition("[")[0][-20:].strip("_").replace("_", "-")
    secret = deployment.add_client(client_id, *EXCHANGE)
    assertion = deployment.assertion(deployment.user())
    return [Device(instance.url, client_id, secret, assertion) for instance in deployment.instances]


def published(url: str) -> Any:
    """The key document of one instance."""
    with urlopen(f"{url}/jwks", timeout=20) as answer:
        return json.load(answer)


def test_a_stock_client_and_a_browser_notice_nothing(deployment: Deployment, provider: Provider) -> None:
    before = deployment.balancer.answered.copy()
    whole_journey(provider, "client_secret_basic", Surfer(APP))
    answered = deployment.balancer.answered - before
    assert min(answered[instance.port] for instance in deployment.instances) >= 5
    assert deployment.balancer.broken == []


def test_a_session_that_ends_at_one_has_ended_at_all_and_its_client_is_told_once(
    deployment: Deployment, provider: Provider, receiver: Receiver
) -> None:
    secret = provider.add_client("told", *REGISTERED, f"--backchannel-logout-uri={receiver.uri}", "--no-require-pkce")
    surfer = Surfer(APP)
    asked = {"client_id": "told", "redirect_uri": CALLBACK, "response_type": "code", "state": "s" * 32}
    surfer.open(f"{deployment.issuer}/authorize?{urlencode({**asked, 'scope': 'openid email offline_access'})}")
    code = told(surfer.sign_in())["code"]

    def at(number: int, path: str, **form: str) -> tuple[int, dict[str, str]]:
        with Session() as wire:
            wire.trust_env = False
            signed = {"client_id": "told", "client_secret": secret, **form}
            answer = wire.post(f"{deployment.instances[number].url}{path}", data=signed, timeout=20)
            return answer.status_code, answer.json() if answer.content else {}

    status, tokens = at(0, "/token", grant_type=AUTHORIZATION_CODE, code=code, redirect_uri=CALLBACK)
    assert status == 200
    status, renewed = at(1, "/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert status == 200
    assert at(2, "/introspect", token=renewed["access_token"])[1]["active"] is True
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER, "state": "s-1"}
    assert surfer.open(f"{deployment.issuer}/logout?{urlencode(hint)}").url == f"{AFTER}?state=s-1"
    for number in range(3):
        assert at(number, "/introspect", token=renewed["access_token"])[1] == {"active": False}
        gone = at(number, "/token", grant_type="refresh_token", refresh_token=renewed["refresh_token"])
        assert (gone[0], gone[1]["error"]) == (400, "invalid_grant")
    receiver.wait_for(1)
    assert not receiver.comes(2, within=2.5), "three instances deliver, one of them told it"
    jwks = published(deployment.instances[2].url)
    claims = accepted(receiver.tokens[0], jwks, issuer=deployment.issuer, client_id="told", now=int(time.time()) + 1)
    assert claims["sid"] == claims_in(tokens["id_token"])["sid"]


def test_a_client_that_is_changed_is_another_everywhere_within_two_seconds(
    deployment: Deployment, devices: list[Device]
) -> None:
    assert [device.exchange() for device in devices] == [200] * 3
    (client_id,) = {device.client_id for device in devices}
    assert deployment.command("client", "disable", client_id).returncode == 0
    until(lambda: not {device.refresh() for device in devices} & {200}, within=CACHED_FOR + 0.5)
    assert deployment.command("client", "enable", client_id).returncode == 0
    until(lambda: {device.refresh() for device in devices} == {200}, within=CACHED_FOR + 0.5)
    assert deployment.command("client", "update", client_id, "--access-token-ttl=77").returncode == 0
    until(lambda: {_ttl(device) for device in devices} == {77}, within=CACHED_FOR + 0.5)


def _ttl(device: Device) -> int:
    assert device.refresh() == 200
    assert device.access_token is not None
    claims = claims_in(device.access_token)
    return int(claims["exp"]) - int(claims["iat"])


def test_a_user_who_is_signed_out_everywhere_is_so_at_every_instance_at_once(
    deployment: Deployment, devices: list[Device]
) -> None:
    assert [device.exchange() for device in devices] == [200] * 3
    sub = claims_in(str(devices[0].access_token))["sub"]
    assert deployment.command("user", "revoke", sub).returncode == 0
    assert [device.refresh() for device in devices] == [400] * 3
    assert [device.userinfo() for device in devices] == [401] * 3


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_key_that_leaked_signs_nowhere_within_a_minute_and_no_honest_token_is_refused_meanwhile(
    deployment: Deployment, devices: list[Device]
) -> None:
    assert [device.exchange() for device in devices] == [200] * 3
    (leaked,) = {parse(str(device.access_token)).header["kid"] for device in devices}
    refused: list[str] = []
    assert deployment.command("keys", "retire", leaked).returncode == 0

    def followed() -> bool:
        """Whether all sign with the new key; what that has signed is good at each."""
        for device in devices:
            assert device.refresh() == 200
        tokens = [str(device.access_token) for device in devices]
        new = [token for token in tokens if parse(token).header["kid"] != leaked]
        for token in new:
            for instance in deployment.instances:
                reader = Device(instance.url, "", "", "", access_token=token)
                refused.extend([instance.url] if reader.userinfo() != 200 else [])
        time.sleep(0.5)
        return len(new) == 3

    until(followed, within=READ_FIRST + 5)
    assert refused == []
    for device in devices:
        assert leaked not in {key["kid"] for key in published(device.url)["keys"]}
