"""Ids that we make are base64url: one in 64 begins with a dash, and is no option."""

import click
import pytest
from click.testing import CliRunner

from bridge.cli.audit import why
from bridge.cli.ids import TakesId
from bridge.cli.keys import retire
from bridge.cli.session import end


@click.command(cls=TakesId)
@click.argument("wanted")
@click.option("--limit", "-n", type=int, default=5)
@click.option("--json", "as_json", is_flag=True)
def command(wanted: str, limit: int, as_json: bool) -> None:
    """A command."""
    click.echo(f"{wanted} {limit} {as_json}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-Pabc"], "-Pabc 5 False"),
        (["--abc", "--json"], "--abc 5 True"),
        (["--json", "-h_n", "--limit", "7"], "-h_n 7 True"),
        (["-n", "7", "-x=y"], "-x=y 7 False"),
        (["--limit=7", "abc"], "abc 7 False"),
        (["--json", "--", "--json"], "--json 5 True"),
    ],
)
def test_an_id_may_begin_with_a_dash(words: list[str], said: str) -> None:
    told = CliRunner().invoke(command, words)
    assert (told.exit_code, told.output.strip()) == (0, said)


def test_help_and_what_is_missing_are_told_as_ever() -> None:
    assert "A command." in CliRunner().invoke(command, ["--help"]).output
    assert CliRunner().invoke(command, []).exit_code == 2
    assert CliRunner().invoke(command, ["-a", "-b"]).exit_code == 2


@pytest.mark.parametrize("taken", [why, end, retire], ids=["audit why", "session end", "keys retire"])
def test_the_commands_that_take_such_an_id_do(taken: click.Command) -> None:
    assert isinstance(taken, TakesId)
