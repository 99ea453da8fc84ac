"""`oidc-bridge keys`: the keys that sign tokens, and the secret keys that they are sealed under."""

import json
from collections.abc import Sequence
from typing import Any

import click

from bridge.cli.configured import configured, fail, moment, opened
from bridge.cli.ids import TakesId
from bridge.clock import system_clock
from bridge.config.settings import Config
from bridge.history import OPERATOR, AuditEntry, Event
from bridge.keylife import JWKS_MAX_AGE, READ_FIRST, KeyLife, steps
from bridge.model import SIGNING_ALGORITHMS, SigningAlgorithm
from bridge.store import Database, audit
from bridge.store import keys as stored_keys
from bridge.store.rewrap import rewrap as rewrap_all
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer

_NEXT = {
    "sign": "signs from {}",
    "retire": "retires from {}",
    "prepare": "a successor is made at {}",
    "remove": "is removed at {}",
}


@click.group()
def keys() -> None:
    """Keys that sign tokens, and the keys they are sealed under (docs/keys.md)."""


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@configured
def list_keys(config: Config, as_json: bool) -> None:
    """Each signing key: where it stands, since when, and what happens next."""
    with opened(config) as database, database.reading() as tx:
        found = stored_keys.every(tx)
    sealer = Sealer(config.secret_keys)
    next_steps = {step.key.kid: step for step in steps([life for life, _ in found], config.key_rotation)}
    documents: list[dict[str, Any]] = []
    for life, sealed in sorted(found, key=lambda kept: (SIGNING_ALGORITHMS.index(kept[0].alg), kept[0].since)):
        step = next_steps.get(life.kid)
        documents.append(
            {
                "kid": life.kid,
                "alg": life.alg,
                "state": life.state,
                "since": life.since,
                "next": None if step is None else {"step": step.what, "at": step.at},
                "sealed_under": sealer.sealed_under(sealed),
            }
        )
    if as_json:
        click.echo(json.dumps(documents, indent=1))
        return
    for shown in documents:
        click.echo(_line(shown))


@keys.command()
@click.option("--alg", "algs", multiple=True, type=click.Choice(SIGNING_ALGORITHMS), help="May repeat; default: all.")
@configured
def rotate(config: Config, algs: tuple[SigningAlgorithm, ...]) -> None:
    """Make a new key for each algorithm now. It is published at once, and signs once every client can know it."""
    with opened(config) as database:
        rotation, now = _rotation(database, config), system_clock()
        lives = [life for life in rotation.lives() if life.alg in (algs or SIGNING_ALGORITHMS)]
        _refuse_pending(lives)
        for active in [life for life in lives if life.state == "active"]:
            rotation.prepare(active, now, actor=OPERATOR)
        made = [life for life in rotation.lives() if life.state == "pending" and life.alg in {a.alg for a in lives}]
    for life in made:
        click.echo(f"{life.kid}  {life.alg}  signs from {moment(life.signs_at)}")


@keys.command(cls=TakesId)
@click.argument("kid")
@configured
def retire(config: Config, kid: str) -> None:
    """Withdraw the key KID, which has leaked: its tokens are good no more, and another key signs in its place."""
    with opened(config) as database:
        rotation, now = _rotation(database, config), system_clock()
        known = next((life for life in rotation.lives() if life.kid == kid), None)
        withdrawn = None if known is None else rotation.withdraw(known, now, actor=OPERATOR)
    if withdrawn is None:
        fail("There is no key with that kid.")
    life, successor = withdrawn
    click.echo(f"{kid} ({life.alg}, {life.state}) is withdrawn; every instance follows in {READ_FIRST} s.", err=True)
    if successor is not None:
        click.echo(successor)
        click.echo(
            f"{successor} signs in its place. Clients that keep an older /jwks may refuse its tokens, and still believe"
            f" the withdrawn key, for up to {JWKS_MAX_AGE} s after that.",
            err=True,
        )


@keys.command()
@configured
def rewrap(config: Config) -> None:
    """Seal everything under the first of BRIDGE_SECRET_KEYS. Harmless to repeat, and while servers run."""
    with opened(config) as database, database.writing() as tx:
        resealed = rewrap_all(tx, Sealer(config.secret_keys))
        now, detail = system_clock(), {"resealed": resealed}
        audit.record(tx, AuditEntry(at=now, event=Event.SECRETS_REWRAPPED, actor=OPERATOR, detail=detail))
    click.echo(f"{resealed} sealed values were under an older key, and are under the first one now.", err=True)


def _refuse_pending(lives: Sequence[KeyLife]) -> None:
    waiting = [life for life in lives if life.state == "pending"]
    for life in waiting:
        click.echo(f"{life.alg}: {life.kid} is pending, and signs from {moment(life.signs_at)}.", err=True)
    if waiting:
        fail("Nothing was made. Wait for it, or name the other algorithms with --alg.")


def _rotation(database: Database, config: Config) -> Rotation:
    return Rotation(database, Sealer(config.secret_keys), interval=config.key_rotation)


def _line(shown: dict[str, Any]) -> str:
    step = shown["next"]
    ahead = "stays: rotation is by command" if step is None else _NEXT[step["step"]].format(moment(step["at"]))
    since = f"since {moment(shown['since'])}"
    return (
        f"{shown['kid']:<43}  {shown['alg']:<7}  {shown['state']:<7}  {since}, {ahead}"
        f"  (secret key {shown['sealed_under']})"
    )
