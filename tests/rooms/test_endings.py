"""The cascades of lifecycle/endings.py on both databases: what a cause ends, who is told, and in how many steps."""

import json
from collections.abc import Sequence
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from families import APP, ENVIRONMENT, IDENTITY, NOW, SUB
from sqlalchemy import text

from bridge.clock import CLOCKS_DIFFER
from bridge.delivery.deliver import Delivery
from bridge.delivery.rest import CloseRest
from bridge.delivery.turns import Turns
from bridge.dynamic.effects import SessionRevoked
from bridge.dynamic.management import DynamicSession
from bridge.errors import Refused
from bridge.history import DYNAMIC, OPERATOR, Cause, acting_user
from bridge.lifecycle.closing import BATCH, Ending, end_session
from bridge.lifecycle.disclosure import as_document, record_of
from bridge.lifecycle.dynamic_sessions import MOST_JUDGED, Revocation, end_revoked, whom_to_ask_about
from bridge.lifecycle.endings import (
    close_rest,
    delete_user,
    disconnect,
    end_dynamic_session,
    erase_user,
    revoke_user,
    sign_out,
)
from bridge.lifecycle.signin import SessionPolicy, goes_on, open_or_renew
from bridge.model import Assertion, Client, Grant, Session
from bridge.store import Database, Tx, consents, grants, recognition, refresh_tokens, revoked, sessions, upstream, users
from bridge.store.extents import OfUser
from bridge.store.grants import Ground
from bridge.store.outbox import Kind
from bridge.store.recognition import Known
from bridge.store.session_times import certain_end
from bridge.store.sessions import SignIn

pytestmark = pytest.mark.both_databases

TOLD = replace(APP, backchannel_logout_uri="https://app.example.com/logout")
QUIET = Client("quiet")
OFFLINE = Client("offline", backchannel_logout_uri="https://b.example.com/logout", offline_survives_logout=True)
POLICY = SessionPolicy(idle_ttl=86400, absolute_ttl=30 * 86400)


def assertion(sid: str = "s-1", original: str | None = None, at: int = NOW) -> Assertion:
    return Assertion(ENVIRONMENT, SUB, sid, original, at, at + 7200, None, "large", b"1" * 32, {})


def recognised(tx: Tx, by: Assertion) -> Known:
    return recognition.recognise(tx, IDENTITY, by, primary_environment=ENVIRONMENT.environment_id, now=NOW)


def signed_in(tx: Tx, sid: str = "s-1") -> Session:
    known = recognised(tx, assertion(sid))
    who = SignIn(known.user.sub, ENVIRONMENT.environment_id, sid, "https://x.example", NOW, (), NOW + 7200, NOW)
    cookie = open_or_renew(tx, who, None, POLICY, client=APP, user_agent=None, now=NOW)
    held = sessions.find(tx, cookie, NOW)
    assert held is not None
    return held[0]


def given(tx: Tx, client: Client, session: Session | None = None, *, sid: str = "s-1", offline: bool = False) -> Grant:
    known = recognised(tx, assertion(sid))
    scope = ("openid", "offline_access") if offline else ("openid",)
    grant = Grant(client, known.user, scope, (), sid=f"{client.client_id}-{sid}", auth_time=NOW)
    ground = Ground(ENVIRONMENT.environment_id, sid, NOW, session_id=session.session_id if session else None)
    return grants.open_grant(tx, grant, ground, expires_at=NOW + 7200, now=NOW)


def ending(cause: Cause = Cause.DYNAMIC_SESSION_ENDED) -> Ending:
    return Ending(cause, DYNAMIC, NOW)


def end(tx: Tx, key: str = "s-1", at: int = NOW) -> None:
    end_dynamic_session(tx, ENVIRONMENT.environment_id, key, user_id=SUB, ended_at=at, ending=ending())


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.reading() as tx:
        return [tuple(row) for row in tx.execute(text(statement))]


def told(database: Database) -> list[str]:
    found = rows(database, "SELECT receiver, facts FROM outbox WHERE kind = 'backchannel_logout' ORDER BY id")
    return [receiver for receiver, _ in found]


def test_dynamic_ends_a_session_and_all_that_rests_on_it_alone(database: Database) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        mine = given(tx, TOLD, session)
        alone = given(tx, QUIET)  # by token exchange
        other = given(tx, TOLD, sid="s-2")
        end(tx)
    assert rows(database, "SELECT closed_cause FROM sessions") == [("dynamic_session_ended",)]
    closed = dict(rows(database, "SELECT grant_id, closed_cause FROM grants"))
    assert closed == {
        mine.grant_id: "dynamic_session_ended",
        alone.grant_id: "dynamic_session_ended",
        other.grant_id: None,
    }
    assert told(database) == ["app"]


