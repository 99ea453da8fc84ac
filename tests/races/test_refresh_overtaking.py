"""A refresh, and another transaction that commits between its look and its move: one came after the other."""

from collections.abc import Callable
from typing import Any

import pytest
from databases import rows
from families import APP, DAY, NOW, SUB, open_family, open_in, present

from bridge.errors import Refused
from bridge.history import OPERATOR, Cause
from bridge.lifecycle.closing import close_grant
from bridge.lifecycle.endings import disable_user, revoke_user
from bridge.lifecycle.refresh import HandleState, presented_by, renew
from bridge.model import Client
from bridge.reasons import Reason
from bridge.store import Database, Tx, refresh_tokens

STRICT = Client("app", refresh_grace=0, refresh_retry_ttl=0)
Between = Callable[[Tx], Any]


def renewed_after(
    database: Database, client: Client, token: str, now: int, between: Between
) -> tuple[str, HandleState]:
    """What a refresh ends with, if something else is done and committed after it looked at the token."""

    def verb(tx: Tx) -> tuple[str, HandleState]:
        presented = presented_by(tx, client, token, now)
        database.decide(between)
        return renew(tx, presented, client, now)

    return database.decide(verb)


def refused(database: Database, token: str, now: int = NOW, client: Client = APP) -> str:
    with pytest.raises(Refused) as refusal:
        database.decide(lambda tx: present(tx, client, token, now))
    return refusal.value.reason.code


@pytest.mark.only_postgresql
def test_who_looked_before_another_spent_the_token_is_a_retry(database: Database) -> None:
    first = open_family(database)
    successors: list[str] = []
    renewed = renewed_after(database, APP, first, NOW, lambda tx: successors.append(present(tx, APP, first, NOW)[0]))
    assert renewed == (successors[0], HandleState.JUST_SPENT)


@pytest.mark.only_postgresql
def test_who_looked_before_another_spent_the_token_closes_the_grant_where_nothing_is_forgiven(
    database: Database, url: str
) -> None:
    first = open_family(database)
    with pytest.raises(Refused) as refusal:
        renewed_after(database, STRICT, first, NOW, lambda tx: present(tx, STRICT, first, NOW))
    assert refusal.value.reason is Reason.REFRESH_TOKEN_REUSED
    assert rows(url, "SELECT closed_cause FROM grants") == [("reuse_detected",)]


@pytest.mark.only_postgresql
def test_a_token_that_is_to_stay_unspent_but_was_spent_meanwhile_leads_to_its_successor(database: Database) -> None:
    """Rotation was switched on a moment ago, and not every instance has heard of it."""
    first = open_family(database)
    successors: list[str] = []
    unrotated = Client("app", refresh_rotation=False)
    renewed = renewed_after(
        database, unrotated, first, NOW, lambda tx: successors.append(present(tx, APP, first, NOW)[0])
    )
    assert renewed == (successors[0], HandleState.JUST_SPENT)


@pytest.mark.only_postgresql
@pytest.mark.parametrize("age", [30, 31, DAY])
def test_a_retry_gets_the_head_that_it_saw_though_that_moves_meanwhile(database: Database, age: int) -> None:
    """As if it had come first. A head that it did not see is no successor of a token that was seen unfollowed."""
    first = open_family(database)
    second, _ = database.decide(lambda tx: present(tx, APP, first, NOW))
    later = NOW + age
    token, _ = renewed_after(database, APP, first, later, lambda tx: present(tx, APP, second, later))
    assert token == second


@pytest.mark.only_postgresql
@pytest.mark.parametrize("spent", [False, True])
def test_a_refresh_that_a_closing_overtakes_brings_no_usable_token(database: Database, url: str, spent: bool) -> None:
    token = open_family(database)
    if spent:
        database.decide(lambda tx: present(tx, APP, token, NOW))

    def close(tx: Tx) -> bool:
        found = refresh_tokens.find(tx, token)
        assert found is not None
        return close_grant(tx, found.grant, Cause.CLIENT_REVOKED, actor="client:app", now=NOW)

    brought, _ = renewed_after(database, APP, token, NOW, close)
    assert refused(database, brought) == Reason.GRANT_ENDED.code
    assert rows(url, "SELECT count(*) FROM refresh_tokens WHERE state = 'unspent'") == [(1,)]


@pytest.mark.both_databases
@pytest.mark.parametrize("end", [disable_user, revoke_user])
@pytest.mark.parametrize("seconds", [0, 1])
def test_a_grant_that_is_opened_while_its_user_is_signed_out_does_not_outlive_it(
    database: Database, one_overtakes: Any, end: Callable[..., int | None], seconds: int
) -> None:
    """Even if its request came to an instance whose clock is a second ahead."""
    open_family(database)  # the user is known
    opened, ended = one_overtakes(
        lambda tx: open_in(tx, NOW + seconds), lambda tx: end(tx, SUB, actor=OPERATOR, now=NOW)
    )
    assert ended == 2
    assert refused(database, opened, NOW + seconds) == Reason.GRANT_ENDED.code


@pytest.mark.only_postgresql
@pytest.mark.parametrize(("end", "told_at"), [(disable_user, NOW), (disable_user, NOW + 5), (revoke_user, NOW)])
def test_no_grant_is_opened_for_a_user_who_was_signed_out_since_they_were_recognised(
    database: Database, url: str, end: Callable[..., int | None], told_at: int
) -> None:
    database.decide(lambda tx: open_in(tx, NOW, told_at=told_at))  # nothing is news of this session any more

    def sign_out() -> None:
        database.decide(lambda tx: end(tx, SUB, actor=OPERATOR, now=NOW))

    with pytest.raises(Refused) as refusal:
        database.decide(lambda tx: open_in(tx, NOW + 1, told_at=told_at, between=sign_out))
    assert refusal.value.reason is Reason.ASSERTION_REVOKED
    assert rows(url, "SELECT count(*) FROM grants") == [(1,)]
