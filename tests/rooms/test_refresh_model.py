"""Whatever happens to a family of refresh tokens, in whatever order, it goes as the decision says."""

import hmac
from base64 import urlsafe_b64encode
from functools import partial
from hashlib import sha256
from itertools import product
from typing import Any

import hypothesis.strategies as st
import pytest
from families import APP, DAY, NOW, SUB, open_family, present
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from refresh_reference import EXPIRED, INVALID, KEPT_AFTER_EXPIRY, Family, Outcome
from sqlalchemy import text

from bridge.errors import Refused
from bridge.history import OPERATOR, Cause
from bridge.lifecycle.closing import close_grant
from bridge.lifecycle.endings import disable_user, enable_user, revoke_user
from bridge.model import Client
from bridge.store import Database, Tx, refresh_tokens
from bridge.store.handles import digest_of, new_refresh_token, successor_of
from bridge.store.sweep import sweep

CLIENTS = (
    APP,
    Client("app", refresh_idle_ttl=600),
    Client("app", refresh_idle_ttl=600, refresh_retry_ttl=1200),
    Client("app", refresh_grace=0),
    Client("app", refresh_retry_ttl=0),
    Client("app", refresh_grace=0, refresh_retry_ttl=0),
    Client("app", refresh_rotation=False),
    Client("app", public=True),
    Client("app", public=True, refresh_grace=0),
    Client("app", public=True, refresh_rotation=False),
    Client("app", refresh_idle_ttl=600, refresh_absolute_ttl=3000),
    Client("app", refresh_grace=300, refresh_retry_ttl=600, refresh_idle_ttl=900, refresh_absolute_ttl=3000),
)
STRANGER = Client("stranger")
TABLES = ("grants", "refresh_tokens", "users", "audit", "revoked_tokens", "upstream_sessions")


def edges(client: Client) -> list[int]:
    """Steps of the clock to both sides of each boundary."""
    windows = {client.refresh_grace, client.refresh_retry_ttl, client.refresh_idle_ttl, client.refresh_absolute_ttl}
    return [window + side for window in sorted(windows) for side in (-1, 0, 1, 61) if window + side > 0]


