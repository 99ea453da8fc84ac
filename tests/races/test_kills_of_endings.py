"""A kill between any two statements of a sign-out, or of an event of Dynamic's, leaves all of it done or nothing.

What was answered stays done, and every client of a session that has ended is told: it stands in the outbox, once.
"""

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from conftest import OFFLINE, WEBHOOK_SECRET, Bridge
from databases import rows
from killing import Answer, request_with_kill
from slow import at_every_point

from bridge.app import create_app
from bridge.lifecycle.refresh import first_token
from bridge.lifecycle.signin import SessionPolicy, open_or_renew
from bridge.model import Assertion, Client, Environment, Grant, Identity, Session
from bridge.oauth.site import seal_of
from bridge.store import Database, Tx, grants, recognition, sessions
from bridge.store.grants import Ground
from bridge.store.sessions import SignIn
from bridge.web.browser import Cookies

pytestmark = pytest.mark.both_databases

POLICY = SessionPolicy(idle_ttl=86400, absolute_ttl=30 * 86400)
HEADER = "x-dynamic-signature-256"
PAGE = "https://app.example.com"


@dataclass(frozen=True)
class SignedIn:
    """A browser's session with two grants of it, and what its browser sends."""

    cookie: str
    session: Session
    user_id: str
    sid: str  # at Dynamic


