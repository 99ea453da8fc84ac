"""Jobs beside the requests: done at their time, and of several instances by one where one is enough."""

import pytest
from conftest import HeldClock

from bridge.background import Background, Job
from bridge.clock import CLOCKS_DIFFER
from bridge.errors import Unavailable
from bridge.reasons import Reason
from bridge.store import Database, leases

pytestmark = pytest.mark.both_databases


def test_of_several_instances_one_does_a_shared_job_at_each_of_its_times(database: Database) -> None:
    clock, done = HeldClock(), list[str]()
    instances = [
        Background(database, [Job("sweep", 60, lambda _, name=name: done.append(name), shared=True)], clock)
        for name in "abc"
    ]
    for _ in range(5):
        clock.forward(60)
        for instance in instances:
            instance.run_due()
    assert len(done) == 5


def test_every_instance_does_what_is_its_own_and_nothing_before_its_time(database: Database) -> None:
    clock, done = HeldClock(), list[int]()
    instances = [Background(database, [Job("keys", 15, done.append)], clock) for _ in range(2)]
    for _ in range(3):
        clock.forward(5)
        for instance in instances:
            instance.run_due()
    assert done == [clock(), clock()]


def test_what_fails_keeps_nothing_else_from_being_done_and_is_tried_again(database: Database) -> None:
    clock, done = HeldClock(), list[int]()

    def away(_: int) -> None:
        raise Unavailable(Reason.DATABASE_UNAVAILABLE)

    def bug(_: int) -> None:
        raise KeyError

    background = Background(database, [Job("away", 10, away), Job("bug", 10, bug), Job("well", 10, done.append)], clock)
    for _ in range(2):
        clock.forward(10)
        background.run_due()
    assert len(done) == 2


def test_a_clock_that_was_set_back_does_not_put_a_job_off(database: Database) -> None:
    clock, done = HeldClock(), list[int]()
    background = Background(database, [Job("keys", 15, done.append)], clock)
    clock.forward(-3600)
    background.run_due()
    assert done == [clock()]


def test_a_lease_is_taken_once_and_again_when_it_is_over(database: Database) -> None:
    with database.writing() as tx:
        assert leases.take(tx, "sweep", 100, seconds=50)
        assert not leases.take(tx, "sweep", 149, seconds=50)
        assert leases.take(tx, "other", 149, seconds=50)
        assert leases.take(tx, "sweep", 150, seconds=50)


def test_it_tells_when_each_job_was_last_done_and_which_failed(database: Database) -> None:
    clock, failed = HeldClock(), list[str]()
    began = clock()

    def away(_: int) -> None:
        raise Unavailable(Reason.DATABASE_UNAVAILABLE)

    listed = [Job("well", 10, lambda _: None), Job("away", 10, away), Job("keys", 10, lambda _: None)]
    listed += [Job("keys", 60, lambda _: None), Job("shared", 10, lambda _: None, shared=True)]
    background = Background(database, listed, clock, failed=failed.append)
    with database.writing() as tx:
        assert leases.take(tx, "shared", clock(), seconds=1000)  # another process has it, and sees to it
    clock.forward(20)
    background.run_due()
    assert failed == ["away"]
    assert background.done_at() == {"well": clock(), "away": began, "keys": began, "shared": clock()}


def test_a_thread_that_has_not_looked_for_ten_minutes_hangs(database: Database) -> None:
    clock = HeldClock()
    background = Background(database, [], clock)
    clock.forward(600)
    assert background.problem(clock()) is None
    clock.forward(1)
    assert background.problem(clock()) == "hangs"
    background.run_due()
    assert background.problem(clock()) is None


def test_a_lease_from_before_the_clock_was_set_back_binds_nobody(database: Database) -> None:
    with database.writing() as tx:
        assert leases.take(tx, "sweep", 10_000, seconds=50)
        assert not leases.take(tx, "sweep", 10_000 - CLOCKS_DIFFER, seconds=50), "a clock that is behind"
        assert leases.take(tx, "sweep", 10_000 - 3600, seconds=50)
        assert not leases.take(tx, "sweep", 10_000 - 3551, seconds=50)
        assert leases.take(tx, "sweep", 10_000 - 3550, seconds=50)
