"""What the store remembers: users, assertions taken once, clients; and what the sweep may forget."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import pytest
from databases import rows
from sqlalchemy import Engine, event
from watching import hearing

from bridge import jose
from bridge.cli.schema import upgrade
from bridge.emulator import Emulator
from bridge.errors import Refused
from bridge.model import CLIENT_CREDENTIALS, Assertion, Client, Environment, Identity, Secret
from bridge.reasons import Reason
from bridge.store import Database, clients, recognition, seen, users
from bridge.store.clients import Clients
from bridge.store.sweep import BATCH, KEPT_AFTER_EXPIRY, sweep
from bridge.store.tables import metadata

NOW = 1_795_400_000
DAY = 86400
PRIMARY = Environment("11111111-1111-4111-8111-111111111111", refresh_window=30 * DAY)
OTHER = Environment("33333333-3333-4333-8333-333333333333")
USER_ID = "22222222-2222-4222-8222-222222222222"


pytestmark = pytest.mark.both_databases


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    upgrade(made)
    yield made
    made.close()


def identity(
    of: Environment = PRIMARY, *, digest: str = "d1", complete: bool = True, told_at: int = NOW, **claims: Any
) -> Identity:
    return Identity(of.environment_id, USER_ID, claims, complete, told_at, credentials_digest=digest)


def assertion(environment: Environment = PRIMARY, **changes: Any) -> Assertion:
    whole = Assertion(environment, USER_ID, "sid", None, NOW, NOW + 7200, None, "large", b"1" * 32, {})
    return replace(whole, **changes)


def recognise(database: Database, who: Identity, by: Assertion | None = None, now: int = NOW) -> recognition.Known:
    with database.writing() as tx:
        return recognition.recognise(tx, who, by or assertion(), primary_environment=PRIMARY.environment_id, now=now)


def writes(database: Database, who: Identity, by: Assertion | None = None) -> int:
    """How many writing statements it takes to recognise this user."""
    written: list[str] = []

    def heard(statement: str) -> None:
        if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    with hearing(heard):
        recognise(database, who, by, now=NOW + 1)
    return len(written)


def test_a_new_user_becomes_known_under_their_own_id_or_one_that_follows_from_it(database: Database) -> None:
    mine, theirs = recognise(database, identity(name="Demo")), recognise(database, identity(OTHER), assertion(OTHER))
    assert mine.user.sub == USER_ID
    assert theirs.user.sub == str(uuid5(UUID(OTHER.environment_id), USER_ID))
    with database.reading() as tx:
        assert users.by_sub(tx, USER_ID) == mine.user
        assert users.by_sub(tx, theirs.user.sub) == theirs.user
        assert users.by_sub(tx, "nobody") is None
    assert mine.user.claims == {"name": "Demo"}


def test_a_known_user_is_written_only_when_something_changed(database: Database, database_url: str) -> None:
    assert writes(database, identity(name="Demo", groups=["a"])) == 2
    assert writes(database, identity(groups=["a"], name="Demo")) == 0
    assert (
        writes(
            database,
            identity(groups=["a"], name="Demo"),
            assertion(issued_at=NOW + 5, refresh_expires_at=NOW + 30 * DAY),
        )
        == 0
    )
    assert writes(database, identity(groups=["b"], name="Demo")) == 1
    assert recognise(database, identity(groups=["b"], name="New"), now=NOW + 9).user.claims["name"] == "New"
    assert rows(database_url, "SELECT created_at, updated_at FROM users") == [(NOW + 1, NOW + 9)]


def test_of_two_sayings_about_a_user_the_later_one_holds(database: Database) -> None:
    recognise(database, identity(told_at=NOW, groups=["a"]))
    assert recognise(database, identity(told_at=NOW - 1, groups=["old"])).user.claims == {"groups": ["a"]}
    bare = identity(told_at=NOW - 1, digest="d2", complete=False)
    assert recognise(database, bare).user.claims == {"groups": ["a"]}
    assert recognise(database, identity(told_at=NOW, groups=["b"])).user.claims == {"groups": ["b"]}
    assert recognise(database, identity(told_at=NOW + 1, groups=["c"])).user.claims == {"groups": ["c"]}


@pytest.mark.parametrize("complete", [True, False])
def test_a_saying_that_changes_nothing_is_still_the_later_one(database: Database, complete: bool) -> None:
    recognise(database, identity(told_at=NOW))
    recognise(database, identity(told_at=NOW + 20, complete=complete))  # the wallet is unlinked again by now
    between = identity(told_at=NOW + 10, digest="d2", wallet_address="0xabc")
    assert recognise(database, between).user.claims == {}


def test_a_sub_is_never_given_to_a_second_user(database: Database) -> None:
    recognise(database, identity(), assertion())
    with pytest.raises(Refused) as refused, database.writing() as tx:
        recognition.recognise(tx, identity(OTHER), assertion(OTHER), primary_environment=OTHER.environment_id, now=NOW)
    assert refused.value.reason is Reason.SUBJECT_INVALID
    assert recognise(database, identity()).user.sub == USER_ID


def test_an_incomplete_identity_leaves_a_profile_of_the_same_credentials_alone(database: Database) -> None:
    recognise(database, identity(email="demo@example.com"))
    small = identity(complete=False, name="small")
    assert recognise(database, small).user.claims == {"email": "demo@example.com"}
    assert writes(database, small) == 0
    with database.reading() as tx:
        assert users.stored_profile(tx, small) == replace(small, claims={"email": "demo@example.com"}, complete=True)


def test_an_incomplete_identity_replaces_a_profile_of_other_credentials(database: Database) -> None:
    recognise(database, identity(email="unlinked@example.com"))
    small = identity(complete=False, digest="d2", name="small")
    assert recognise(database, small).user.claims == {"name": "small"}
    with database.reading() as tx:
        assert users.stored_profile(tx, identity(complete=False)) is None
        assert users.stored_profile(tx, small) is None


def test_an_identity_that_names_no_credentials_gets_no_profile_and_leaves_it_alone(database: Database) -> None:
    recognise(database, identity(email="demo@example.com"))
    nameless = identity(complete=False, digest="", name="small", told_at=NOW + 1)
    assert recognise(database, nameless).user.claims == {"name": "small"}
    with database.reading() as tx:
        assert users.stored_profile(tx, nameless) is None
    assert recognise(database, identity(complete=False)).user.claims == {"email": "demo@example.com"}


def test_a_bare_identity_is_never_taken_for_a_stored_profile(database: Database) -> None:
    recognise(database, identity(complete=False, name="small"))
    with database.reading() as tx:
        assert users.stored_profile(tx, identity(complete=False)) is None


def test_a_session_keeps_the_earliest_sign_in_that_was_proven(database: Database) -> None:
    def auth_time(**token: Any) -> int:
        return recognise(database, identity(), assertion(**token)).auth_time

    assert auth_time(issued_at=NOW) == NOW
    assert auth_time(issued_at=NOW + 500) == NOW
    assert auth_time(issued_at=NOW - 500) == NOW - 500
    assert auth_time(issued_at=NOW + 900, sid="renewed", original_sid="sid") == NOW - 500
    assert auth_time(issued_at=NOW + 900, refresh_expires_at=NOW - 900 + 30 * DAY) == NOW - 900
    assert auth_time(issued_at=NOW + 900, refresh_expires_at=NOW + 60 * DAY) == NOW - 900
    assert auth_time(issued_at=NOW + 900, sid="another") == NOW + 900
    assert auth_time(issued_at=5, refresh_expires_at=9, sid="ancient") == 1


def test_an_older_token_does_not_shorten_what_is_remembered_of_its_session(database: Database) -> None:
    recognise(database, identity(), newer := assertion(expires_at=NOW + 2 * DAY))
    recognise(database, identity(), assertion(issued_at=NOW - 500, expires_at=NOW + 60))
    sweep(database, NOW + DAY, audit_retention=DAY)
    assert recognise(database, identity(), newer, now=NOW + DAY).auth_time == NOW - 500


def test_a_session_id_of_another_user_proves_nothing_about_this_one(database: Database) -> None:
    another = replace(identity(), user_id="another")
    recognise(database, another, assertion(user_id="another", issued_at=NOW - DAY))
    for _ in range(2):
        with pytest.raises(Refused) as refusal:
            recognise(database, identity())
        assert refusal.value.reason is Reason.SUBJECT_INVALID
    assert recognise(database, another, assertion(user_id="another")).auth_time == NOW - DAY


def test_a_disabled_user_is_recognised_as_disabled_until_enabled(database: Database) -> None:
    recognise(database, identity())
    for disabled in (True, False):
        with database.writing() as tx:
            assert users.set_disabled(tx, USER_ID, disabled=disabled, now=NOW)
            assert not users.set_disabled(tx, "nobody", disabled=disabled, now=NOW)
            found = users.by_sub(tx, USER_ID)
        assert found is not None
        assert found.disabled is disabled
        assert recognise(database, identity(name="new")).user.disabled is disabled


def test_an_assertion_is_taken_once_whatever_its_signature_looks_like(database: Database) -> None:
    raw = Emulator().sign({"alg": "RS256"}, {"sub": USER_ID})
    token = jose.parse(raw)
    altered = jose.parse(f"{raw.rpartition('.')[0]}.AAAA")
    with database.writing() as tx:
        assert seen.take_once(tx, assertion(digest=token.digest))
        assert not seen.take_once(tx, assertion(digest=altered.digest))
        assert seen.take_once(tx, assertion(OTHER, digest=token.digest))
        assert seen.take_once(tx, assertion(digest=b"2" * 32))
    for spelling in (f"{raw}=", f"{raw}==", f"{raw}\n", f" {raw}"):
        with pytest.raises(Refused):
            jose.parse(spelling)


def test_what_was_taken_in_a_transaction_that_failed_can_be_taken_again(database: Database) -> None:
    def verb(tx: Any) -> None:
        assert seen.take_once(tx, assertion())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.decide(verb)
    with database.writing() as tx:
        assert seen.take_once(tx, assertion())


LISTS = {"grants": (CLIENT_CREDENTIALS,), "scopes": ("openid", "\u00e9"), "cors_origins": ("https://app.example.com",)}
PLAIN = {"name": "App", "subject_type": "pairwise", "access_token_ttl": 60, "assertion_once": True, "disabled": True}
FULL = Client("app", sector_identifier="example.com", environments=(OTHER.environment_id,), **LISTS, **PLAIN)


def test_a_client_is_found_as_it_was_added_and_changed(database: Database) -> None:
    with database.writing() as tx:
        assert clients.add(tx, FULL, NOW)
        assert not clients.add(tx, Client("app"), NOW)
        assert clients.find(tx, "app") == FULL
        assert clients.change(tx, replace(FULL, name="New"), NOW)
        assert not clients.change(tx, Client("nobody"), NOW)
        assert clients.add(tx, Client("aaa"), NOW)
        assert clients.every(tx) == [Client("aaa"), replace(FULL, name="New")]
        assert clients.find(tx, "nobody") is None


def test_a_setting_that_this_version_does_not_know_is_passed_over(database: Database) -> None:
    with database.writing() as tx:
        clients.add(tx, FULL, NOW)
        tx.exec_driver_sql("""UPDATE clients SET settings = replace(settings, '{', '{"colour": "red", ')""")
        assert clients.find(tx, "app") == FULL


def test_two_secrets_are_live_at_most_and_the_older_one_ends_after_the_overlap(database: Database) -> None:
    with database.writing() as tx:
        clients.add(tx, Client("app"), NOW)
        clients.add(tx, Client("other"), NOW)
        other = Secret(clients.secret_digest(clients.add_secret(tx, "other", NOW, overlap=0)))
        first, second, third = (
            Secret(clients.secret_digest(clients.add_secret(tx, "app", NOW + at, overlap=100))) for at in (0, 50, 60)
        )
        assert clients.find(tx, "app") == Client("app", secrets=(replace(second, not_after=NOW + 160), third))
        last = Secret(clients.secret_digest(clients.add_secret(tx, "app", NOW + 70, overlap=0)))
        assert clients.find(tx, "app") == Client("app", secrets=(replace(third, not_after=NOW + 70), last))
        assert clients.find(tx, "other") == Client("other", secrets=(other,))
        assert clients.every(tx)[1].secrets == (other,)
    assert len({first, second, third, last, other}) == 5


def test_a_change_by_another_instance_is_seen_within_two_seconds(database: Database, database_url: str) -> None:
    serving, elsewhere = Clients(database, [Client("configured")]), Database(database_url)
    assert serving.find("app", NOW) is None
    with elsewhere.writing() as tx:
        clients.add(tx, Client("app", cors_origins=("https://a.example.com",)), NOW)
        clients.add(tx, Client("configured", name="of the database"), NOW)
    found = [serving.find("app", NOW + at) is not None for at in (0, 1, 2)]
    assert found == [False, False, True]  # that nobody has the id is remembered as long (threats O20)
    assert serving.cors_origins(NOW) == {"https://a.example.com"}
    with elsewhere.writing() as tx:
        clients.change(tx, Client("app", disabled=True), NOW)
    assert [serving.find("app", NOW + at) == Client("app", disabled=True) for at in (2, 3, 4)] == [False, False, True]
    assert serving.cors_origins(NOW + 2) == frozenset()
    with elsewhere.writing() as tx:
        clients.change(tx, Client("app"), NOW)
    assert serving.find("app", NOW - 5) == Client("app")  # a clock that went back
    assert serving.find("configured", NOW) == Client("configured")
    elsewhere.close()


def test_whatever_has_an_end_is_swept(database: Database) -> None:
    ends = {"expires_at", "forget_at", "not_after"}
    ending = {table.name for table in metadata.sorted_tables if ends & set(table.columns.keys())}
    assert ending <= sweep(database, NOW, audit_retention=DAY).keys()


def test_the_sweep_removes_in_batches_what_nobody_needs_any_more(database: Database, database_url: str) -> None:
    over, needed = NOW - 61, NOW - 60  # kept for a minute, since clocks differ, and for as long as a clock may be ahead
    with database.writing() as tx:
        for number in range(1203):
            ends = over if number < 1200 else needed
            assert seen.take_once(tx, assertion(digest=number.to_bytes(32), expires_at=ends))
        for overlap in (9, 9, 10, 10):
            clients.add_secret(tx, f"app{overlap}", NOW - 10, overlap=overlap)
    recognise(database, identity(), assertion(sid="over", expires_at=over, refresh_expires_at=over))
    recognise(database, identity(), assertion(sid="needed", expires_at=needed, refresh_expires_at=needed))
    recognise(database, identity(), assertion(sid="refreshable", expires_at=over, refresh_expires_at=NOW))
    batches: list[int] = []

    def count(_: Any, cursor: Any, *__: Any) -> None:
        batches.append(cursor.rowcount)

    event.listen(Engine, "after_cursor_execute", count)
    removed = sweep(database, NOW + KEPT_AFTER_EXPIRY, audit_retention=DAY)
    event.remove(Engine, "after_cursor_execute", count)
    assert {name: count for name, count in removed.items() if count} == {
        "seen_assertions": 1200,
        "upstream_sessions": 1,
        "client_credentials": 1,
    }
    assert [size for size in batches if size > 0] == [BATCH, BATCH, 1200 - 2 * BATCH, 1, 1]
    for table, left in (("seen_assertions", 3), ("upstream_sessions", 2), ("client_credentials", 3)):
        assert rows(database_url, f"SELECT count(*) FROM {table}") == [(left,)]
    assert set(sweep(database, NOW + KEPT_AFTER_EXPIRY, audit_retention=DAY).values()) == {0}
