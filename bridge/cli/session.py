"""`oidc-bridge session`: browsers that are signed in."""

import json

import click

from bridge.cli.configured import configured, fail, opened
from bridge.cli.ids import TakesId
from bridge.cli.person import line_of
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.history import OPERATOR, Cause
from bridge.lifecycle.disclosure import KEPT, session_document
from bridge.lifecycle.endings import end_session_known_as
from bridge.store import devices, users


@click.group()
def session() -> None:
    """Browsers that are signed in."""


@session.command("list")
@click.argument("sub")
@click.option("--json", "as_json", is_flag=True)
@configured
def list_(config: Config, sub: str, as_json: bool) -> None:
    """Where the user with SUB is signed in now, the newest first."""
    with opened(config) as database, database.reading() as tx:
        user = users.by_sub(tx, sub)
        if user is None:
            fail("There is no user with that sub.")
        found = devices.open_devices(tx, user, system_clock(), limit=KEPT)
    if as_json:
        click.echo(json.dumps([session_document(device) for device in found], indent=2))
        return
    for device in found:
        click.echo(line_of(device))


@session.command(cls=TakesId)
@click.argument("wanted", metavar="SESSION_ID|SID")
@configured
def end(config: Config, wanted: str) -> None:
    """End one session, with every grant that came of it, and let its clients be told.

    Named by the id that `session list` shows, or by the sid that a client knows it by.
    """
    with opened(config) as database, database.writing() as tx:
        now = system_clock()
        ended = end_session_known_as(tx, wanted, actor=OPERATOR, now=now, cause=Cause.ENDED_BY_OPERATOR)
    if not ended:
        fail("There is no open session with that id or sid.")
    click.echo("The session has ended.", err=True)
