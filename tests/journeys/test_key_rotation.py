"""Keys change under load, and nobody notices: a whole rotation on two instances, and a change of the secret keys."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle

import pytest
from conftest import Bridge, HeldClock
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bridge.app import create_app
from bridge.errors import SealBroken
from bridge.history import OPERATOR
from bridge.jose import parse
from bridge.keylife import JWKS_MAX_AGE, KEPT, LEAD, LONGEST_TOKEN, READ_AGAIN, READ_FIRST
from bridge.store.rewrap import rewrap, sealed_under
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer, new_secret_key

DAY = 86400
INTERVAL = 30 * DAY
STEP = 10  # seconds
NOBODY_REFUSES: list[str] = []


@dataclass
class RelyingParty:
    """Verifies with the keys of /jwks, which it keeps for exactly as long as it was told, whatever kid it meets."""

    clock: HeldClock
    sources: Iterator[FlaskClient]  # as a load balancer hands out instances
    first_fetch_at: int
    keys: KeySet | None = None
    keeps_until: int = 0

    def refusal(self, token: str) -> str | None:
        if self.clock() < self.first_fetch_at:
            return None
        if self.keys is None or self.clock() >= self.keeps_until:
            answer = next(self.sources).get("/jwks")
            max_age = re.fullmatch(r"public, max-age=([0-9]+)", answer.headers["Cache-Control"])
            assert max_age is not None
            self.keys, self.keeps_until = KeySet.import_key_set(answer.json), self.clock() + int(max_age[1])
        try:
            claims = jwt.decode(token, self.keys, algorithms=["RS256"]).claims
        except (JoseError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        return None if claims["exp"] > self.clock() else "expired"


@dataclass
class Load:
    """Instances, relying parties that fetch keys at different times, and every token that is still alive."""

    bridge: Bridge
    instances: list[FlaskClient]
    parties: list[RelyingParty]
    assertion: str
    failures: list[str] = field(default_factory=list)
    signed_since: dict[str, int] = field(default_factory=dict)  # by kid
    signed_until: dict[str, int] = field(default_factory=dict)
    alive: list[tuple[int, str]] = field(default_factory=list)  # the last second of a token, and the token

    def run_until(self, moment: int, step: int = STEP) -> None:
        """At each step both instances issue tokens that everybody checks, and checks again when they are to end."""
        while self.bridge.clock() < moment:
            self.bridge.clock.forward(min(step, moment - self.bridge.clock()))
            self.check_the_dying()
            for instance in self.instances:
                self.issue(instance)

    def issue(self, instance: FlaskClient) -> None:
        now = self.bridge.clock()
        self.bridge.http = instance
        token = self.bridge.exchange(self.assertion, scope="openid").json["access_token"]
        kid = parse(token).header["kid"]
        self.signed_since.setdefault(kid, now)
        self.signed_until[kid] = now
        self.alive.append((now + LONGEST_TOKEN - 1, token))
        self.check(token)

    def check_the_dying(self) -> None:
        now = self.bridge.clock()
        dying = [token for last, token in self.alive if now <= last < now + STEP]
        self.alive = [(last, token) for last, token in self.alive if last >= now + STEP]
        for token in dying:
            self.check(token)

    def check(self, token: str) -> None:
        bearer = {"Authorization": f"Bearer {token}"}
        statuses = [instance.get("/userinfo", headers=bearer).status_code for instance in self.instances]
        refusals = [party.refusal(token) for party in self.parties]
        if statuses != [200] * len(statuses) or any(refusals):
            self.failures.append(f"at {self.bridge.clock()}: {statuses} {refusals}")


@pytest.fixture
def start(clock: HeldClock) -> Iterator[Callable[..., FlaskClient]]:
    """Starts another instance of a bridge, with changes to its configuration."""
    started: list[Flask] = []

    def another(bridge: Bridge, **changes: object) -> FlaskClient:
        started.append(create_app(replace(bridge.config, **changes), clock))  # type: ignore[arg-type]
        return started[-1].test_client()

    yield another
    for app in started:
        app.extensions["bridge"].close()


def kids(instance: FlaskClient, alg: str = "RS256") -> list[str]:
    return [key["kid"] for key in instance.get("/jwks").json["keys"] if key["alg"] == alg]


def test_a_whole_rotation_under_load_fails_no_token_at_anybody(
    make_bridge: Callable[..., Bridge], start: Callable[..., FlaskClient], clock: HeldClock
) -> None:
    bridge = make_bridge(BRIDGE_KEY_ROTATION=str(INTERVAL))
    bridge.add_client(access_token_ttl=LONGEST_TOKEN, assertion_max_age=30 * DAY)
    prepared_at = clock() + INTERVAL
    clock.forward(INTERVAL - 790)
    kids(bridge.http)
    clock.forward(STEP)
    # They read their keys at different times: the first one 20 seconds after the second has made the next key.
    instances = [bridge.http, start(bridge)]
    parties = [
        RelyingParty(clock, cycle(instances[::order]), clock() + STEP + 2 * STEP * number)
        for number in range(JWKS_MAX_AGE // (2 * STEP))
        for order in (1, -1)
    ]
    load = Load(bridge, instances, parties, bridge.assertion(lifetime=30 * DAY))
    old = kids(instances[0])

    load.run_until(prepared_at + LEAD + 2 * READ_FIRST + 300)  # both instances sign with the new key, all know it
    (new,) = set(kids(instances[0])) - set(old)
    assert load.signed_since[new] >= prepared_at + LEAD
    assert load.signed_since[new] <= prepared_at + LEAD + READ_AGAIN
    assert load.signed_until[old[0]] < load.signed_since[new] + READ_FIRST
    gone_at = load.signed_since[new] + KEPT
    load.run_until(gone_at - 700, step=1200)
    load.run_until(gone_at + READ_FIRST + 300)

    assert load.failures == NOBODY_REFUSES
    assert [kids(instance) for instance in instances] == [[new], [new]]
    assert set(load.signed_since) == {*old, new}
    last_old_token_ended_at = load.signed_until[old[0]] + LONGEST_TOKEN
    assert gone_at - 400 < last_old_token_ended_at < gone_at


def test_a_bridge_that_nobody_asked_for_a_year_publishes_its_next_key_before_it_signs_with_it(
    bridge: Bridge, clock: HeldClock
) -> None:
    bridge.add_client()
    (old,) = kids(bridge.http)
    clock.forward(365 * DAY)

    def signed_by() -> str:
        return str(parse(bridge.exchange(bridge.assertion()).json["access_token"]).header["kid"])

    assert signed_by() == old
    assert kids(bridge.http)[0] == old
    (new,) = kids(bridge.http)[1:]
    clock.forward(LEAD - 1)
    assert signed_by() == old
    clock.forward(READ_AGAIN)
    assert signed_by() == new
    assert kids(bridge.http) == [new, old]
    clock.forward(365 * DAY)
    assert signed_by() == new
    assert kids(bridge.http)[0] == new
    assert old not in kids(bridge.http)


def test_the_key_document_and_its_etag_follow_the_keys(bridge: Bridge, clock: HeldClock) -> None:
    before = bridge.http.get("/jwks")
    clock.forward(90 * DAY)
    after = bridge.http.get("/jwks", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert len(after.json["keys"]) == 6
    assert after.headers["ETag"] != before.headers["ETag"]
    clock.forward(READ_AGAIN)
    again = bridge.http.get("/jwks", headers={"If-None-Match": after.headers["ETag"]})
    assert again.status_code == 304


def test_a_leaked_key_is_withdrawn_from_a_running_bridge(bridge: Bridge, clock: HeldClock) -> None:
    bridge.add_client()
    token = bridge.exchange(bridge.assertion()).json["access_token"]
    rotation = Rotation(bridge.database, Sealer(bridge.config.secret_keys), interval=0)
    leaked = next(life for life in rotation.lives() if life.kid == parse(token).header["kid"])
    withdrawn = rotation.withdraw(leaked, clock(), actor=OPERATOR)
    assert withdrawn is not None
    clock.forward(READ_AGAIN)
    assert bridge.http.get("/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert kids(bridge.http) == [withdrawn[1]]
    another = bridge.exchange(bridge.assertion()).json["access_token"]
    assert bridge.http.get("/userinfo", headers={"Authorization": f"Bearer {another}"}).status_code == 200


def test_the_secret_keys_change_in_four_steps_while_everybody_is_served(
    make_bridge: Callable[..., Bridge], start: Callable[..., FlaskClient], clock: HeldClock
) -> None:
    bridge = make_bridge()
    (old,), new = bridge.config.secret_keys, new_secret_key()
    bridge.add_client(subject_type="pairwise")
    user = bridge.user()
    instances = [bridge.http, start(bridge)]
    tokens: list[str] = []
    subs: set[str] = set()

    def serve() -> None:
        for instance in instances:
            bridge.http = instance
            token = bridge.exchange(bridge.assertion(user)).json["access_token"]
            tokens.append(token)
            for reader in instances:
                for live in tokens:
                    answer = reader.get("/userinfo", headers={"Authorization": f"Bearer {live}"})
                    assert answer.status_code == 200
                    subs.add(answer.json["sub"])
        clock.forward(1)

    def restart_one_by_one(*secret_keys: str) -> None:
        for number in range(2):
            instances[number] = start(bridge, secret_keys=secret_keys)
            serve()

    serve()
    restart_one_by_one(old, new)
    restart_one_by_one(new, old)
    # A successor that the first instance makes is sealed under the new key, and the second one opens it.
    rotation = Rotation(bridge.database, Sealer([new, old]), interval=0)
    rotation.prepare(next(life for life in rotation.lives() if life.alg == "RS256"), clock(), actor=OPERATOR)
    instances[1] = start(bridge, secret_keys=(old, new))
    assert len(kids(instances[1])) == 2
    instances[1] = start(bridge, secret_keys=(new, old))
    with bridge.database.writing() as tx:
        assert sealed_under(tx, Sealer([new, old])) == {1: 1, 2: 4}
        assert rewrap(tx, Sealer([new, old])) == 4
    clock.forward(READ_AGAIN)
    serve()
    restart_one_by_one(new)
    with pytest.raises(SealBroken):
        start(bridge, secret_keys=(old,))
    assert len(subs) == 1
