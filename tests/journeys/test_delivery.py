"""Delivery as it runs: in `serve`, as `deliver`, beside slow receivers and while the database is away."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from conftest import Bridge
from databases import rows
from postgres import PostgresServer
from receiving import Receiver, claims_in, receiving
from served import Command, clean_environment, command_for, free_port

from bridge.delivery.deliver import Delivery
from bridge.emulator import RunningEmulator
from bridge.store import Database, outbox
from bridge.store.outbox import Kind, Message

SUB = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(receiving())


def owe(url: str, client_id: str, count: int = 1, *, now: int = 1_795_400_000) -> None:
    facts = {"sub": SUB}
    with Database(url) as database, database.writing() as tx:
        put = (Message(Kind.BACKCHANNEL_LOGOUT, client_id, {**facts, "sid": f"s{n}"}) for n in range(count))
        outbox.put(tx, put, now)


@contextmanager
def running(bridge: Bridge) -> Iterator[Delivery]:
    delivery: Delivery = bridge.http.application.extensions["bridge"].delivery(bridge.config, bridge.clock)
    thread = Thread(target=delivery.run)
    thread.start()
    try:
        yield delivery
    finally:
        delivery.stop()
        thread.join(20)
        assert not thread.is_alive()


def test_a_slow_receiver_holds_up_nobody_else(bridge: Bridge, receivers: Callable[[], Receiver]) -> None:
    slow = [receivers() for _ in range(4)]
    quick = receivers()
    for number, receiver in enumerate(slow):
        receiver.open.clear()
        bridge.add_client(f"slow{number}", backchannel_logout_uri=receiver.uri)
        owe(bridge.config.database_url, f"slow{number}", 20)
    bridge.add_client("quick", backchannel_logout_uri=quick.uri)
    with running(bridge):
        for receiver in slow:
            receiver.wait_for_arrivals(1)
        began = time.monotonic()
        owe(bridge.config.database_url, "quick", 20)
        quick.wait_for(20)
        assert time.monotonic() - began < 4.5, "before the first slow one has timed out"
        for receiver in slow:
            receiver.open.set()
    assert max(receiver.arrived for receiver in slow) <= 6


def test_delivery_that_is_stopped_finishes_what_it_sends_and_hands_the_rest_back(
    bridge: Bridge, receivers: Callable[[], Receiver]
) -> None:
    receiver = receivers()
    receiver.open.clear()
    bridge.add_client(backchannel_logout_uri=receiver.uri)
    owe(bridge.config.database_url, "app", 5)
    with running(bridge) as delivery:
        receiver.wait_for_arrivals(1)
        delivery.stop()
        receiver.open.set()
    left = bridge.rows("SELECT attempts, due_at FROM outbox")
    assert len(receiver.tokens) == receiver.arrived
    assert left == [(0, bridge.clock())] * (5 - receiver.arrived)


@pytest.fixture
def site(tmp_path: Path, dynamic: RunningEmulator, receivers: Callable[[], Receiver]) -> tuple[Command, Receiver]:
    """A bridge that is set up, with a client `app` that is told of endings."""
    command, receiver = command_for(tmp_path, dynamic), receivers()
    for words in (
        ("init", "--environment-id", dynamic.emulator.environment_id),
        ("client", "add", "app", "--public", f"--backchannel-logout-uri={receiver.uri}"),
    ):
        done = command(*words)
        assert done.returncode == 0, done.stderr
    return command, receiver


def test_an_operator_sets_and_unsets_where_a_client_is_told(site: tuple[Command, Receiver]) -> None:
    command, _ = site
    private = command("client", "update", "app", "--backchannel-logout-uri=https://10.0.0.1/x")
    assert (private.returncode, "not on the public Internet" in private.stderr) == (1, True)
    assert command("client", "update", "app", "--backchannel-logout-uri=", "--offline-survives-logout").returncode == 0
    shown = json.loads(command("client", "show", "app", "--json").stdout)
    assert (shown["backchannel_logout_uri"], shown["offline_survives_logout"]) == (None, True)


def database_of(command: Command) -> str:
    return f"sqlite:///{command.folder / 'bridge.db'}"


def started(command: Command, *words: str) -> "subprocess.Popen[str]":
    environ = {**clean_environment(), **command.environ}
    return subprocess.Popen(
        [*command.program, *words], cwd=command.folder, env=environ, stderr=subprocess.PIPE, text=True
    )


def test_the_server_delivers_soon_by_itself_once_though_it_has_two_workers(site: tuple[Command, Receiver]) -> None:
    command, receiver = site
    port = free_port()
    with command.serving("--port", str(port), "--workers", "2", url=f"http://localhost:{port}"):
        owe(database_of(command), "app", 10)
        receiver.wait_for(10, timeout=10)
    assert sorted(claims_in(token)["sid"] for token in receiver.tokens) == sorted(f"s{n}" for n in range(10))
    assert rows(database_of(command), "SELECT count(*) FROM outbox") == [(0,)]


def test_the_server_leaves_it_to_deliver_where_the_setting_says_so(site: tuple[Command, Receiver]) -> None:
    command, receiver = site
    port = free_port()
    owe(database_of(command), "app", 3)
    environ = {**command.environ, "BRIDGE_DELIVERY": "off"}
    silent = Command(command.folder, environ)
    with silent.serving("--port", str(port), url=f"http://localhost:{port}"):
        done = silent("deliver", "--once")
        assert (done.returncode, len(receiver.tokens)) == (0, 3), done.stderr
        owe(database_of(command), "app", 1)
        assert not receiver.comes(4, within=1.5)


def test_deliver_ends_by_sigterm_when_what_it_sends_is_done(site: tuple[Command, Receiver]) -> None:
    command, receiver = site
    receiver.open.clear()
    owe(database_of(command), "app", 5)
    running = started(command, "deliver")
    receiver.wait_for_arrivals(1)
    running.send_signal(signal.SIGTERM)
    receiver.open.set()
    _, said = running.communicate(timeout=20)
    assert running.returncode == 0, said
    assert len(receiver.tokens) == receiver.arrived
    assert rows(database_of(command), "SELECT count(*), max(attempts) FROM outbox") == [(5 - receiver.arrived, 0)]


def test_an_operator_sees_what_waits_and_tries_again_or_drops_it(site: tuple[Command, Receiver]) -> None:
    command, receiver = site
    receiver.status = 500
    owe(database_of(command), "app", 3)
    assert command("deliver", "--once").returncode == 0
    listed = json.loads(command("outbox", "list", "--json").stdout)
    assert (listed["waiting"], listed["dead"]) == (3, 0)
    tried = [one for one in listed["messages"] if one["attempts"]]
    assert [(one["kind"], one["receiver"], one["last_error"]) for one in tried] == [
        ("backchannel_logout", "app", "status 500")
    ]
    (health,) = listed["receivers"]
    assert (health["receiver"], health["failures"], health["last_error"]) == ("backchannel_logout:app", 1, "status 500")
    shown = command("outbox", "list", "--receiver", "app")
    assert "fails since" in shown.stdout
    assert "3 waiting" in shown.stderr
    assert command("outbox", "list", "--dead").stdout.count("backchannel_logout  ") == 0
    receiver.status = 200
    assert command("outbox", "retry").returncode == 1
    assert "1 message will" in command("outbox", "retry", str(tried[0]["id"])).stderr
    dropped = command("outbox", "drop", str(listed["messages"][-1]["id"]))
    assert "1 message dropped" in dropped.stderr
    assert command("deliver", "--once").returncode == 0
    assert len(receiver.tokens) == 2
    told = command("audit", "list").stdout
    assert told.count("the client was told that the session has ended") == 2
    assert told.count("could not be told that the session has ended (by operator)") == 1


@pytest.mark.only_postgresql
def test_delivery_outlives_an_outage_of_the_database(
    make_bridge: Any,
    own_postgresql: PostgresServer,
    receivers: Callable[[], Receiver],
    caplog: pytest.LogCaptureFixture,
) -> None:
    bridge: Bridge = make_bridge(BRIDGE_DATABASE_URL=own_postgresql.url())
    receiver = receivers()
    bridge.add_client(backchannel_logout_uri=receiver.uri)
    with running(bridge):
        owe(own_postgresql.url(), "app", 3)
        receiver.wait_for(3)
        own_postgresql.stop()
        give_up_at = time.monotonic() + 20
        while "delivery waits for the database" not in caplog.text and time.monotonic() < give_up_at:
            time.sleep(0.05)
        assert "delivery waits for the database" in caplog.text
        own_postgresql.start()
        owe(own_postgresql.url(), "app", 3)
        receiver.wait_for(6)
