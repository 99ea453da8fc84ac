"""A kill between any two statements leaves nothing half-written, and takes nothing back that was answered."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from conftest import JWT, OFFLINE, Bridge
from databases import rows
from killing import Answer, request_with_kill
from slow import at_every_point
from sqlalchemy import make_url

from bridge.app import create_app
from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE
from bridge.store.handles import digest_of

pytestmark = [pytest.mark.both_databases, at_every_point]


class Site:
    """A bridge that is started for each request, and killed in some."""

    def __init__(self, bridge: Bridge) -> None:
        bridge.add_client(**OFFLINE)
        self.bridge, self.url = bridge, bridge.config.database_url
        self.killed = 0
        self._let_go()

    def kill_in(self, path: str, form: Mapping[str, str], *, at: int) -> Answer | None:
        """Send a request to a bridge that is killed at a point of it; the answer, if it got so far."""
        answer = request_with_kill(self.bridge.config, self.bridge.clock(), path, self._signed(form), at)
        self.killed += answer is None
        self.check()
        return answer

    def ask(self, path: str, form: Mapping[str, str]) -> Answer:
        """Send a request to a bridge that was started for it."""
        app = create_app(self.bridge.config, self.bridge.clock)
        answer = app.test_client().post(path, data=self._signed(form))
        app.extensions["bridge"].close()
        return answer.status_code, answer.json

    def check(self) -> None:
        """What holds whenever nobody is at work."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(str(make_url(self.url).database))) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        issued = Counter(row[0] for row in self.found("SELECT grant_id FROM audit WHERE event = 'issued'"))
        ended = Counter(row[0] for row in self.found("SELECT grant_id FROM audit WHERE event = 'grant_closed'"))
        moved = Counter(
            row[0] for row in self.found('SELECT grant_id FROM audit WHERE detail LIKE \'%"state":"unspent"%\'')
        )
        grants = dict(self.found("SELECT grant_id, closed_at FROM grants"))
        family = self.found("SELECT grant_id, sequence, state FROM refresh_tokens ORDER BY grant_id, sequence")
        assert {grant_id for grant_id, _, _ in family} == set(grants) == set(issued)
        for grant_id, closed_at in grants.items():
            states = [(sequence, state) for owner, sequence, state in family if owner == grant_id]
            head = len(states) - 1
            assert states == [*((place, "spent") for place in range(head)), (head, "unspent")]
            assert (issued[grant_id], moved[grant_id]) == (1, head)
            assert ended[grant_id] == (closed_at is not None)

    def found(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return rows(self.url, statement, **values)

    def state_of(self, token: str) -> str:
        return str(self.found("SELECT state FROM refresh_tokens WHERE digest = :digest", digest=digest_of(token))[0][0])

    def _signed(self, form: Mapping[str, str]) -> dict[str, str]:
        return {**form, "client_id": "app", "client_secret": self.bridge.secrets["app"]}

    def _let_go(self) -> None:
        """Nobody else has the database open: after a kill it is recovered by who comes next."""
        self.bridge.http.application.extensions["bridge"].close()
        self.bridge.database.close()


@pytest.fixture
def site(bridge: Bridge) -> Site:
    return Site(bridge)


@pytest.fixture
def exchange(bridge: Bridge) -> dict[str, str]:
    """An exchange of one assertion, with offline_access."""
    return {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": bridge.assertion(),
        "subject_token_type": JWT,
        "scope": "openid offline_access",
    }


def refresh(token: str) -> dict[str, str]:
    return {"grant_type": REFRESH_TOKEN, "refresh_token": token}


def test_an_exchange_that_is_killed_keeps_a_whole_grant_or_nothing(
    site: Site, exchange: dict[str, str], stride: int
) -> None:
    kept = 0
    for at in count(1, stride):
        before = len(site.found("SELECT 1 FROM grants"))
        answer = site.kill_in("/token", exchange, at=at)
        kept += answer is None and len(site.found("SELECT 1 FROM grants")) > before
        status, again = answer or site.ask("/token", exchange)
        assert status == 200
        assert site.ask("/token", refresh(again["refresh_token"]))[0] == 200
        if answer is not None:
            break
    assert site.killed >= 12 // stride
    assert kept >= 1 // stride


def test_a_refresh_that_is_killed_is_made_up_for_by_a_retry(site: Site, exchange: dict[str, str], stride: int) -> None:
    token = site.ask("/token", exchange)[1]["refresh_token"]
    spent = Counter[str]()
    for at in count(1, stride):
        answer = site.kill_in("/token", refresh(token), at=at)
        spent[site.state_of(token)] += answer is None
        status, again = answer or site.ask("/token", refresh(token))
        assert status == 200
        assert again["refresh_token"] != token
        assert site.state_of(token) == "spent"
        token = again["refresh_token"]
        assert site.state_of(token) == "unspent"
        if answer is not None:
            break
    assert site.killed >= 12 // stride
    assert spent["unspent"] >= 10 // stride
    assert spent["spent"] >= 1 // stride
    assert len(site.found("SELECT 1 FROM grants")) == 1


def test_a_revocation_that_is_killed_closed_all_or_nothing_and_stays(
    site: Site, exchange: dict[str, str], stride: int
) -> None:
    closed = Counter[bool]()
    for at in count(1, stride):
        granted = site.ask("/token", exchange)[1]
        answer = site.kill_in("/revoke", {"token": granted["refresh_token"]}, at=at)
        (open_grants,) = site.found("SELECT count(*) FROM grants WHERE closed_at IS NULL")[0]
        closed[open_grants == 0] += answer is None
        if open_grants == 0:
            assert site.ask("/token", refresh(granted["refresh_token"]))[0] == 400
        status, _ = answer or site.ask("/revoke", {"token": granted["refresh_token"]})
        assert status == 200
        assert site.found("SELECT count(*) FROM grants WHERE closed_at IS NULL") == [(0,)]
        assert site.ask("/token", refresh(granted["refresh_token"]))[0] == 400
        assert site.ask("/introspect", {"token": granted["access_token"]})[1] == {"active": False}
        if answer is not None:
            break
    assert closed[False] >= 8 // stride
    assert closed[True] >= 1 // stride