def test_what_rests_on_a_browsers_session_ends_with_it_whatever_session_at_dynamic_it_began_on(
    database: Database,
) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        earlier = given(tx, TOLD, session)
        again = replace(assertion("s-2"), issued_at=NOW)
        known = recognised(tx, again)
        who = SignIn(known.user.sub, ENVIRONMENT.environment_id, "s-2", "https://x.example", NOW, (), NOW + 7200, NOW)
        open_or_renew(tx, who, (session, known.user), POLICY, client=APP, user_agent=None, now=NOW)
        end(tx, "s-2")
    assert dict(rows(database, "SELECT grant_id, closed_cause FROM grants"))[earlier.grant_id] is not None


def test_a_client_is_told_once_though_two_causes_end_its_session(database: Database) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        given(tx, TOLD, session)
        given(tx, TOLD, session)
        sign_out(tx, session, actor=acting_user(SUB), now=NOW)
        end(tx)
    assert told(database) == ["app"]


def test_an_offline_grant_survives_a_sign_out_where_its_client_says_so_but_no_end_at_dynamic(
    database: Database,
) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        offline = given(tx, OFFLINE, session, offline=True)
        online = given(tx, OFFLINE, session)
        sign_out(tx, session, actor=acting_user(SUB), now=NOW)
    assert dict(rows(database, "SELECT grant_id, closed_cause FROM grants")) == {
        offline.grant_id: None,
        online.grant_id: "signed_out",
    }
    assert told(database) == ["offline"]
    with database.writing() as tx:
        end(tx)
    assert dict(rows(database, "SELECT grant_id, closed_cause FROM grants"))[offline.grant_id] is not None


def test_no_token_of_an_ended_session_counts_not_even_one_that_never_came(database: Database) -> None:
    with database.writing() as tx:
        end(tx, at=NOW + 10)
        assert recognised(tx, assertion()).ended
        assert recognised(tx, assertion("s-9", "s-1", NOW + 5)).ended, "a refreshed token of before"
        assert not recognised(tx, assertion("s-2")).ended


def test_what_dynamic_issues_after_it_revoked_an_older_sid_opens_the_session_again(database: Database) -> None:
    with database.writing() as tx:
        recognised(tx, assertion())
        end(tx, at=NOW + 10)
        assert not recognised(tx, assertion("s-9", "s-1", NOW + 10)).ended
        assert upstream.is_over(tx, ENVIRONMENT.environment_id, "s-1") is False
        assert recognised(tx, assertion("s-1", None, NOW + 20)).ended, "the revoked sid itself never comes back"
        assert upstream.newest_sid(tx, ENVIRONMENT.environment_id, "s-1") == "s-9"
        assert upstream.key_of(tx, ENVIRONMENT.environment_id, "s-9") == "s-1"


def test_a_session_of_another_user_is_nobody_elses_to_speak_of(database: Database) -> None:
    other = "11111111-1111-4111-8111-111111111111"
    with database.writing() as tx:
        mine = given(tx, TOLD)
        theirs = replace(assertion("s-evil", "s-1"), user_id=other)
        identity = replace(IDENTITY, user_id=other)
        with pytest.raises(Refused):
            recognition.recognise(tx, identity, theirs, primary_environment=ENVIRONMENT.environment_id, now=NOW)
        assert upstream.newest_sid(tx, ENVIRONMENT.environment_id, "s-1") == "s-1"
        end_revoked(tx, revocation("s-1"), ending())
    closed = dict(rows(database, "SELECT grant_id, closed_cause FROM grants"))
    assert closed == {mine.grant_id: "dynamic_session_ended"}


def revocation(sid: str, sessions: list[DynamicSession] | None = None, at: int = NOW + 10) -> Revocation:
    return Revocation(ENVIRONMENT.environment_id, SessionRevoked(sid, SUB, by_admin=False), at, sessions)


