"""What the demo plays on, and how it talks: plain HTTP, and our own commands."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import click

from bridge.emulator import RunningEmulator, User


class DemoFailed(Exception):
    """A step did not end as it must. The text says which and how."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the run plays on."""

    folder: Path
    issuer: str
    client_id: str
    client_secret: str
    dynamic: RunningEmulator
    user: User

    def as_client(self, **form: str) -> Mapping[str, str]:
        """A form that the client sends with its credentials."""
        return {"client_id": self.client_id, "client_secret": self.client_secret, **form}


def bridge_command(folder: Path, dynamic: RunningEmulator, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "bridge.cli", *words],
        cwd=folder,
        env=environment(dynamic),
        capture_output=True,
        text=True,
        check=False,
    )


def environment(dynamic: RunningEmulator) -> dict[str, str]:
    """The environment of our own commands: this one's without settings of a real bridge, Dynamic's API the emulator."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "DYNAMIC_", "NEXT_"))}
    return {**mine, "DYNAMIC_API_BASE_URL": dynamic.base_url}


def get(url: str, bearer: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    status, document = _send(Request(url, headers=headers))  # noqa: S310 - our own server
    expect(status == 200, f"{url} answered {status}: {document}")
    return document


def post(url: str, form: Mapping[str, str]) -> tuple[int, Any]:
    return _send(Request(url, data=urlencode(form).encode()))  # noqa: S310 - our own server


def _send(request: Request) -> tuple[int, Any]:
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def expect(met: bool, otherwise: str) -> None:
    if not met:
        raise DemoFailed(otherwise)


def step(what: str, detail: str) -> None:
    click.echo(f"  {click.style('✓', fg='green')} {what}")
    if detail:
        click.secho(f"      {detail}", dim=True)


def peek(token: str) -> str:
    return f"{token[:24]}… ({len(token)} characters)"
