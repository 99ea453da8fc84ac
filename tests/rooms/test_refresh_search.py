"""Every order in which an owner, a thief and the clock can act, searched until nothing new comes.

States that differ in nothing that a refresh looks at are one state: which tokens are held, how long ago they were
spent, whether their successors were used.
"""

from collections import deque
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest
from families import APP, DAY, NOW, open_family, present
from refresh_reference import ENDED, REUSED, Family, Outcome
from sqlalchemy import delete, insert, select

from bridge.errors import Refused
from bridge.model import Client
from bridge.store import Database
from bridge.store.tables import audit, grants
from bridge.store.tables import refresh_tokens as handles

YEARS = 4000 * DAY
LASTING = {"refresh_idle_ttl": YEARS, "refresh_absolute_ttl": YEARS}
CONFIDENTIAL = replace(APP, **LASTING, refresh_retry_ttl=DAY)  # as ages are classed here
PUBLIC = replace(APP, public=True, **LASTING)
UNFORGIVING = replace(APP, refresh_grace=0, refresh_retry_ttl=0, **LASTING)
TICKS = {"10 seconds": 10, "31 seconds": 31, "a day": DAY}
KEPT = (grants, handles)

Saved = list[list[dict[str, Any]]]


@dataclass(frozen=True)
class State:
    """What is in the database and in whose hands, and what the reference holds of it."""

    saved: Saved
    tokens: tuple[str, ...]
    family: Family
    now: int
    owner: int
    thief: int | None = None
    path: tuple[str, ...] = ()

    def key(self) -> tuple[Any, ...]:
        """The same for states from which the same follows."""
        return (
            self.family.closed,
            self._standing(self.owner),
            None if self.thief is None else self._standing(self.thief),
        )

    def _standing(self, place: int) -> tuple[int, int]:
        """How far a token is behind (two steps are as good as ten), and the age that a window is compared with."""
        behind = min(len(self.tokens) - 1 - place, 2)
        return behind, age_class(self.age(place))

    def age(self, place: int) -> int:
        spent_at = self.family.handles[place].spent_at
        return 0 if spent_at is None else self.now - spent_at

    def is_far_behind(self, place: int) -> bool:
        """Whether a token was spent longer ago than the grace, and its successor was used."""
        spent = self.family.handles[place].spent_at is not None
        return spent and self.age(place) > self.family.client.refresh_grace and self.family.was_followed(place)


def age_class(age: int) -> int:
    """Ages are compared with 30 seconds and with a day, and steps shorter than a day never add up to one here."""
    return age if age <= 30 else 31 if age < DAY - 3600 else min(age, DAY + 1)


class Search:
    """Goes through all states that actions lead to, each action done on the real database."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self.client = client

    def states(self, actions: dict[str, Callable[[State], State | None]]) -> Iterator[State]:
        """Every state, nearest first. An action answers None where it is not to be looked at."""
        first = self.start()
        seen, waiting = {first.key()}, deque([first])
        while waiting:
            state = waiting.popleft()
            yield state
            for name, action in actions.items():
                after = action(state)
                if after is not None and after.key() not in seen:
                    seen.add(after.key())
                    waiting.append(replace(after, path=(*state.path, name)))

    def start(self) -> State:
        with self._database.writing() as tx:
            for table in (*KEPT, audit):
                tx.execute(delete(table))
        token = open_family(self._database, self.client)
        return State(self._save(), (token,), Family(self.client, NOW, NOW + YEARS), NOW, 0)

    def present(self, state: State, place: int) -> tuple[State, Outcome]:
        """The state after a presentation, and what came of it; the same in the database and by the reference."""
        self._restore(state.saved)
        family, tokens = deepcopy(state.family), state.tokens
        expected = family.present(place, state.now)
        try:
            got, _ = self._database.decide(lambda tx: present(tx, self.client, tokens[place], state.now))
        except Refused as refused:
            got = refused.reason.code
        if isinstance(expected, int) and expected == len(tokens):
            assert got not in tokens, state.path
            tokens = (*tokens, got)
        assert got == (tokens[expected] if isinstance(expected, int) else expected), state.path
        after = replace(state, saved=self._save(), family=family, tokens=tokens)
        grant, unspent = after.saved[0][0], [row for row in after.saved[1] if row["state"] == "unspent"]
        assert (grant["closed_at"] is not None, len(unspent)) == (family.closed, 1), state.path
        return after, expected

    def _save(self) -> Saved:
        with self._database.reading() as tx:
            return [[dict(row) for row in tx.execute(select(table)).mappings()] for table in KEPT]

    def _restore(self, saved: Saved) -> None:
        with self._database.writing() as tx:
            for table, rows in zip(KEPT, saved, strict=True):
                tx.execute(delete(table))
                tx.execute(insert(table), rows)


def ticks() -> dict[str, Callable[[State], State | None]]:
    return {
        name: lambda state, step=step: replace(state, now=state.now + step)  # type: ignore[misc]
        for name, step in TICKS.items()
    }


def owner_actions(search: Search, presented: Callable[[State, int, Outcome, State], bool]) -> dict[str, Any]:
    """An owner who presents, and stores the answer or loses it. `presented` is told what came of each."""

    def act(state: State, *, stores: bool) -> State | None:
        after, outcome = search.present(state, state.owner)
        if not presented(state, state.owner, outcome, after):
            return None
        return replace(after, owner=outcome) if stores and isinstance(outcome, int) else after

    return {
        "the owner presents": lambda state: act(state, stores=True),
        "the owner loses the answer": lambda state: act(state, stores=False),
    }


def thief_actions(search: Search, presented: Callable[[State, int, Outcome, State], bool]) -> dict[str, Any]:
    """A thief who copies what the owner has, at any moment and again, and uses it like the owner."""

    def act(state: State, *, stores: bool) -> State | None:
        if state.thief is None:
            return None
        after, outcome = search.present(state, state.thief)
        if not presented(state, state.thief, outcome, after):
            return None
        return replace(after, thief=outcome) if stores and isinstance(outcome, int) else after

    return {
        "the thief copies": lambda state: replace(state, thief=state.owner),
        "the thief presents": lambda state: act(state, stores=True),
        "the thief loses the answer": lambda state: act(state, stores=False),
    }


@pytest.mark.parametrize(("client", "window"), [(CONFIDENTIAL, DAY), (PUBLIC, 30)], ids=["confidential", "public"])
def test_an_owner_who_presents_what_they_stored_last_is_never_locked_out(
    database_in_memory: Database, client: Client, window: int
) -> None:
    """However many answers are lost, if they come back in time: counted from the token's first use, not the last."""
    search = Search(database_in_memory, client)
    late = []

    def presented(state: State, place: int, outcome: Outcome, _: State) -> bool:
        if state.age(place) > window:
            late.append(outcome)
            return False
        assert isinstance(outcome, int), state.path
        assert outcome == len(state.tokens) - 1 or outcome == len(state.tokens), state.path
        return True

    found = list(search.states({**owner_actions(search, presented), **ticks()}))
    assert not any(state.family.closed for state in found)
    assert len(found) == 8  # the token is unspent, or spent 0, 10, 20, 30, more seconds, a day, more than a day ago
    assert set(late) == {REUSED}