def test_what_ended_before_anybody_told_whose_it_was_is_the_first_comers_and_stays_ended(database: Database) -> None:
    environment_id = ENVIRONMENT.environment_id
    with database.writing() as tx:
        upstream.end(tx, environment_id, "s-1", "", NOW + 10, kept_until=NOW + 7200)
        assert recognised(tx, assertion("s-2", "s-1", NOW)).ended
        assert upstream.user_of(tx, environment_id, "s-1") is None
        assert not recognised(tx, assertion("s-3", "s-1", NOW + 11)).ended, "issued later: it goes on"
        assert upstream.user_of(tx, environment_id, "s-1") == SUB
        upstream.end(tx, environment_id, "s-9", "", NOW, kept_until=NOW + 7200)
        upstream.end(tx, environment_id, "s-9", SUB, NOW, kept_until=NOW + 7200)
        assert upstream.user_of(tx, environment_id, "s-9") == SUB


def test_only_a_token_of_later_opens_what_has_certainly_ended(database: Database) -> None:
    with database.writing() as tx:
        recognised(tx, assertion())
        end(tx, at=certain_end(NOW + 10))
        assert recognised(tx, assertion("s-8", "s-1", NOW + 8)).ended
        assert recognised(tx, assertion("s-9", "s-1", NOW + 10)).ended
        assert not recognised(tx, assertion("s-10", "s-1", NOW + 11)).ended


def test_a_sid_that_came_as_its_own_session_ends_though_it_was_taken_for_anothers_next(database: Database) -> None:
    environment_id = ENVIRONMENT.environment_id
    with database.writing() as tx:
        given(tx, TOLD)
        upstream.succeed(tx, environment_id, "s-2", "s-1", NOW, kept_until=NOW + 7200)
        given(tx, TOLD, sid="s-2")  # without an original sid, which would say whose it is
        assert upstream.key_of(tx, environment_id, "s-2") == "s-1"
        assert whom_to_ask_about(tx, revocation("s-2")) == SUB
        end_revoked(tx, revocation("s-2"), ending())
    assert rows(database, "SELECT count(*) FROM grants WHERE closed_at IS NULL") == [(0,)]


def test_a_token_that_names_its_sign_in_sets_a_mistaken_sid_right(database: Database) -> None:
    environment_id = ENVIRONMENT.environment_id
    with database.writing() as tx:
        recognised(tx, assertion())
        upstream.succeed(tx, environment_id, "s-2", "s-1", NOW, kept_until=NOW + 7200)
        known = recognised(tx, assertion("s-2", "s-2"))
        assert (known.ended, known.mistaken) == (False, ("s-1", NOW)), "nothing else kept the first alive"
        assert upstream.key_of(tx, environment_id, "s-2") == "s-2"
        assert not upstream.is_over(tx, environment_id, "s-2")


def test_a_revocation_asks_the_database_a_few_times_however_many_sessions_the_user_has(database: Database) -> None:
    many = 2 * MOST_JUDGED
    listed = [DynamicSession(f"k-{number}", NOW, None) for number in range(many)]
    asked: list[int] = []
    with database.writing() as tx:
        for number in range(many):
            recognised(tx, assertion(f"k-{number}"))
        counted = Counted(tx)
        end_revoked(counted, revocation("never-came", listed), ending())  # type: ignore[arg-type]
        asked.append(counted.count)
    assert asked[0] < 25
    assert rows(database, "SELECT count(*) FROM upstream_sessions WHERE ended_at IS NULL") == [(many,)]


def test_of_too_many_sessions_in_doubt_the_oldest_end(database: Database) -> None:
    many = MOST_JUDGED + 3
    listed = [DynamicSession(f"k-{number}", NOW, NOW + number) for number in range(many)]
    listed += [DynamicSession(f"n-{number}", NOW + number, None) for number in range(many)]
    with database.writing() as tx:
        for number in range(many):
            recognised(tx, assertion(f"k-{number}", at=NOW + number))
        end_revoked(tx, revocation("never-came", listed, at=NOW + 1000), ending())
    left = rows(database, "SELECT session_key FROM upstream_sessions WHERE ended_at IS NULL")
    assert {key for (key,) in left} == {f"k-{number}" for number in range(3, many)}


