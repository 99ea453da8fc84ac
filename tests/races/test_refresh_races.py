"""One family of refresh tokens in many hands at once: threads of one process, and two processes, on one database."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from typing import Any

import pytest
from databases import rows
from families import APP, NOW, SUB, open_family, present
from racing import Race

from bridge.errors import Refused
from bridge.history import OPERATOR, Cause
from bridge.lifecycle.closing import close_grant
from bridge.lifecycle.endings import disable_user, revoke_user
from bridge.lifecycle.refresh import presented_by
from bridge.model import Client
from bridge.reasons import Reason
from bridge.store import Database, Tx, refresh_tokens

STRICT = Client("app", refresh_grace=0, refresh_retry_ttl=0)
HEADS = "SELECT count(*) FROM refresh_tokens WHERE state = 'unspent'"
REUSED, ENDED = Reason.REFRESH_TOKEN_REUSED.code, Reason.GRANT_ENDED.code

pytestmark = pytest.mark.both_databases


def redeemed(client: Client, token: str, now: int, database: Database) -> tuple[str, str]:
    """The state that a token was found in and the token it led to; or the refusal."""
    try:
        token, state = database.decide(lambda tx: present(tx, client, token, now))
    except Refused as refused:
        return "refused", refused.reason.code
    return state.value, token


def revoked(token: str, now: int, database: Database) -> tuple[str, str]:
    def verb(tx: Tx) -> bool:
        found = refresh_tokens.find(tx, token)
        return found is not None and close_grant(tx, found.grant, Cause.CLIENT_REVOKED, actor="client:app", now=now)

    return "revoked", str(database.decide(verb))


def taken_back(verb: Callable[..., int | None], now: int, database: Database) -> tuple[str, str]:
    return "taken back", str(database.decide(lambda tx: verb(tx, SUB, actor=OPERATOR, now=now)))


def in_turn(count: int, *works: Callable[[Database], Any]) -> list[Callable[[Database], Any]]:
    """So many pieces of work, of each kind in turn."""
    return list(islice(cycle(works), count))


class Turns:
    """Each worker of a race takes the next piece of work. Every process of two begins at the first."""

    def __init__(self, works: list[Callable[[Database], Any]]) -> None:
        self._works = works

    def __call__(self, database: Database) -> Any:
        return self._works.pop()(database)


@pytest.fixture
def first(url: str) -> str:
    """The first refresh token of a new family."""
    with Database(url) as database:
        return open_family(database)


def test_of_fifty_redeemers_one_spends_and_all_have_the_same_successor(race: Race, url: str, first: str) -> None:
    found = race(url, partial(redeemed, APP, first, NOW), 50)
    assert Counter(state for state, _ in found) == {"unspent": 1, "just_spent": 49}
    assert len({token for _, token in found}) == 1
    assert rows(url, "SELECT sequence, state FROM refresh_tokens ORDER BY sequence") == [(0, "spent"), (1, "unspent")]
    with Database(url) as database:
        assert redeemed(APP, found[0][1], NOW + 1, database)[0] == "unspent"


def test_without_grace_and_retry_one_of_fifty_wins_and_the_family_is_closed(race: Race, url: str, first: str) -> None:
    found = Counter(race(url, partial(redeemed, STRICT, first, NOW), 50))
    won = [answer for answer in found if answer[0] == "unspent"]
    assert [found[answer] for answer in won] == [1]
    assert found[("refused", REUSED)] >= 1
    assert found[("refused", REUSED)] + found[("refused", ENDED)] == 49
    assert rows(url, "SELECT closed_cause FROM grants") == [("reuse_detected",)]
    assert rows(url, "SELECT count(*) FROM audit WHERE event = 'grant_closed'") == [(1,)]
    with Database(url) as database:
        assert redeemed(STRICT, won[0][1], NOW, database) == ("refused", ENDED)


def test_with_retry_alone_fifty_have_the_same_successor(race: Race, url: str, first: str) -> None:
    found = race(url, partial(redeemed, Client("app", refresh_grace=0), first, NOW), 50)
    assert Counter(state for state, _ in found) == {"unspent": 1, "unfollowed": 49}
    assert len({token for _, token in found}) == 1


def test_a_token_without_rotation_stays_the_one_token(race: Race, url: str, first: str) -> None:
    found = race(url, partial(redeemed, Client("app", refresh_rotation=False), first, NOW + 5), 50)
    assert set(found) == {("unspent", first)}
    assert rows(url, "SELECT state, expires_at FROM refresh_tokens") == [("unspent", NOW + 5 + APP.refresh_idle_ttl)]


def test_redeemers_of_all_tokens_of_a_family_end_with_one_head(race: Race, url: str, first: str) -> None:
    family = [first]
    with Database(url) as database:
        for _ in range(4):
            family.append(redeemed(APP, family[-1], NOW, database)[1])
    found = race(url, Turns(in_turn(50, *(partial(redeemed, APP, token, NOW + 30) for token in family))), 50)
    assert Counter(state for state, _ in found) == {"unspent": 1, "just_spent": 49}
    moved = next(token for state, token in found if state == "unspent")
    # Who came before the head moved has the old one, which still leads to the new one.
    assert {token for _, token in found} <= {family[-1], moved}
    assert rows(url, "SELECT sequence FROM refresh_tokens ORDER BY sequence") == [(place,) for place in range(6)]
    assert rows(url, HEADS) == [(1,)]
    with Database(url) as database:
        assert redeemed(APP, family[-1], NOW + 31, database) == ("just_spent", moved)


def test_redeemers_of_all_old_tokens_after_the_grace_close_the_family_once(race: Race, url: str, first: str) -> None:
    family = [first]
    with Database(url) as database:
        for _ in range(4):
            family.append(redeemed(APP, family[-1], NOW, database)[1])
    works = in_turn(50, *(partial(redeemed, APP, token, NOW + 31) for token in family))
    found = Counter(race(url, Turns(works), 50))
    assert found[("refused", REUSED)] >= 1
    assert rows(url, "SELECT closed_cause FROM grants") == [("reuse_detected",)]
    assert rows(url, "SELECT count(*) FROM audit WHERE event = 'grant_closed'") == [(1,)]
    with Database(url) as database:
        handed_out = [token for (state, token), _ in found.items() if state != "refused"]
        for token in (*family, *handed_out):
            assert redeemed(APP, token, NOW + 31, database) == ("refused", ENDED)


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(None, id="revoked by its client"),
        pytest.param(disable_user, id="user disabled"),
        pytest.param(revoke_user, id="user signed out"),
    ],
)
def test_an_end_that_races_with_refreshes_leaves_no_usable_token(
    race: Race, url: str, first: str, ending: Callable[..., int | None] | None
) -> None:
    end = partial(revoked, first, NOW) if ending is None else partial(taken_back, ending, NOW)
    redeem = partial(redeemed, APP, first, NOW)
    found = race(url, Turns(in_turn(50, *[redeem] * 4, end)), 50)
    assert {answer for answer in found if answer[0] == "refused"} <= {("refused", ENDED)}
    assert rows(url, "SELECT count(*) FROM grants WHERE closed_at IS NULL") == [(0,)]
    assert rows(url, "SELECT count(*) FROM audit WHERE event = 'grant_closed'") == [(1,)]
    assert rows(url, HEADS) == [(1,)]
    handed_out = {token for state, token in found if state in ("unspent", "just_spent")}
    assert len(handed_out) <= 1
    with Database(url) as database:
        for token in (first, *handed_out):
            assert redeemed(APP, token, NOW, database) == ("refused", ENDED)
            with pytest.raises(Refused):
                database.decide(lambda tx, token=token: presented_by(tx, APP, token, NOW))
