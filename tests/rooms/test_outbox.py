"""The outbox on both databases: claims, leases, what fails, what is given up, and what an operator may do."""

import pytest
from conftest import HeldClock
from families import NOW

from bridge.delivery import pace
from bridge.delivery.carriers import Result, Verdict
from bridge.delivery.deliver import Delivery
from bridge.delivery.turns import Turns
from bridge.history import AuditEntry
from bridge.store import Database, Tx, outbox, receivers
from bridge.store.dead_letters import Chosen, backlog, drop, letters, retry
from bridge.store.outbox import Claimed, Kind, Lane, Message
from bridge.store.sweep import sweep

pytestmark = pytest.mark.both_databases

LANE = Lane(Kind.BACKCHANNEL_LOGOUT, "app")
OTHER = Lane(Kind.BACKCHANNEL_LOGOUT, "other")
LEASE = 30


def put(database: Database, count: int = 1, receiver: str = "app", now: int = NOW) -> None:
    with database.writing() as tx:
        outbox.put(tx, (Message(Kind.BACKCHANNEL_LOGOUT, receiver, {"sid": str(n)}) for n in range(count)), now)


def claim(database: Database, now: int = NOW, *, lane: Lane = LANE, limit: int = 8) -> list[Claimed]:
    with database.writing() as tx:
        return list(outbox.claim(tx, lane, now, limit=limit, lease=LEASE))


def due(database: Database, now: int = NOW) -> list[Lane]:
    with database.reading() as tx:
        return sorted(outbox.due(tx, Kind, now), key=lambda lane: lane.name)


def fail(database: Database, name: str = LANE.name, *, failures: int = 1, retry_at: int = NOW + 5) -> int:
    with database.writing() as tx:
        return receivers.failed(tx, name, "status 500", NOW, failures=failures, retry_at=retry_at)


def waiting_and_dead(tx: Tx) -> tuple[int, int]:
    found = backlog(tx)
    return found.waiting, found.dead


def test_a_message_that_is_claimed_is_nobody_elses_until_its_lease_ends(database: Database) -> None:
    put(database)
    (mine,) = claim(database)
    assert (mine.message, mine.attempts) == (Message(Kind.BACKCHANNEL_LOGOUT, "app", {"sid": "0"}), 1)
    assert due(database, NOW + LEASE - 1) == []
    assert claim(database, NOW + LEASE - 1) == []
    assert due(database, NOW + LEASE) == [LANE]
    (again,) = claim(database, NOW + LEASE)
    assert (again.message_id, again.attempts) == (mine.message_id, 2)


def test_who_has_lost_the_lease_cannot_put_the_message_off_or_give_it_up(database: Database) -> None:
    put(database)
    (late,) = claim(database)
    (holder,) = claim(database, NOW + LEASE)
    with database.writing() as tx:
        assert not outbox.failed(tx, late, "status 500", next_at=NOW + 9999)
        assert not outbox.bury(tx, late, "status 500", NOW)
        assert outbox.done(tx, holder)
        assert not outbox.done(tx, late), "it is done once"


def test_a_claim_takes_the_oldest_and_no_more_than_its_limit(database: Database) -> None:
    put(database, 3, now=NOW - 10)
    put(database, 5)
    assert [one.created_at for one in claim(database, limit=4)] == [NOW - 10] * 3 + [NOW]
    assert len(claim(database, limit=100)) == 4


def test_what_failed_is_due_when_it_was_put_off_to(database: Database) -> None:
    put(database)
    (mine,) = claim(database)
    with database.writing() as tx:
        assert outbox.failed(tx, mine, "x" * 200, next_at=NOW + 7)
    assert rows_of(database) == [(NOW + 7, 1, "x" * 64, None)]
    assert claim(database, NOW + 6) == []
    assert len(claim(database, NOW + 7)) == 1


def rows_of(database: Database) -> list[tuple[int, int, str | None, int | None]]:
    with database.reading() as tx:
        return [(one.due_at, one.attempts, one.last_error, one.dead_at) for one in letters(tx, Chosen(), limit=99)]


