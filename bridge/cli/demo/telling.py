"""How the demo tells its steps, and how it ends when one does not go as it must."""

import click


class DemoFailed(Exception):
    """A step did not end as it must. The text says which and how."""


def expect(met: bool, otherwise: str) -> None:
    if not met:
        raise DemoFailed(otherwise)


def chapter(what: str) -> None:
    click.secho(f"\n{what}\n", bold=True)


def step(what: str, detail: str = "") -> None:
    click.echo(f"  {click.style('✓', fg='green')} {what}")
    if detail:
        click.secho(f"      {detail}", dim=True)


def fact(name: str, value: str) -> None:
    click.echo(f"      {click.style(f'{name:<16}', dim=True)} {value}")


def peek(token: str) -> str:
    return f"{token[:24]}… ({len(token)} characters)"
