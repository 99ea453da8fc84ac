"""`oidc-bridge dynamic`: questions to Dynamic itself, what happened there, and its webhooks."""

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from bridge.cli.configured import configured, fail, opened
from bridge.config.settings import Config
from bridge.errors import FetchFailed
from bridge.fetch import Fetcher
from bridge.model import Environment

_MAX_INPUT = 128 * 1024
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_SETTING = "DYNAMIC_WEBHOOK_SECRETS"

Answer = TypeVar("Answer")
Command = TypeVar("Command", bound=Callable[..., Any])


def _environment_option(command: Command) -> Command:
    return click.option("--environment", metavar="ID", help="A Dynamic environment (default: the first one).")(command)


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

    tokens = [line.strip() for line in sys.stdin.read(_MAX_INPUT).splitlines() if line.strip()][:2]
    fetcher = Fetcher(development=config.development)
    for question, answer in answers(config.environments[0], fetcher, tokens):
        click.echo(f"{question:<48} {answer}")
    fetcher.close()


@dynamic.command()
@click.option("--since", default="3d", show_default=True, help="How far back: 90m, 12h, 3d, or a date like 2026-11-20.")
@_environment_option
@configured
def sync(config: Config, since: str, environment: str | None) -> None:
    """Catch up with what happened at Dynamic, from its event log, as its webhooks would have told it.

    For after an outage, and harmless at any time. Needs the API token, with the scope environment.events.read.
    """
    from bridge.clock import system_clock
    from bridge.parts import dynamic_events

    now, chosen = system_clock(), _chosen(config, environment)
    start = _moment(since, now)
    with opened(config) as database:
        synced = _asked(
            config,
            lambda fetcher: dynamic_events(config, database, fetcher).sync(chosen.environment_id, since=start, now=now),
        )
    click.echo(f"{synced.entries} events, {synced.news} of them news.")
    if synced.unreadable:
        click.secho(f"{synced.unreadable} entries were no events that could be read.", fg="yellow", err=True)


@dynamic.group()
def webhook() -> None:
    """The environment's webhooks at Dynamic. Needs the API token, with the scope environment.webhooks.read or write."""


@webhook.command("list")
@_environment_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@configured
def webhook_list(config: Config, environment: str | None, as_json: bool) -> None:
    """The webhooks that the environment has, wherever they lead."""
    from bridge.dynamic.management import webhooks

    chosen = _chosen(config, environment)
    found = _asked(config, lambda fetcher: webhooks(chosen, fetcher))
    shown = [{name: one.get(name) for name in ("webhookId", "url", "isEnabled", "events")} for one in found]
    if as_json:
        click.echo(json.dumps(shown))
        return
    for one in shown:
        click.echo(f"{one['webhookId']}  {'on ' if one['isEnabled'] else 'off'}  {one['url']}")


@webhook.command("create")
@click.option("--url", help="Where it leads (default: this bridge's own endpoint).")
@click.option("--write", type=click.Path(path_type=Path), help="Put the secret into this env file, not on stdout.")
@_environment_option
@configured
def webhook_create(config: Config, url: str | None, write: Path | None, environment: str | None) -> None:
    """Make a webhook that leads to this bridge, and hand out its secret for the env file.

    A secret that is configured already stays good beside the new one.
    """
    from bridge.dynamic.effects import SELECTABLE
    from bridge.dynamic.management import create_webhook
    from bridge.dynamic.webhooks import PATH

    chosen = _chosen(config, environment)
    address = url or f"{config.issuer}{PATH}/{chosen.environment_id}"
    webhook_id, secret = _asked(config, lambda fetcher: create_webhook(chosen, fetcher, address, SELECTABLE))
    click.secho(f"Made webhook {webhook_id} to {address}.", fg="green", err=True)
    line = f"{_SETTING}={','.join((*chosen.webhook_secrets, secret))}"
    if chosen != config.environments[0]:
        click.echo("Put the secret into webhook_secrets of that environment in bridge.toml.", err=True)
    if write is None:
        click.echo(line)
    else:
        _write(write, line)
        click.secho(f"Wrote {_SETTING} into {write} (mode 0600).", fg="green", err=True)
    click.echo("Restart the bridge with it, then check: oidc-bridge check --live", err=True)


def _chosen(config: Config, environment_id: str | None) -> Environment:
    found = [one for one in config.environments if environment_id in (None, one.environment_id)]
    if not found:
        fail("That Dynamic environment is not configured.")
    if not found[0].api_token:
        fail("Dynamic answers this to an API token only. Set DYNAMIC_API_TOKEN.")
    return found[0]


def _asked(config: Config, ask: Callable[[Fetcher], Answer]) -> Answer:
    fetcher = Fetcher(development=config.development)
    try:
        return ask(fetcher)
    except FetchFailed as failed:
        fail(f"Dynamic did not answer as it should: {failed}.")
    finally:
        fetcher.close()


def _moment(since: str, now: int) -> int:
    """Unix seconds. Exits 2 on what is neither a duration nor a date."""
    duration = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", since)
    if duration:
        return now - int(duration[1]) * _UNITS[duration[2]]
    try:
        told = datetime.fromisoformat(since)
    except ValueError:
        raise click.BadParameter("is neither like 3d nor a date", param_hint="--since") from None
    return max(0, int((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()))


def _write(path: Path, line: str) -> None:
    """The env file with this line in place of the setting's old one; only its owner may read it."""
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [one for one in before if not one.startswith(f"{_SETTING}=")]
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text("\n".join([*kept, line]) + "\n", encoding="utf-8")
