"""`oidc-bridge audit`: what happened, in words."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from bridge.cli.configured import configured, fail, moment, opened
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.history import AuditEntry, Cause, Event
from bridge.store import Tx, grants, users
from bridge.store import audit as entries
from bridge.store.grants import KeptGrant

_STATES = {
    "unspent": "",
    "just_spent": " with a token that had just been spent: the newest of its family was returned",
    "unfollowed": " with a spent token whose successor was never used: that successor was returned",
}


@click.group()
def audit() -> None:
    """What happened, and why something ended."""


@audit.command()
@click.argument("wanted", metavar="SUB|SID|GRANT")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Newest entries shown.")
@click.option("--json", "as_json", is_flag=True)
@configured
def why(config: Config, wanted: str, limit: int, as_json: bool) -> None:
    """Tell what became of a user (sub), a client's session (sid) or a grant, and what ended it."""
    now = system_clock()
    with opened(config) as database, database.reading() as tx:
        found = grants.matching(tx, wanted)
        history = _history(tx, wanted, found, limit)
        user = users.by_sub(tx, wanted)
    if not found and not history and user is None:
        fail("Nothing is known by that sub, sid or grant.")
    if as_json:
        document = {"grants": [asdict(grant) for grant in found], "entries": [_plain(entry) for entry in history]}
        click.echo(json.dumps(document, indent=2))
        return
    if user is not None and user.disabled:
        click.echo(f"User {user.sub} is disabled.")
    for grant in found:
        click.echo(_verdict(grant, now))
    for entry in history:
        click.echo(f"  {moment(entry.at)}  {_sentence(entry)}")


@audit.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Newest entries shown.")
@click.option("--json", "as_json", is_flag=True)
@configured
def list_(config: Config, limit: int, as_json: bool) -> None:
    """The newest entries, whomever they are about; those of signing keys and settings among them."""
    with opened(config) as database, database.reading() as tx:
        history = entries.newest(tx, limit=limit)
    if as_json:
        click.echo(json.dumps([_plain(entry) for entry in history], indent=2))
        return
    for entry in history:
        about = entry.sub or entry.client_id or entry.detail.get("kid", "")
        click.echo(f"{moment(entry.at)}  {_sentence(entry)}  {about}".rstrip())


def _history(tx: Tx, wanted: str, found: Sequence[KeptGrant], limit: int) -> list[AuditEntry]:
    """The entries about what was asked for; of a grant or sid, what befell its user as a whole is told too."""
    history = entries.concerning(tx, wanted, limit=limit)
    if wanted not in {grant.sub for grant in found}:
        of_users = [entry for sub in {grant.sub for grant in found} for entry in entries.about_user(tx, sub)]
        history = sorted([*history, *of_users], key=lambda entry: entry.at)[-limit:]
    return history


def _verdict(grant: KeptGrant, now: int) -> str:
    """What state a grant is in, and why."""
    head = f"Grant {grant.grant_id} of client {grant.client_id} for {grant.sub}, opened {moment(grant.opened_at)},"
    if grant.closed_at is not None:
        causes = {cause.word: cause.sentence for cause in Cause}
        return f"{head} ended {moment(grant.closed_at)}: {causes.get(str(grant.closed_cause), grant.closed_cause)}."
    if grant.expires_at <= now:
        return f"{head} ended {moment(grant.expires_at)}: its time was over."
    return f"{head} is open until {moment(grant.expires_at)}."


def _sentence(entry: AuditEntry) -> str:
    told = entry.event.sentence.format(actor=entry.actor)
    if entry.event is Event.REFRESHED:
        told += _STATES.get(str(entry.detail.get("state")), "")
    if entry.event is Event.ISSUED:
        told += f" by {str(entry.detail.get('grant_type')).rpartition(':')[2]}"
    if entry.cause is not None:
        told += f": {entry.cause.sentence}"
    return told if entry.actor in told else f"{told} (by {entry.actor})"


def _plain(entry: AuditEntry) -> dict[str, Any]:
    cause = entry.cause.word if entry.cause is not None else None
    return {**asdict(entry), "event": entry.event.word, "cause": cause}
