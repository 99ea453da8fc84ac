"""What most commands begin with: the configuration, or every fault of it in words."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from bridge.config.settings import Config, ConfigFaults
from bridge.errors import Unavailable

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
        try:
            command(config=config, **options)
        except Unavailable as unavailable:
            fail(f"{unavailable.reason.means} ({unavailable.detail})")

    return wrapped


def read_config(env_file: Path | None) -> Config:
    """The configuration of this process; exits 1 with every fault."""
    from bridge.config.sources import load

    try:
        return load(os.environ, env_file=env_file)
    except ConfigFaults as faults:
        count = len(faults.faults)
        click.secho(f"The configuration has {count} fault{'s' if count > 1 else ''}:", fg="red", err=True)
        for fault in faults.faults:
            say_fault(fault.setting, fault.problem, fault.mend)
        raise SystemExit(1) from None


def say_fault(where: str, problem: str, mend: str) -> None:
    """One fault, and what mends it, on stderr."""
    click.echo(f"  ✗ {where}: {problem}", err=True)
    click.secho(f"    → {mend}", dim=True, err=True)


def fail(message: str) -> NoReturn:
    """Say what went wrong, and exit 1."""
    click.secho(message, fg="red", err=True)
    raise SystemExit(1)
