"""`oidc-bridge user`: the people who were here."""

import click

from bridge.cli.configured import configured, fail
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.store import Database, users


@click.group()
def user() -> None:
    """People who were here, by the sub of their tokens (not a pairwise one)."""


@user.command()
@click.argument("sub")
@configured
def disable(config: Config, sub: str) -> None:
    """Stop every grant and every token of the user with SUB, at once."""
    _set(config, sub, disabled=True)


@user.command()
@click.argument("sub")
@configured
def enable(config: Config, sub: str) -> None:
    """Let the user with SUB in again."""
    _set(config, sub, disabled=False)


def _set(config: Config, sub: str, *, disabled: bool) -> None:
    with Database(config.database_url) as database:
        database.check_schema()
        with database.writing() as tx:
            if not users.set_disabled(tx, sub, disabled=disabled, now=system_clock()):
                fail("There is no user with that sub.")