class Site:
    """A bridge that is started for each request, and killed in some."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge, self.url = bridge, bridge.config.database_url
        self.app = bridge.add_client(**OFFLINE, backchannel_logout_uri=f"{PAGE}/out")
        self.environment: Environment = bridge.config.environments[0]
        self.killed = 0
        self._people = count(1)
        bridge.http.application.extensions["bridge"].close()
        bridge.database.close()

    def sign_in(self) -> SignedIn:
        """Another user, with a session of their own."""
        with Database(self.url) as database, database.writing() as tx:
            return signed_in(tx, self.environment, self.app, next(self._people), self.bridge.clock())

    def kill_in(self, path: str, sent: Mapping[str, str] | bytes, headers: Mapping[str, str], at: int) -> Answer | None:
        answer = request_with_kill(self.bridge.config, self.bridge.clock(), path, sent, at, headers)
        self.killed += answer is None
        return answer

    def ask(self, path: str, sent: Mapping[str, str] | bytes, headers: Mapping[str, str]) -> int:
        """Send a request to a bridge that was started for it; the status."""
        app = create_app(self.bridge.config, self.bridge.clock)
        answer = app.test_client(use_cookies=False).post(path, data=sent, headers=headers)
        app.extensions["bridge"].close()
        return answer.status_code

    def found(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return rows(self.url, statement, **values)

    def is_over(self, who: SignedIn) -> bool:
        """Whether all of it is over; there is nothing in between."""
        session_id, sub = who.session.session_id, who.session.sub
        (closed,) = self.found("SELECT closed_at IS NOT NULL FROM sessions WHERE session_id = :id", id=session_id)[0]
        ended = self.found("SELECT closed_at IS NOT NULL FROM grants WHERE session_id = :id", id=session_id)
        told = [facts for (facts,) in self.found("SELECT facts FROM outbox") if json.loads(facts)["sub"] == sub]
        entries = Counter(row[0] for row in self.found("SELECT event FROM audit WHERE sub = :sub", sub=sub))
        assert len(ended) == 2
        assert {bool(one) for (one,) in ended} == {bool(closed)}
        assert len(told) == bool(closed), "its client is told, once"
        assert (entries["session_closed"], entries["grant_closed"]) == ((1, 2) if closed else (0, 0))
        return bool(closed)


def signed_in(tx: Tx, environment: Environment, client: Client, number: int, now: int) -> SignedIn:
    user_id, sid = f"22222222-2222-4222-8222-{number:012}", f"s-{number}"
    identity = Identity(environment.environment_id, user_id, {}, complete=True, told_at=now, credentials_digest="d")
    by = Assertion(environment, user_id, sid, None, now, now + 7200, now + 86400, "large", b"1" * 32, {})
    known = recognition.recognise(tx, identity, by, primary_environment=environment.environment_id, now=now)
    who = SignIn(known.user.sub, environment.environment_id, sid, PAGE, now, (), now + 7200, now)
    cookie = open_or_renew(tx, who, None, POLICY, client=client, user_agent=None, now=now)
    held = sessions.find(tx, cookie, now)
    assert cookie is not None
    assert held is not None
    ground = Ground(environment.environment_id, sid, now, session_id=held[0].session_id)
    for _ in range(2):
        grant = Grant(client, known.user, ("openid", "offline_access"), (), sid=f"app-{number}", auth_time=now)
        kept = grants.open_grant(tx, grant, ground, expires_at=now + 7200, now=now)
        first_token(tx, kept, now + 7200, now)
    return SignedIn(cookie, held[0], user_id, sid)


@pytest.fixture
def site(make_bridge: Callable[..., Bridge]) -> Site:
    return Site(make_bridge(DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET))


def killed_everywhere(
    site: Site,
    request_of: Callable[[SignedIn], tuple[str, Mapping[str, str] | bytes, Mapping[str, str]]],
    *,
    fine: int,
    stride: int,
) -> Counter[bool]:
    """Kill the request at each of its points, each time for another user, and send it again; how it stood between."""
    between = Counter[bool]()
    for at in count(1, stride):
        who = site.sign_in()
        request = request_of(who)
        answer = site.kill_in(*request, at=at)
        if answer is not None:
            assert answer[0] == fine
            assert site.is_over(who), "what was answered is done"
            return between
        between[site.is_over(who)] += 1
        assert site.ask(*request) == fine
        assert site.is_over(who)
    return between


@at_every_point
def test_a_sign_out_that_is_killed_ended_all_or_nothing(site: Site, stride: int) -> None:
    name = Cookies.of(site.bridge.config.issuer).session

    def sign_out(who: SignedIn) -> tuple[str, Mapping[str, str], Mapping[str, str]]:
        form = {"decision": "logout", "seal": seal_of(who.cookie, "logout", who.session.session_id, "")}
        return "/logout", form, {"Cookie": f"{name}={who.cookie}", "Origin": site.bridge.config.issuer}

    between = killed_everywhere(site, sign_out, fine=200, stride=stride)
    assert between[False] >= 12 // stride
    assert between[True] >= 1 // stride
    assert site.killed >= 14 // stride


def event(site: Site, name: str, data: Mapping[str, Any], number: str) -> tuple[str, bytes, Mapping[str, str]]:
    """A message of Dynamic's."""
    environment_id = site.environment.environment_id
    happened = datetime.fromtimestamp(site.bridge.clock() + 10, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    told = {"eventId": number, "messageId": number, "eventName": name, "timestamp": happened}
    body = json.dumps({**told, "environmentId": environment_id, "data": {**data, "revokedAt": happened}}).encode()
    signature = "sha256=" + hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return f"/webhooks/dynamic/{environment_id}", body, {HEADER: signature}


@at_every_point
@pytest.mark.parametrize("name", ["user.session.revoked", "user.deleted"])
def test_an_event_that_is_killed_had_all_of_its_effect_or_none_and_comes_again(
    site: Site, name: str, stride: int
) -> None:
    def told(who: SignedIn) -> tuple[str, bytes, Mapping[str, str]]:
        data = {"id": who.user_id} if name == "user.deleted" else {"id": who.sid, "userId": who.user_id}
        return event(site, name, data, f"e-{who.sid}")

    between = killed_everywhere(site, told, fine=200, stride=stride)
    taken = {event_id for (event_id,) in site.found("SELECT event_id FROM webhook_events")}
    assert len(taken) == sum(between.values()) + 1
    assert between[False] >= 12 // stride
    assert between[True] >= 1 // stride


def test_what_a_kill_left_of_an_event_is_not_done_twice(site: Site) -> None:
    who = site.sign_in()
    message = event(site, "user.session.revoked", {"id": who.sid, "userId": who.user_id}, "e-1")
    for _ in range(3):
        assert site.ask(*message) == 200
    assert site.is_over(who)
