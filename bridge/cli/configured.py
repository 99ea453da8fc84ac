"""What most commands begin with: the configuration, or every fault of it in words."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from bridge.config.settings import Config, ConfigFaults, Fault
from bridge.errors import SchemaNewer, SchemaOld, SealBroken, Unavailable
from bridge.store import Database

env_file_option = click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    help="Read settings from this file too (default: ./bridge.env if it exists). A NextAuth .env.local will do.",
)


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its `config`; exit 1 with every fault if it is not safe to use."""

    @env_file_option
    @functools.wraps(command)
    def wrapped(env_file: Path | None, **options: Any) -> None:
        config = read_config(env_file)
        with explained():
            command(config=config, **options)

    return wrapped


@contextmanager
def explained() -> Iterator[None]:
    """What stops a command for the database's sake, in words; exits 1."""
    try:
        yield
    except SchemaOld:
        fail("The database's schema is missing or old. Run: oidc-bridge db upgrade")
    except SchemaNewer:
        fail("The database's schema is newer than this program. Run the newer version.")
    except SealBroken:
        fail("The database was sealed under other BRIDGE_SECRET_KEYS. Set the keys that it was made with.")
    except Unavailable as unavailable:
        fail(f"{unavailable.reason.means} ({unavailable.detail})")


@contextmanager
def opened(config: Config) -> Iterator[Database]:
    """The configured database, whose schema is the right one."""
    with Database(config.database_url) as database:
        database.check_schema()
        yield database


def moment(at: int) -> str:
    """A time as people read it, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def read_config(env_file: Path | None) -> Config:
    """The configuration of this process; exits 1 with every fault."""
    from bridge.config.sources import load

    try:
        return load(os.environ, env_file=env_file)
    except ConfigFaults as faults:
        count = len(faults.faults)
        click.secho(f"The configuration has {count} fault{'s' if count > 1 else ''}:", fg="red", err=True)
        say_faults(faults.faults)
        raise SystemExit(1) from None


def say_faults(faults: Iterable[Fault]) -> None:
    """Each fault, and what mends it, on stderr."""
    for fault in faults:
        click.echo(f"  ✗ {fault.setting}: {fault.problem}", err=True)
        click.secho(f"    → {fault.mend}", dim=True, err=True)


def fail(message: str) -> NoReturn:
    """Say what went wrong, and exit 1."""
    click.secho(message, fg="red", err=True)
    raise SystemExit(1)
