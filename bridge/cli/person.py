"""What `user show` says of somebody; what identifies them outside of here is blotted out unless it is asked for."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bridge.cli.configured import moment
from bridge.lifecycle.disclosure import Record
from bridge.model import Json, User
from bridge.store.devices import Device
from bridge.web.device import looks_of


def redacted(record: Record) -> Record:
    """The record with shortened e-mail addresses, phone numbers and wallets, wherever in the claims they stand."""
    claims = record.user.claims
    return replace(record, user=replace(record.user, claims=_blotted(claims, frozenset(_identifiers(claims)))))


def state_of(user: User) -> str:
    """Whether they may sign in, in a word."""
    return "deleted" if user.deleted else "disabled" if user.disabled else "active"


def lines_of(record: Record, now: int) -> Iterator[str]:
    """The record for people to read: what is over is counted, not listed."""
    user = record.user
    yield f"{user.sub}  {state_of(user)}"
    yield f"  Dynamic: user {user.user_id} in environment {user.environment_id}"
    if user.revoked_at is not None:
        yield f"  signed out everywhere: {moment(user.revoked_at)}"
    for name, value in user.claims.items():
        yield f"  {name}: {_plain(value)}"
    devices = [device for device in record.devices if is_open(device, user, now)]
    yield f"Sessions: {len(devices)} open, {len(record.devices) - len(devices)} over"
    yield from (f"  {line_of(device)}" for device in devices)
    alive = [grant for grant in record.grants if grant.is_open(now) and not user.was_revoked_since(grant.opened_at)]
    yield f"Grants: {len(alive)} open, {len(record.grants) - len(alive)} over"
    for grant in alive:
        yield f"  {grant.grant_id}  {grant.client_id}  {' '.join(grant.scope)}  since {moment(grant.opened_at)}"
    yield f"Consents: {len(record.consents)}"
    for consent in record.consents:
        yield f"  {consent.client_id}  {' '.join(consent.scope)}  given {moment(consent.given_at)}"


def line_of(device: Device) -> str:
    """A browser's session in one line."""
    session = device.session
    return (
        f"{session.session_id}  {looks_of(session.user_agent).name}, at {session.origin}, "
        f"signed in {moment(session.auth_time)}, last used {moment(device.last_used_at)}, "
        f"until {moment(session.expires_at)}"
    )


def is_open(device: Device, user: User, now: int) -> bool:
    """Whether a session of the user's is not over, as far as its own row tells."""
    return (
        device.closed_at is None
        and now < device.session.expires_at
        and not user.was_revoked_since(device.session.opened_at)
    )


def _identifiers(claims: Json) -> Iterator[str]:
    """Every text among the claims that leads to the person or their money, a wallet's own name included."""
    wallets = claims.get("wallets")
    for wallet in wallets if isinstance(wallets, list) else []:
        yield from (str(wallet[name]) for name in ("address", "name") if name in wallet)
    yield from (str(claims[name]) for name in ("email", "phone_number", "wallet_address") if name in claims)


def _blotted(value: Any, identifiers: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _blotted(inner, identifiers) for name, inner in value.items()}
    if isinstance(value, list):
        return [_blotted(inner, identifiers) for inner in value]
    return f"{value[:2]}…{value[-2:]}" if isinstance(value, str) and value in identifiers else value


def _plain(value: Json | Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    if isinstance(value, list):
        return "; ".join(map(_plain, value))
    return str(value)
