"""Registered clients: those of the database, beside those that the configuration declares."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, or_, select, update

from bridge.model import Client, Secret
from bridge.store.database import Database, Tx, insert_if_absent
from bridge.store.tables import client_credentials, clients

SECRET_KIND = "secret_sha256"
CACHED_FOR = 2  # seconds after which a change made by any instance is seen by all
_CACHE_LIMIT = 10_000
_LONGEST_ID = 64  # characters; a longer one is nobody's

_ADD = insert_if_absent(clients, "client_id", "settings", "created_at", "updated_at")
_FIND = select(clients).where(clients.c.client_id == bindparam("id"))
_SECRETS = (
    select(client_credentials.c.client_id, client_credentials.c.value, client_credentials.c.not_after)
    .where(client_credentials.c.kind == SECRET_KIND)
    .order_by(client_credentials.c.id)
)
_SETTINGS = frozenset(field.name for field in fields(Client)) - {"client_id", "secrets"}


class Clients:
    """Look-ups of the serving process: the configuration's clients, then the database's, cached for two seconds.

    That there is no such client is remembered as long, so that the time of an answer does not tell (threats O20).
    """

    def __init__(self, database: Database, configured: Sequence[Client]) -> None:
        self._database = database
        self._configured: Mapping[str, Client] = {client.client_id: client for client in configured}
        self._cached: dict[str, tuple[int, Client]] = {}
        self._absent: dict[str, int] = {}  # apart, so that who invents ids drives out no client
        self._origins: tuple[int, frozenset[str]] = (-CACHED_FOR, frozenset())

    def find(self, client_id: str, now: int) -> Client | None:
        """The client with that id, disabled or not; None for an unknown one. Raises Unavailable."""
        configured = self._configured.get(client_id)
        if configured is not None:
            return configured
        cached_at, client = self._cached.get(client_id, (-CACHED_FOR, None))
        if client is not None and 0 <= now - cached_at < CACHED_FOR:
            return client
        absent_at = self._absent.get(client_id, now + 1)
        if len(client_id) > _LONGEST_ID or 0 <= now - absent_at < CACHED_FOR:
            return None
        with self._database.reading() as tx:
            client = find(tx, client_id)
        if client is None:
            self._cached.pop(client_id, None)
            self._remember_absent(client_id, now)
            return None
        if len(self._cached) >= _CACHE_LIMIT:
            self._cached.clear()
        self._cached[client_id] = (now, client)
        return client

    def _remember_absent(self, client_id: str, now: int) -> None:
        if len(self._absent) >= _CACHE_LIMIT:
            self._absent.clear()
        self._absent[client_id] = now

    def cors_origins(self, now: int) -> frozenset[str]:
        """Every web origin that some client lists: whose pages may read the answers of /token and /userinfo."""
        read_at, origins = self._origins
        if not 0 <= now - read_at < CACHED_FOR:
            with self._database.reading() as tx:
                registered = [*self._configured.values(), *every(tx)]
            origins = frozenset(origin for client in registered for origin in client.cors_origins)
            self._origins = (now, origins)
        return origins


def find(tx: Tx, client_id: str) -> Client | None:
    """The database's client with that id."""
    return _found(tx, client_id, _FIND)


def find_to_change(tx: Tx, client_id: str) -> Client | None:
    """The same; until the transaction ends nobody else changes it, so that no change undoes another."""
    return _found(tx, client_id, _FIND.with_for_update())


def every(tx: Tx) -> list[Client]:
    """All clients of the database, by id."""
    kept: dict[str, list[Secret]] = {}
    for row in tx.execute(_SECRETS):
        kept.setdefault(row.client_id, []).append(Secret(row.value, row.not_after))
    rows = tx.execute(select(clients).order_by(clients.c.client_id))
    return [_client(row.client_id, row.settings, kept.get(row.client_id, [])) for row in rows]


def add(tx: Tx, client: Client, now: int) -> bool:
    """Register a client, its secrets apart; False if the id is taken."""
    row = {"client_id": client.client_id, "settings": _settings(client), "created_at": now, "updated_at": now}
    return tx.execute(_ADD, row).rowcount == 1


def change(tx: Tx, client: Client, now: int) -> bool:
    """Replace a client's settings, its secrets apart; False if there is none with that id."""
    changed = (
        update(clients)
        .where(clients.c.client_id == client.client_id)
        .values(settings=_settings(client), updated_at=now)
    )
    return tx.execute(changed).rowcount == 1


def add_secret(tx: Tx, client_id: str, now: int, *, overlap: int) -> str:
    """A new secret for the client, returned once and kept as a digest.

    The newest secret so far stays good for `overlap` seconds, older ones end now: two are live at most.
    """
    tx.execute(_FIND.with_for_update(), {"id": client_id})  # two at once would not see each other's
    mine = (client_credentials.c.client_id == client_id) & (client_credentials.c.kind == SECRET_KIND)
    newest = tx.execute(select(client_credentials.c.id).where(mine).order_by(client_credentials.c.id.desc())).scalar()
    tx.execute(delete(client_credentials).where(mine, client_credentials.c.id != (newest or 0)))
    tx.execute(
        update(client_credentials)
        .where(mine, or_(client_credentials.c.not_after.is_(None), client_credentials.c.not_after > now + overlap))
        .values(not_after=now + overlap)
    )
    secret = new_secret()
    tx.execute(
        insert(client_credentials),
        {"client_id": client_id, "kind": SECRET_KIND, "value": secret_digest(secret), "created_at": now},
    )
    return secret


def new_secret() -> str:
    """256 random bits behind a prefix that secret scanners recognise, in characters that no encoding changes."""
    return f"dob_secret_{secrets.token_urlsafe(32)}"


def secret_digest(secret: str) -> str:
    """What is kept of a client secret: SHA-256 in hex. It is random, so nothing slower is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _found(tx: Tx, client_id: str, statement: Select[Any]) -> Client | None:
    row = tx.execute(statement, {"id": client_id}).first()
    if row is None:
        return None
    kept = tx.execute(_SECRETS.where(client_credentials.c.client_id == client_id))
    return _client(row.client_id, row.settings, [Secret(r.value, r.not_after) for r in kept])


def _settings(client: Client) -> str:
    document = {name: value for name, value in asdict(client).items() if name in _SETTINGS}
    return json.dumps(document, sort_keys=True)


def _client(client_id: str, settings: str, kept: Sequence[Secret]) -> Client:
    # A setting that an older version wrote and this one no longer has is passed over (rolling upgrades).
    document = {name: value for name, value in json.loads(settings).items() if name in _SETTINGS}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    return Client(client_id=client_id, secrets=tuple(kept), **values)