class Life(RuleBasedStateMachine):
    """One family, its owner, a thief, a stranger, an operator, the sweep and the clock."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.now = NOW

    @initialize(client=st.sampled_from(CLIENTS))
    def begin(self, client: Client) -> None:
        with self.database.writing() as tx:
            for table in TABLES:
                tx.execute(text(f"DELETE FROM {table}"))
        self.client, self.now = client, NOW
        self.tokens = [open_family(self.database, client, now=self.now)]
        self.family = Family(client, self.now, self.now + client.refresh_absolute_ttl)
        self.held = {"owner": 0, "thief": 0}

    @rule(who=st.sampled_from(("owner", "owner", "thief")), stores=st.sampled_from((True, True, False)))
    def refreshes(self, who: str, stores: bool) -> None:
        got = self.presented(self.held[who])
        if stores and isinstance(got, int):
            self.held[who] = got

    @rule()
    def thief_copies(self) -> None:
        self.held["thief"] = self.held["owner"]

    @rule(back=st.integers(0, 4))
    def an_older_token_comes(self, back: int) -> None:
        self.presented(max(0, len(self.tokens) - 1 - back))

    @rule()
    def the_first_token_comes(self) -> None:
        self.presented(0)

    @rule(back=st.integers(0, 3), revokes=st.booleans(), public=st.booleans())
    def a_stranger_comes(self, back: int, revokes: bool, public: bool) -> None:
        token = self.tokens[max(0, len(self.tokens) - 1 - back)]
        before = self.everything()
        stranger = Client("stranger", public=public)
        assert self.answer(partial(present, client=stranger, token=token, now=self.now)) == INVALID
        unknown = partial(present, client=self.client, token=new_refresh_token(), now=self.now)
        assert self.answer(unknown) == INVALID
        assert self.everything() == before

    @rule(step=st.sampled_from((1, 10, 29, -1, -7)))
    def a_moment_passes(self, step: int) -> None:
        self.now += step

    @rule(step=st.data(), back=st.integers(0, 2))
    def a_token_comes_at_a_boundary(self, step: Any, back: int) -> None:
        self.now += step.draw(st.sampled_from(edges(self.client)))
        self.presented(max(0, len(self.tokens) - 1 - back))

    @precondition(lambda self: self.family.is_over(self.now) or self.family.handles[-1].expires_at <= self.now)
    @rule(client=st.sampled_from(CLIENTS))
    def another_family_begins(self, client: Client) -> None:
        self.teardown()
        self.begin(client)

    @rule()
    def the_sweep_comes(self) -> None:
        sweep(self.database, self.now, audit_retention=4000 * DAY)
        self.family.sweep(self.now)

    @precondition(lambda self: len(self.tokens) > 3)
    @rule(back=st.integers(0, 3))
    def the_client_revokes(self, back: int) -> None:
        place = max(0, len(self.tokens) - 1 - back)

        def revoke(tx: Tx) -> None:
            found = refresh_tokens.find(tx, self.tokens[place])
            assert (found is None) == self.family.handles[place].forgotten
            if found is not None:
                close_grant(tx, found.grant, Cause.CLIENT_REVOKED, actor="client:app", now=self.now)
                self.family.close()

        self.database.decide(revoke)

    @precondition(lambda self: len(self.tokens) > 4)
    @rule(disabled=st.booleans())
    def the_user_is_signed_out(self, disabled: bool) -> None:
        end = disable_user if disabled else revoke_user
        assert self.database.decide(lambda tx: end(tx, SUB, actor=OPERATOR, now=self.now)) is not None
        if disabled:
            assert self.database.decide(lambda tx: enable_user(tx, SUB, actor=OPERATOR, now=self.now))
        self.family.take_back(self.now)

    def presented(self, place: int) -> Outcome:
        """What comes of presenting the token at a place: in the database as by the decision."""
        expected = self.family.present(place, self.now)
        got = self.answer(partial(present, client=self.client, token=self.tokens[place], now=self.now))
        if got not in self.tokens and isinstance(expected, int) and expected == len(self.tokens):
            self.tokens.append(got)
        assert (self.tokens.index(got) if got in self.tokens else got) == expected
        return expected

    def answer(self, verb: Any) -> str:
        try:
            token, _ = self.database.decide(verb)
        except Refused as refused:
            return refused.reason.code
        return str(token)

    def found(self, statement: str) -> list[tuple[Any, ...]]:
        with self.database.reading() as tx:
            return [tuple(row) for row in tx.execute(text(statement))]

    def everything(self) -> list[list[tuple[Any, ...]]]:
        return [self.found(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES]

    @invariant()
    def the_family_is_as_it_should_be(self) -> None:
        kept = self.found("SELECT sequence, state, spent_at, expires_at, digest FROM refresh_tokens ORDER BY sequence")
        assert kept == [
            (place, "unspent" if handle.spent_at is None else "spent", handle.spent_at, handle.expires_at, digest)
            for place, (handle, digest) in enumerate(zip(self.family.handles, map(digest_of, self.tokens), strict=True))
            if not handle.forgotten
        ]
        unspent = [row for row in kept if row[1] == "unspent"]
        assert len(unspent) == (0 if self.family.handles[-1].forgotten else 1)

    @invariant()
    def a_closed_grant_stays_closed(self) -> None:
        closed = self.found("SELECT closed_at IS NOT NULL FROM grants")
        assert closed == ([] if self.family.forgotten else [(self.family.closed,)])
        assert len(self.found("SELECT 1 FROM audit WHERE event = 'grant_closed'")) == self.family.closed

    def teardown(self) -> None:
        if hasattr(self, "tokens"):
            nothing_leads_back(self.found("SELECT digest, pad FROM refresh_tokens"), self.tokens)


def nothing_leads_back(kept: list[tuple[Any, ...]], tokens: list[str]) -> None:
    """Only who holds a token can be led to the next: neither the database's bytes do it, nor a later token."""
    pads = [bytes(pad) for _, pad in kept if pad is not None]
    known = [bytes(32), *pads, *(bytes(digest) for digest, _ in kept)]
    wanted = {digest_of(token): place for place, token in enumerate(tokens)}
    for pad, other in product(pads, known):
        assert digest_of(successor_of(spelt(other), pad)) not in wanted
        for stream in (other, sha256(other).digest(), hmac.digest(other, b"refresh-successor", "sha256")):
            assert digest_of(spelt(bytes(a ^ b for a, b in zip(pad, stream, strict=True)))) not in wanted
    for place, token in enumerate(tokens):
        for pad in pads:
            reached = wanted.get(digest_of(successor_of(token, pad)))
            assert reached in (None, place + 1)


def spelt(random_part: bytes) -> str:
    return "dob_refresh_" + urlsafe_b64encode(random_part).rstrip(b"=").decode("ascii")


def live(database: Database, times: int) -> None:
    run_state_machine_as_test(
        partial(Life, database),
        settings=settings(
            max_examples=times,
            stateful_step_count=40,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],  # to shrink a failure would take minutes; its steps are printed as they are
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_a_family_goes_as_the_decision_says(database_in_memory: Database) -> None:
    live(database_in_memory, times=120)


@pytest.mark.only_postgresql
def test_on_postgresql_it_goes_so_too(database: Database) -> None:
    live(database, times=15)


def test_a_family_whose_newest_token_was_forgotten_first_is_expired_not_closed(
    database_in_memory: Database,
) -> None:
    """A clock that was set back made the successor expire before the token that it replaced."""
    life = Life(database_in_memory)
    life.begin(Client("app", refresh_idle_ttl=600))
    life.now -= 7
    life.presented(0)
    life.now = NOW + 593 + KEPT_AFTER_EXPIRY + 1
    life.the_sweep_comes()
    assert [handle.forgotten for handle in life.family.handles] == [False, True]
    assert life.presented(0) == EXPIRED
    life.a_closed_grant_stays_closed()


def test_a_successor_is_not_foretold_by_the_token_that_it_replaces(database_in_memory: Database) -> None:
    token = open_family(database_in_memory)
    foretold = set()
    for _ in range(3):
        with database_in_memory.rehearsing() as tx:
            foretold.add(present(tx, APP, token, NOW)[0])
    assert len(foretold) == 3
