"""`oidc-bridge user`: the people who were here."""

import json
from collections.abc import Callable
from typing import NoReturn, TypeVar

import click

from bridge.cli.configured import configured, fail, opened
from bridge.cli.person import lines_of, redacted, state_of
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.history import OPERATOR
from bridge.lifecycle.disclosure import as_document, record_of
from bridge.lifecycle.endings import disable_user, enable_user, erase_user, revoke_user
from bridge.store import Tx, users

Answer = TypeVar("Answer")


@click.group()
def user() -> None:
    """People who were here, by the sub of their tokens (not a pairwise one)."""


@user.command()
@click.argument("sub")
@click.option("--full", is_flag=True, help="E-mail addresses, phone numbers and wallets as they are.")
@click.option("--json", "as_json", is_flag=True)
@configured
def show(config: Config, sub: str, full: bool, as_json: bool) -> None:
    """Who the user with SUB is, where they are signed in, and which apps have what of them."""
    with opened(config) as database, database.reading() as tx:
        found = users.by_sub(tx, sub)
        if found is None:
            _unknown()
        record = record_of(tx, found)
    if not full:
        record = redacted(record)
    if as_json:
        document = {**as_document(record), "state": state_of(record.user)}
        del document["history"]  # which `audit why` tells
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for line in lines_of(record, system_clock()):
        click.echo(line)


@user.command()
@click.argument("sub")
@configured
def disable(config: Config, sub: str) -> None:
    """Switch the user with SUB off, and end all they have: every grant and every token, at once and for good."""
    _say(_done(config, lambda tx, now: disable_user(tx, sub, actor=OPERATOR, now=now)))


@user.command()
@click.argument("sub")
@configured
def enable(config: Config, sub: str) -> None:
    """Let the user with SUB sign in again."""
    if not _done(config, lambda tx, now: enable_user(tx, sub, actor=OPERATOR, now=now)):
        _unknown()


@user.command()
@click.argument("sub")
@configured
def revoke(config: Config, sub: str) -> None:
    """Sign the user with SUB out everywhere: all that was issued until now ends, and so do the sign-ins behind it.

    What they have allowed apps stays allowed: signing out takes no consent back.
    """
    _say(_done(config, lambda tx, now: revoke_user(tx, sub, actor=OPERATOR, now=now)))


@user.command()
@click.argument("sub")
@configured
def erase(config: Config, sub: str) -> None:
    """Forget the profile and the consents of the user with SUB, and end all they have. It cannot be undone.

    The sub is kept, and never given to anybody else. Dynamic and the apps keep what they have.
    """
    _say(_done(config, lambda tx, now: erase_user(tx, sub, actor=OPERATOR, now=now)))


def _done(config: Config, verb: Callable[[Tx, int], Answer]) -> Answer:
    with opened(config) as database, database.writing() as tx:
        return verb(tx, system_clock())


def _say(ended: int | None) -> None:
    if ended is None:
        _unknown()
    click.echo(f"{ended} grant{'' if ended == 1 else 's'} ended.", err=True)


def _unknown() -> NoReturn:
    fail("There is no user with that sub.")
