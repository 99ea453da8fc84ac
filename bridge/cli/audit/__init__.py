"""`oidc-bridge audit`: what happened, in words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import click

from bridge.cli.audit.chain import Link, grant_chain, session_chain
from bridge.cli.configured import configured, fail, moment, opened
from bridge.cli.ids import TakesId
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.history import AuditEntry, Cause, Event
from bridge.store import Tx, grants, sessions, users
from bridge.store import audit as entries
from bridge.store.grants import KeptGrant
from bridge.store.sessions import KeptSession

_STATES = {
    "unspent": "",
    "just_spent": " with a token that had just been spent: the newest of its family was returned",
    "unfollowed": " with a spent token whose successor was never used: that successor was returned",
}


OfUsers = Mapping[str, Sequence[AuditEntry]]
"""Every entry about some users, oldest first, by sub."""


@click.group()
def audit() -> None:
    """What happened, and why something ended."""


@audit.command(cls=TakesId)
@click.argument("wanted", metavar="SUB|SID|GRANT|SESSION")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Newest entries shown.")
@click.option("--json", "as_json", is_flag=True)
@configured
def why(config: Config, wanted: str, limit: int, as_json: bool) -> None:
    """Tell what became of a user (sub), a client's session (sid), a grant or a browser's session, and what ended it:
    step by step, back to who or what began it.
    """
    now = system_clock()
    with opened(config) as database, database.reading() as tx:
        found, browsers = grants.matching(tx, wanted), sessions.matching(tx, wanted)
        of_users = {sub: entries.every_of_user(tx, sub) for sub in _subs(found, browsers)}
        history = _history(tx, wanted, of_users, limit)
        chains = _chains(found, browsers, of_users)
        user = users.by_sub(tx, wanted)
    if not found and not browsers and not history and user is None:
        fail("Nothing is known by that sub, sid, grant or session.")
    if as_json:
        document = {
            "grants": [asdict(grant) for grant in found],
            "sessions": [asdict(browser) for browser in browsers],
            "because": {ended: [asdict(link) for link in chain] for ended, chain in chains.items()},
            "entries": [entry.as_json() for entry in history],
        }
        click.echo(json.dumps(document, indent=2))
        return
    if user is not None and user.disabled:
        click.echo(f"User {user.sub} is disabled.")
    verdicts = {browser.session_id: _session_verdict(browser, now) for browser in browsers}
    verdicts |= {grant.grant_id: _verdict(grant, now) for grant in found}
    for which, verdict in verdicts.items():
        click.echo(verdict)
        for link in chains.get(which, ()):
            click.echo(f"  {link}")
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
        click.echo(json.dumps([entry.as_json() for entry in history], indent=2))
        return
    for entry in history:
        about = entry.sub or entry.client_id or entry.detail.get("kid", "")
        click.echo(f"{moment(entry.at)}  {_sentence(entry)}  {about}".rstrip())


def _history(tx: Tx, wanted: str, of_users: OfUsers, limit: int) -> list[AuditEntry]:
    """The entries about what was asked for; of a grant or session, what befell its user as a whole is told too."""
    history = entries.concerning(tx, wanted, limit=limit)
    if wanted not in of_users:
        whole = [entry for of_user in of_users.values() for entry in of_user if entry.client_id is None]
        history = sorted([*history, *whole], key=lambda entry: entry.at)[-limit:]
    return history


def _subs(found: Sequence[KeptGrant], browsers: Sequence[KeptSession]) -> set[str]:
    return {grant.sub for grant in found} | {browser.sub for browser in browsers}


def _chains(found: Sequence[KeptGrant], browsers: Sequence[KeptSession], of_users: OfUsers) -> dict[str, list[Link]]:
    """By the id of what ended, how it came to it."""
    chains = {grant.grant_id: grant_chain(grant, of_users[grant.sub]) for grant in found}
    chains |= {one.session_id: session_chain(one.session_id, of_users[one.sub]) for one in browsers}
    return {ended: chain for ended, chain in chains.items() if chain}


def _session_verdict(browser: KeptSession, now: int) -> str:
    head = f"Session {browser.session_id} of a browser for {browser.sub}, opened {moment(browser.opened_at)},"
    return f"{head} {_end(browser.closed_at, browser.closed_cause, browser.ends_at, now)}"


def _end(closed_at: int | None, cause: str | None, ends_at: int, now: int) -> str:
    if closed_at is not None:
        causes = {known.word: known.sentence for known in Cause}
        return f"ended {moment(closed_at)}: {causes.get(str(cause), cause)}."
    if ends_at <= now:
        return f"ended {moment(ends_at)}: its time was over."
    return f"is open until {moment(ends_at)}."


def _verdict(grant: KeptGrant, now: int) -> str:
    """What state a grant is in, and why."""
    head = f"Grant {grant.grant_id} of client {grant.client_id} for {grant.sub}, opened {moment(grant.opened_at)},"
    return f"{head} {_end(grant.closed_at, grant.closed_cause, grant.expires_at, now)}"


def _sentence(entry: AuditEntry) -> str:
    told = entry.event.sentence.format(actor=entry.actor)
    if entry.event is Event.REFRESHED:
        told += _STATES.get(str(entry.detail.get("state")), "")
    if entry.event is Event.ISSUED:
        told += f" by {str(entry.detail.get('grant_type')).rpartition(':')[2]}"
    if entry.cause is not None:
        told += f": {entry.cause.sentence}"
    return told if entry.actor in told else f"{told} (by {entry.actor})"
