"""`oidc-bridge doctor`: the running configuration and each client against current practice, with what mends each."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from bridge.cli.configured import configured, opened
from bridge.cli.doctor.client_rules import client_findings
from bridge.cli.doctor.fapi import fapi_findings
from bridge.cli.doctor.findings import Finding, Severity
from bridge.cli.doctor.server_rules import server_findings
from bridge.config.settings import Config
from bridge.model import Client
from bridge.store import clients
from bridge.store.engines import sqlite_path

_LEVELS = [severity.word for severity in Severity]


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("--fapi2", is_flag=True, help="Also hold each client against the FAPI 2.0 Security Profile.")
@click.option(
    "--fail-on", type=click.Choice(_LEVELS), default="error", show_default=True, help="Exit 1 from this severity on."
)
@configured
def doctor(config: Config, as_json: bool, fapi2: bool, fail_on: str) -> None:
    """Audit the configuration and each client against OAuth 2.1, RFC 9700 and OpenID Connect.

    `check` says whether the bridge is safe to start; this says what a careful reviewer would ask you to change.
    """
    found = sorted(_findings(config, fapi2=fapi2), key=lambda finding: finding.severity.rank)
    if as_json:
        click.echo(json.dumps([_document(finding) for finding in found], indent=2))
    else:
        _tell(found)
    worst = min((finding.severity.rank for finding in found), default=len(_LEVELS))
    if worst <= _LEVELS.index(fail_on):
        raise SystemExit(1)


def _findings(config: Config, *, fapi2: bool) -> Iterator[Finding]:
    declared = {client.client_id for client in config.clients}
    every = [*config.clients, *_registered(config)]
    yield from server_findings(config, every)
    for client in every:
        yield from client_findings(config, client, declared=client.client_id in declared)
        if fapi2:
            yield from fapi_findings(config, client)


def _registered(config: Config) -> list[Client]:
    path = sqlite_path(config.database_url)
    if path is not None and not Path(path).exists():
        return []
    with opened(config) as database, database.reading() as tx:
        return clients.every(tx)


def _document(finding: Finding) -> dict[str, str]:
    return {**asdict(finding), "severity": finding.severity.word}


def _tell(found: list[Finding]) -> None:
    for finding in found:
        severity = finding.severity
        mark = click.style(f"{severity.mark} {severity.word}", fg=severity.colour)
        click.echo(f"{mark}  {finding.where} {finding.what}")
        click.echo(f"    {finding.why}")
        click.secho(f"    → {finding.mend}", dim=True)
    counts = Counter(finding.severity for finding in found)
    told = [f"{counts[severity]} {severity.word}" for severity in Severity if counts[severity]]
    click.secho(f"{', '.join(told) or 'Nothing to mend'}.", bold=True, err=True)
