"""`oidc-bridge user`: the people who were here."""

from collections.abc import Callable
from typing import TypeVar

import click

from bridge.cli.configured import configured, fail, opened
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.history import OPERATOR
from bridge.lifecycle.endings import disable_user, enable_user, revoke_user
from bridge.store import Tx

Answer = TypeVar("Answer")


@click.group()
def user() -> None:
    """People who were here, by the sub of their tokens (not a pairwise one)."""


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
    """Sign the user with SUB out everywhere: all that was issued until now ends, and so do the sign-ins behind it."""
    _say(_done(config, lambda tx, now: revoke_user(tx, sub, actor=OPERATOR, now=now)))


def _done(config: Config, verb: Callable[[Tx, int], Answer]) -> Answer:
    with opened(config) as database, database.writing() as tx:
        return verb(tx, system_clock())


def _say(ended: int | None) -> None:
    if ended is None:
        _unknown()
    click.echo(f"{ended} grant{'' if ended == 1 else 's'} ended.", err=True)


def _unknown() -> None:
    fail("There is no user with that sub.")