@pytest.mark.parametrize("client", [CONFIDENTIAL, PUBLIC, UNFORGIVING], ids=["confidential", "public", "unforgiving"])
def test_who_falls_behind_by_more_than_the_window_ends_it_for_both(
    database_in_memory: Database, client: Client
) -> None:
    search = Search(database_in_memory, client)
    ends = []

    def presented(state: State, place: int, outcome: Outcome, after: State) -> bool:
        if state.family.closed:
            assert outcome == ENDED, state.path
        elif state.is_far_behind(place):
            assert outcome == REUSED, state.path
            assert after.family.closed
            ends.append(state)
        elif outcome == REUSED:  # nobody was ahead, but it comes back too late for a lost answer
            retry = 0 if client.public else client.refresh_retry_ttl
            assert retry == 0 or state.age(place) > retry, state.path
        return True

    actions = {**owner_actions(search, presented), **thief_actions(search, presented), **ticks()}
    found = list(search.states(actions))
    assert {"the thief copies"} <= {name for state in ends for name in state.path}
    assert len(found) > 100
    for state in found:  # whoever comes after the end, with whatever token, is refused
        if state.family.closed:
            for place in {0, state.owner, state.thief or 0, len(state.tokens) - 1}:
                assert search.present(state, place)[1] == ENDED, state.path


def test_not_caught_two_holders_who_follow_each_other_inside_the_grace(database_in_memory: Database) -> None:
    """They are indistinguishable from two tabs of one owner. It ends with the grant, at the latest."""
    search = Search(database_in_memory, CONFIDENTIAL)
    state = replace(search.start(), thief=0)
    for _ in range(20):
        state, owners = search.present(state, state.owner)
        state, thiefs = search.present(replace(state, owner=owners, now=state.now + 30), state.thief)
        assert thiefs == owners
        state = replace(state, thief=thiefs, now=state.now + 10 * DAY)
    assert not state.family.closed


def test_not_caught_two_holders_who_take_turns_within_the_retry_time(database_in_memory: Database) -> None:
    """They are indistinguishable from one confidential client that loses every other answer. A public one is caught."""
    search = Search(database_in_memory, CONFIDENTIAL)
    state = replace(search.start(), thief=0)
    for turn in range(20):
        first, second = ("owner", "thief") if turn % 2 else ("thief", "owner")
        state, new = search.present(state, getattr(state, first))
        state = replace(state, **{first: new}, now=state.now + DAY)
        state, again = search.present(state, getattr(state, second))
        assert again == new
        state = replace(state, **{second: again})
    assert not state.family.closed
    public = Search(database_in_memory, PUBLIC)
    state, new = public.present(replace(public.start(), thief=0), 0)
    assert public.present(replace(state, now=state.now + 31), 0)[1] == REUSED


def test_not_caught_a_thief_whose_owner_never_comes_back(database_in_memory: Database) -> None:
    """The one who is behind is who is noticed, when they come."""
    search = Search(database_in_memory, CONFIDENTIAL)
    state = replace(search.start(), thief=0)
    for _ in range(20):
        state, new = search.present(state, state.thief or 0)
        assert new == (state.thief or 0) + 1
        state = replace(state, thief=new, now=state.now + 10 * DAY)
    assert search.present(state, state.owner)[1] == REUSED