def test_what_was_not_tried_is_handed_back_as_if_it_had_not_been_claimed(database: Database) -> None:
    put(database, 2)
    with database.writing() as tx:
        outbox.hand_back(tx, outbox.claim(tx, LANE, NOW, limit=8, lease=LEASE), NOW)
    assert [one.attempts for one in claim(database)] == [1, 1]


def test_a_failing_receiver_is_left_alone_then_probed_by_one_message_and_holds_back_only_its_own(
    database: Database,
) -> None:
    put(database, 5)
    put(database, 1, "other")
    fail(database)
    assert due(database) == [OTHER]
    assert claim(database) == []
    assert len(claim(database, lane=OTHER)) == 1
    assert due(database, NOW + 5) == [LANE]
    (probe,) = claim(database, NOW + 5)
    assert probe.health.failures == 1
    assert claim(database, NOW + 6) == [], "one probe at a time"
    with database.writing() as tx:
        receivers.answered(tx, LANE.name, NOW + 6)
    assert len(claim(database, NOW + 6)) == 4


def test_a_probe_that_is_lost_is_followed_by_another(database: Database) -> None:
    put(database, 5)
    fail(database)
    assert len(claim(database, NOW + 5)) == 1
    assert len(claim(database, NOW + 5 + LEASE)) == 1


def test_attempts_that_fail_together_count_as_one_failure_of_their_receiver(database: Database) -> None:
    assert fail(database) == fail(database) == NOW
    with database.reading() as tx:
        assert [health.failures for health in receivers.every(tx)] == [1]


def test_a_success_is_written_down_once_a_minute_or_after_a_failure(database: Database) -> None:
    put(database)
    (first,) = claim(database)
    assert first.health.is_news(NOW)
    with database.writing() as tx:
        receivers.answered(tx, LANE.name, NOW)
        (health,) = receivers.every(tx)
    assert (health.failing_since, health.failures, health.delivered_at) == (None, 0, NOW)
    assert [health.is_news(now) for now in (NOW, NOW + 59, NOW + 60)] == [False, False, True]
    fail(database)
    with database.reading() as tx:
        assert receivers.every(tx)[0].is_news(NOW)


def test_old_messages_are_given_up_by_the_batch_and_not_those_that_are_being_sent(database: Database) -> None:
    put(database, 5, now=NOW - 100)
    put(database, 1)
    claim(database, limit=1)
    with database.writing() as tx:
        assert len(outbox.bury_old(tx, LANE, "away", NOW, before=NOW - 50, limit=3)) == 3
        assert len(outbox.bury_old(tx, LANE, "away", NOW, before=NOW - 50, limit=3)) == 1
        assert outbox.bury_old(tx, LANE, "away", NOW, before=NOW - 50, limit=3) == []
        assert waiting_and_dead(tx) == (2, 4)


def test_a_dead_letter_is_not_sent_until_an_operator_tries_again(database: Database) -> None:
    put(database)
    (mine,) = claim(database)
    fail(database, failures=9, retry_at=NOW + 120)
    with database.writing() as tx:
        assert outbox.bury(tx, mine, "status 400", NOW)
        assert not outbox.failed(tx, mine, "late", next_at=NOW)
    assert due(database, NOW + 10**6) == []
    with database.writing() as tx:
        assert retry(tx, Chosen(dead=True), NOW + 1) == 1
    (again,) = claim(database, NOW + 1)
    assert (again.attempts, again.health.failures) == (1, 1)


