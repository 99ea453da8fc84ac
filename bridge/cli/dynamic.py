"""`oidc-bridge dynamic`: questions to Dynamic itself."""

import sys

import click

from bridge.cli.configured import configured
from bridge.config.settings import Config

_MAX_INPUT = 128 * 1024


@click.group()
def dynamic() -> None:
    """Ask Dynamic."""


@dynamic.command()
@configured
def probe(config: Config) -> None:
    """Ask live Dynamic what its documentation leaves open; prints each question with its answer.

    Reads up to two JWTs of a test account from standard input, one a line: the large and the small token of one
    sign-in, or one from before and one from after a refresh. The output holds no token and no personal data.
    """
    from bridge.dynamic.probe import answers
    from bridge.fetch import Fetcher

    tokens = [line.strip() for line in sys.stdin.read(_MAX_INPUT).splitlines() if line.strip()][:2]
    fetcher = Fetcher(development=config.development)
    for question, answer in answers(config.environments[0], fetcher, tokens):
        click.echo(f"{question:<48} {answer}")
    fetcher.close()
