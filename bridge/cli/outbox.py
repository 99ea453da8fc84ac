"""`oidc-bridge outbox`: what has still to be told to others, and what could not be."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from bridge.cli.configured import configured, fail, moment, opened
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.history import OPERATOR, AuditEntry, Event
from bridge.store import audit, dead_letters, receivers
from bridge.store.dead_letters import Chosen, Letter
from bridge.store.outbox import Kind
from bridge.store.receivers import Health


def _chosen(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.argument("ids", metavar="[ID]...", type=int, nargs=-1),
        click.option("--receiver", help="Every message to this client."),
        click.option("--dead", is_flag=True, help="Every message that was given up."),
    ):
        command = option(command)
    return command


@click.group()
def outbox() -> None:
    """What has still to be told to others, and what could not be (docs/back-channel-logout.md)."""


@outbox.command("list")
@click.option("--receiver", help="Only messages to this client.")
@click.option("--dead", is_flag=True, help="Only those that were given up.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Oldest messages shown.")
@click.option("--json", "as_json", is_flag=True)
@configured
def list_(config: Config, receiver: str | None, dead: bool, limit: int, as_json: bool) -> None:
    """Each message that waits or was given up, and how its receiver is."""
    with opened(config) as database, database.reading() as tx:
        found = dead_letters.letters(tx, Chosen(receiver=receiver, dead=dead), limit=limit)
        backlog = dead_letters.backlog(tx)
        known = [one for one in receivers.every(tx) if receiver in (None, one.receiver.partition(":")[2])]
    if as_json:
        document = {
            "waiting": backlog.waiting,
            "dead": backlog.dead,
            "messages": [{"id": one.message_id, **_plain(one)} for one in found],
            "receivers": [asdict(health) for health in known],
        }
        click.echo(json.dumps(document, indent=2))
        return
    for one in found:
        click.echo(_message_line(one))
    for health in known:
        click.echo(_health_line(health))
    click.echo(f"{backlog.waiting} waiting, {backlog.dead} given up.", err=True)


@outbox.command()
@_chosen
@configured
def retry(config: Config, ids: tuple[int, ...], receiver: str | None, dead: bool) -> None:
    """Try messages again now, given up ones too: by ID, of one --receiver, or all that are --dead."""
    chosen = _must_choose(ids, receiver, dead=dead)
    with opened(config) as database, database.writing() as tx:
        count = dead_letters.retry(tx, chosen, system_clock())
    click.echo(f"{count} message{'' if count == 1 else 's'} will be tried again.", err=True)


@outbox.command()
@_chosen
@configured
def drop(config: Config, ids: tuple[int, ...], receiver: str | None, dead: bool) -> None:
    """Give messages up for good: by ID, of one --receiver, or all that are --dead."""
    chosen, now = _must_choose(ids, receiver, dead=dead), system_clock()
    with opened(config) as database, database.writing() as tx:
        dropped = dead_letters.drop(tx, chosen)
        logouts = [one for one in dropped if one.kind == Kind.BACKCHANNEL_LOGOUT.value]
        audit.record_all(tx, (_dropped(one, now) for one in logouts))
    click.echo(f"{len(dropped)} message{'' if len(dropped) == 1 else 's'} dropped.", err=True)


def _must_choose(ids: tuple[int, ...], receiver: str | None, *, dead: bool) -> Chosen:
    if not (ids or receiver or dead):
        fail("Say which: an ID of `oidc-bridge outbox list`, --receiver, or --dead.")
    return Chosen(ids, receiver, dead)


def _dropped(letter: Letter, now: int) -> AuditEntry:
    return AuditEntry(
        at=now,
        event=Event.LOGOUT_UNDELIVERED,
        actor=OPERATOR,
        client_id=letter.receiver,
        sub=letter.facts.get("sub"),
        sid=letter.facts.get("sid"),
        detail={"attempts": letter.attempts, "error": "dropped"},
    )


def _plain(letter: Letter) -> dict[str, Any]:
    return {name: value for name, value in asdict(letter).items() if name != "message_id"}


def _message_line(letter: Letter) -> str:
    tried = f"tried {letter.attempts} times" if letter.attempts else "not tried yet"
    why = f" ({letter.last_error})" if letter.last_error else ""
    state = f"due {moment(letter.due_at)}" if letter.dead_at is None else f"given up {moment(letter.dead_at)}"
    return f"{letter.message_id:>8}  {letter.kind:<20}  {letter.receiver:<24}  {state}, {tried}{why}"


def _health_line(health: Health) -> str:
    if health.failing_since is None:
        told = "" if health.delivered_at is None else f", took one {moment(health.delivered_at)}"
        return f"{health.receiver}: answers{told}"
    again = "" if health.retry_at is None else f"; asked again {moment(health.retry_at)}"
    return f"{health.receiver}: fails since {moment(health.failing_since)} ({health.last_error}){again}"