def test_an_operator_chooses_by_id_by_receiver_or_by_death_and_never_what_is_being_sent(database: Database) -> None:
    put(database, 2)
    put(database, 2, "other")
    dead, sent = claim(database)
    with database.writing() as tx:
        outbox.bury(tx, dead, "status 400", NOW)
        assert [one.message_id for one in letters(tx, Chosen(dead=True), limit=9)] == [dead.message_id]
        assert len(letters(tx, Chosen(receiver="other"), limit=9)) == 2
        assert len(letters(tx, Chosen(), limit=3)) == 3
        assert retry(tx, Chosen(ids=(sent.message_id,)), NOW) == 0
        assert [one.receiver for one in drop(tx, Chosen(receiver="other"))] == ["other"] * 2
        assert drop(tx, Chosen(ids=(sent.message_id,), dead=True)) == []
        assert waiting_and_dead(tx) == (1, 1)


def test_a_client_that_is_named_like_another_kinds_receiver_has_a_health_of_its_own(database: Database) -> None:
    with database.writing() as tx:
        outbox.put(tx, [Message(Kind.BACKCHANNEL_LOGOUT, "bridge"), Message(Kind.CLOSE_REST, "bridge")], NOW)
    fail(database, Lane(Kind.BACKCHANNEL_LOGOUT, "bridge").name)
    assert due(database) == [Lane(Kind.CLOSE_REST, "bridge")]


def test_kinds_that_nobody_here_carries_are_left_to_others(database: Database) -> None:
    put(database)
    with database.writing() as tx:
        outbox.put(tx, [Message(Kind.REREAD_USER, "x")], NOW)
        assert outbox.due(tx, [Kind.CLOSE_REST], NOW) == []
        assert outbox.due(tx, [Kind.REREAD_USER], NOW) == [Lane(Kind.REREAD_USER, "x")]


def test_dead_letters_are_forgotten_with_the_audit_log(database: Database) -> None:
    put(database, 2)
    (mine, _) = claim(database)
    with database.writing() as tx:
        outbox.bury(tx, mine, "status 400", NOW)
    assert sweep(database, NOW + 86400, audit_retention=86400)["outbox"] == 0
    assert sweep(database, NOW + 86401, audit_retention=86400)["outbox"] == 1
    with database.reading() as tx:
        assert waiting_and_dead(tx) == (1, 0)


@pytest.mark.parametrize("longest", [pace.PROBES, pace.ALONE])
def test_delays_double_up_to_a_limit_and_are_spread_by_a_fifth(longest: int, backend: str) -> None:
    full = [min(longest, pace.FIRST * 2**failures) for failures in range(20)]
    for failures, wanted in enumerate(full, 1):
        least, middle, most = (pace.delay(failures, chance, longest=longest) for chance in (0.0, 0.5, 1.0))
        assert (least, middle, most) == (round(wanted * 0.8), wanted, round(wanted * 1.2))
    assert pace.delay(10**9, 0.5, longest=longest) == longest


def test_a_refusal_is_tried_for_hours_and_what_fails_alone_for_days(backend: str) -> None:
    def spent(attempts: int) -> int:
        return sum(pace.delay(tries, 0.5, longest=pace.ALONE) for tries in range(1, attempts))

    assert 2 * 3600 < spent(pace.REFUSALS) < 3 * 3600
    assert 2.9 * 86400 < spent(pace.ATTEMPTS) < 3.3 * 86400


class Refusing:
    """A carrier whose receiver will not have anything."""

    def carry(self, message: Message, now: int) -> Result:
        return Result(Verdict.REFUSED, "status 400")

    def entry(self, message: Message, *, delivered: bool, attempts: int, error: str, now: int) -> AuditEntry | None:
        return None


def test_a_clock_that_was_set_back_costs_a_message_one_attempt_however_many_processes_notice(
    database: Database,
) -> None:
    clock = HeldClock(NOW + 3600)
    put(database, now=clock())
    processes = [
        Delivery(Turns(database), {Kind.BACKCHANNEL_LOGOUT: Refusing()}, clock) for _ in range(pace.REFUSALS + 4)
    ]
    for hour in (NOW + 3600, NOW, NOW - 3600):
        clock.now = hour
        for process in processes:
            process.run(once=True)
    (message,) = claim(database, clock() + 3600)
    assert message.attempts == 4, "one at each hour, and this one"