class Counted:
    """A transaction that counts its statements."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.count = 0

    def execute(self, *args: Any, **options: Any) -> Any:
        self.count += 1
        return self._tx.execute(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


def test_nothing_is_opened_on_a_session_that_has_ended(database: Database) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        end(tx)
        assert not goes_on(tx, session, POLICY, NOW)
        grant = Grant(APP, users.by_sub(tx, SUB), ("openid",), (), sid="x", auth_time=NOW)
        ground = Ground(ENVIRONMENT.environment_id, "s-1", NOW + 1)
        with pytest.raises(Refused):
            grants.open_grant(tx, grant, ground, expires_at=NOW + 60, now=NOW)
        who = SignIn(SUB, ENVIRONMENT.environment_id, "s-1", "https://x.example", NOW, (), NOW + 7200, NOW + 1)
        assert open_or_renew(tx, who, None, POLICY, client=APP, user_agent=None, now=NOW) is None


def test_a_deleted_user_has_nothing_and_never_comes_back(database: Database) -> None:
    with database.writing() as tx:
        given(tx, TOLD, signed_in(tx))
        consents.give(tx, SUB, "app", ("openid",), NOW)
        user = users.by_sub(tx, SUB)
        assert user is not None
        assert delete_user(tx, user, ending(Cause.USER_DELETED))
        assert not delete_user(tx, user, ending(Cause.USER_DELETED)), "a second telling"
        known = recognised(tx, assertion("s-3", at=NOW + 100))
        assert known.user.deleted
        assert not known.user.claims
        late = replace(IDENTITY, told_at=NOW + 100)
        assert not recognition.bring_up_to_date(tx, late, NOW)
        assert not consents.covers(tx, SUB, "app", ("openid",))
    assert told(database) == ["app"]
    assert rows(database, "SELECT count(*) FROM grants WHERE closed_at IS NULL") == [(0,)]


def test_an_erased_user_is_forgotten_and_may_begin_anew_under_the_same_sub(database: Database) -> None:
    with database.writing() as tx:
        given(tx, TOLD)
        assert erase_user(tx, SUB, actor=OPERATOR, now=NOW) == 1
        erased = users.by_sub(tx, SUB)
        assert erased is not None
        assert not erased.claims
        late = replace(IDENTITY, told_at=NOW + 50)
        by = assertion("s-4", at=NOW + 50)
        again = recognition.recognise(tx, late, by, primary_environment=ENVIRONMENT.environment_id, now=NOW + 50)
        assert (again.user.sub, again.user.claims) == (SUB, IDENTITY.claims)


def test_what_dynamic_tells_of_an_erased_user_is_kept_only_once_they_have_signed_in_again(database: Database) -> None:
    told_later = replace(IDENTITY, claims={**IDENTITY.claims, "name": "later"}, told_at=NOW + 90)
    with database.writing() as tx:
        given(tx, TOLD)
        erase_user(tx, SUB, actor=OPERATOR, now=NOW)
        assert not recognition.bring_up_to_date(tx, replace(told_later, told_at=NOW + 40), NOW + 40)
        erased = users.by_sub(tx, SUB)
        assert erased is not None
        assert not erased.claims
        back, by = replace(IDENTITY, told_at=NOW + 50), assertion("s-4", at=NOW + 50)
        recognition.recognise(tx, back, by, primary_environment=ENVIRONMENT.environment_id, now=NOW + 50)
        assert recognition.bring_up_to_date(tx, told_later, NOW + 90)


def test_a_users_own_document_names_nobody_else_and_no_session_at_dynamic(database: Database) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        end_session(tx, session, Cause.SESSION_REPLACED, actor=acting_user("somebody-else"), now=NOW)
        end(tx)
        user = users.by_sub(tx, SUB)
        assert user is not None
        document = as_document(record_of(tx, user))
    assert "somebody-else" not in json.dumps(document)
    replaced = [one for one in document["history"] if one["cause"] == "session_replaced"]
    assert [one["actor"] for one in replaced] == ["user"]
    assert replaced[0]["detail"] == {"session_id": session.session_id}
    assert acting_user(SUB) in {one["actor"] for one in document["history"]}, "one's own name stays"
    assert "dynamic_session" not in {name for one in document["history"] for name in one["detail"]}


def test_disconnecting_an_app_ends_its_grants_alone_and_tells_it(database: Database) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        given(tx, TOLD, session)
        kept = given(tx, OFFLINE, session)
        consents.give(tx, SUB, "app", ("openid",), NOW)
        assert disconnect(tx, SUB, "app", actor=acting_user(SUB), now=NOW) == 1
        assert not consents.covers(tx, SUB, "app", ("openid",))
    assert rows(database, "SELECT grant_id FROM grants WHERE closed_at IS NULL") == [(kept.grant_id,)]
    assert told(database) == ["app"]
    assert rows(database, "SELECT closed_at FROM sessions") == [(None,)]


def test_many_grants_end_with_one_row_at_once_and_are_closed_batch_by_batch(database: Database) -> None:
    many = 2 * BATCH + 50
    with database.writing() as tx:
        for number in range(many):
            given(tx, TOLD, sid=f"s-{number}")
        assert revoke_user(tx, SUB, actor=OPERATOR, now=NOW + 1) == many
    assert rows(database, "SELECT count(*) FROM grants WHERE closed_at IS NULL") == [(many - BATCH,)]
    assert rows(database, "SELECT kind, receiver FROM outbox WHERE kind = 'close_rest'") == [("close_rest", "bridge")]
    rest = Ending(Cause.USER_REVOKED, OPERATOR, NOW + 1)
    with database.writing() as tx:
        assert not close_rest(tx, OfUser(SUB), rest)
    with database.writing() as tx:
        assert close_rest(tx, OfUser(SUB), rest)
    assert rows(database, "SELECT count(*) FROM grants WHERE closed_at IS NULL") == [(0,)]
    assert len(told(database)) == many


def carried_out(database: Database) -> None:
    turns = Turns(database)
    Delivery(turns, {Kind.CLOSE_REST: CloseRest(turns)}, lambda: NOW).run_due(NOW)


def still_open(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "SELECT count(*) FROM grants WHERE closed_at IS NULL")


def test_a_session_at_dynamic_with_many_grants_is_over_at_once_and_they_are_closed_batch_by_batch(
    database: Database,
) -> None:
    with database.writing() as tx:
        for number in range(2 * BATCH + 50):
            given(tx, TOLD, sid="s-1" if number else "s-0")
        tokens = [refresh_tokens.hand_out(tx, row.grant_id, expires_at=NOW + 60, now=NOW) for row in every_grant(tx)]
        end(tx)
    assert still_open(database) == [(BATCH + 50,)]
    with database.reading() as tx:
        found = [one for token in tokens if (one := refresh_tokens.find(tx, token)) is not None]
        usable = [one.grant for one in found if one.grant.is_open(NOW)]
        assert [grant.sid for grant in usable] == ["app-s-0"], "none that rests on it is of use"
        assert {one.grant.closed_cause for one in found if one.grant not in usable} == {"dynamic_session_ended"}
        standing = [revoked.standing(tx, sub=SUB, jti="j", grant_id=one.grant.grant_id) for one in found]
        assert sum(one is not None and not one.grant_ended for one in standing) == 1, "nor are its access tokens"
    carried_out(database)
    assert still_open(database) == [(1,)]
    assert told(database) == ["app"]
    causes = rows(database, "SELECT DISTINCT cause, actor FROM audit WHERE event = 'grant_closed'")
    assert causes == [("dynamic_session_ended", DYNAMIC)]


def test_all_grants_of_an_ended_browsers_session_end_whatever_they_began_on_and_however_many(
    database: Database,
) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        for _ in range(BATCH + 50):
            given(tx, TOLD, session)
        known = recognised(tx, replace(assertion("s-2"), issued_at=NOW))
        who = SignIn(known.user.sub, ENVIRONMENT.environment_id, "s-2", "https://x.example", NOW, (), NOW + 7200, NOW)
        open_or_renew(tx, who, (session, known.user), POLICY, client=APP, user_agent=None, now=NOW)
        end(tx, "s-2")
    carried_out(database)
    assert still_open(database) == [(0,)]
    assert told(database) == ["app"]


def test_a_sign_out_and_a_disconnection_of_many_grants_are_carried_to_their_end(database: Database) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        for client in (TOLD, OFFLINE):
            for _ in range(BATCH + 50):
                given(tx, client, session if client is TOLD else None)
        survivor = given(tx, OFFLINE, session, offline=True)
        quiet = given(tx, QUIET)
        sign_out(tx, session, actor=acting_user(SUB), now=NOW)
        disconnected = disconnect(tx, SUB, "offline", actor=acting_user(SUB), now=NOW)
    assert disconnected == BATCH + 51
    assert len(rows(database, "SELECT id FROM outbox WHERE kind = 'close_rest'")) == 2
    carried_out(database)
    assert rows(database, "SELECT grant_id FROM grants WHERE closed_at IS NULL") == [(quiet.grant_id,)]
    assert dict(rows(database, "SELECT grant_id, closed_cause FROM grants"))[survivor.grant_id] == "disconnected"


def test_a_client_whose_offline_grant_survived_a_sign_out_is_told_again_when_dynamic_ends_it(
    database: Database,
) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        given(tx, OFFLINE, session, offline=True)
        sign_out(tx, session, actor=acting_user(SUB), now=NOW)
        sign_out(tx, session, actor=acting_user(SUB), now=NOW)
    assert told(database) == ["offline"]
    with database.writing() as tx:
        end(tx)
        end(tx)
    assert told(database) == ["offline", "offline"]


@pytest.mark.only_postgresql
def test_a_grant_that_is_being_opened_is_disconnected_too(database: Database) -> None:
    with database.writing() as tx:
        recognised(tx, assertion())
        consents.give(tx, SUB, "app", ("openid",), NOW)

    def take_back() -> None:
        with database.writing() as tx:  # a thread has a connection of its own
            disconnect(tx, SUB, "app", actor=acting_user(SUB), now=NOW)

    other = Thread(target=take_back)
    with database.writing() as tx:
        given(tx, TOLD)
        other.start()
        other.join(1)
        assert other.is_alive(), "it waits for whoever opens a grant"
    other.join(10)
    assert still_open(database) == [(0,)]


def every_grant(tx: Tx) -> Sequence[Any]:
    return tx.execute(text("SELECT grant_id FROM grants")).all()


def test_clients_with_more_grants_than_a_batch_are_each_told_once_of_each_sid(database: Database) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        for client in (TOLD, OFFLINE):
            for _ in range(BATCH + BATCH // 2):
                given(tx, client, session)
        sign_out(tx, session, actor=acting_user(SUB), now=NOW)
    carried_out(database)
    assert sorted(told(database)) == ["app", "offline"]
    assert rows(database, "SELECT count(*) FROM grants WHERE logout_owed") == [(0,)]


def test_who_signs_in_anew_is_left_alone_by_the_rest_of_an_ending(database: Database) -> None:
    with database.writing() as tx:
        for number in range(BATCH + 1):
            given(tx, TOLD, sid=f"s-{number}")
        revoke_user(tx, SUB, actor=OPERATOR, now=NOW)
    anew = NOW + CLOCKS_DIFFER + 1
    with database.writing() as tx:
        known = recognised(tx, assertion("s-new", at=anew))
        grant = Grant(TOLD, known.user, ("openid",), (), sid="new", auth_time=anew)
        opened = grants.open_grant(
            tx, grant, Ground(ENVIRONMENT.environment_id, "s-new", anew), expires_at=anew + 60, now=anew
        )
    with database.writing() as tx:
        assert close_rest(tx, OfUser(SUB, up_to=NOW + CLOCKS_DIFFER), Ending(Cause.USER_REVOKED, OPERATOR, NOW))
    assert rows(database, "SELECT grant_id FROM grants WHERE closed_at IS NULL") == [(opened.grant_id,)]
    assert len(told(database)) == BATCH + 1


def ground(session: Session | None = None, *, as_of: int = NOW) -> Ground:
    return Ground(ENVIRONMENT.environment_id, "s-1", as_of, session_id=session.session_id if session else None)


def test_nothing_goes_on_whose_session_at_dynamic_is_over_though_its_own_row_is_not_closed_yet(
    database: Database,
) -> None:
    with database.writing() as tx:
        session = signed_in(tx)
        assert goes_on(tx, session, POLICY, NOW)
        upstream.end(tx, ENVIRONMENT.environment_id, "s-1", SUB, NOW, kept_until=NOW + 60)  # the one row, no more
        assert not goes_on(tx, session, POLICY, NOW)


def test_no_grant_is_opened_for_a_user_who_is_deleted_whenever_their_sign_in_was(database: Database) -> None:
    with database.writing() as tx:
        user = recognised(tx, assertion()).user
        grant = Grant(APP, user, ("openid",), (), sid="x", auth_time=NOW)
        assert users.delete(tx, SUB, NOW)
        with pytest.raises(Refused):
            grants.open_grant(tx, grant, ground(as_of=NOW + 100), expires_at=NOW + 7200, now=NOW)


def test_no_grant_is_shared_that_is_about_to_be_closed(database: Database) -> None:
    with database.writing() as tx:
        user = recognised(tx, assertion()).user
        grant = Grant(TOLD, user, ("openid",), (), sid="app-s-1", auth_time=NOW)
        first = grants.share_grant(tx, grant, ground(), expires_at=NOW + 7200, now=NOW)
        assert grants.share_grant(tx, grant, ground(), expires_at=NOW + 7200, now=NOW).grant_id == first.grant_id
        users.revoke(tx, SUB, NOW)  # and delivery has not come to this grant yet
        later = replace(grant, user=users.by_sub(tx, SUB))
        other = grants.share_grant(tx, later, ground(as_of=NOW + 1), expires_at=NOW + 7200, now=NOW + 1)
        assert other.grant_id != first.grant_id
