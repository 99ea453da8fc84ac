"""Our own long-lived secrets, sealed: signing keys, and the key behind pairwise subjects.

Each step of a signing key's life is one or two statements whose row counts decide, so that any number of instances may
take it at once: one of them does. Rules and times are in bridge/keylife.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select, text, update

from bridge.jose import generate_signing_key, signing_key
from bridge.keylife import KEPT, LEAD, KeyLife
from bridge.model import SigningAlgorithm
from bridge.store.database import Tx, insert_if_absent
from bridge.store.seal import Sealer
from bridge.store.tables import secrets, signing_keys

_ADD_ACTIVE = insert_if_absent(signing_keys, "kid", "alg", "state", "private_key", "created_at", "activated_at")
_ADD_SUCCESSOR = text(
    "INSERT INTO signing_keys (kid, alg, state, private_key, created_at)"
    " SELECT :kid, :alg, 'pending', :private_key, CAST(:created_at AS BIGINT) FROM signing_keys"
    " WHERE kid = :predecessor AND state = 'active' ON CONFLICT DO NOTHING"
)
_ADD_SECRET = insert_if_absent(secrets, "name", "value", "created_at")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A signing key that is in no database yet: its PEM is sealed already."""

    kid: str
    alg: SigningAlgorithm
    private_key: str = field(repr=False)


def new_key(alg: SigningAlgorithm, sealer: Sealer) -> NewKey:
    """A key for the algorithm. Takes some 100 ms for RS256: never inside a transaction."""
    pem = generate_signing_key(alg)
    return NewKey(signing_key(alg, pem).kid, alg, sealer.seal(pem))


def every(tx: Tx) -> list[tuple[KeyLife, str]]:
    """All signing keys with their sealed PEM, by one statement: nobody sees one half of a step."""
    return [(_life(row), row.private_key) for row in tx.execute(select(signing_keys).order_by(signing_keys.c.kid))]


def add_active(tx: Tx, new: NewKey, now: int) -> bool:
    """A first key for its algorithm, which signs at once; False if there is an active one."""
    return tx.execute(_ADD_ACTIVE, {**_row(new, now), "state": "active", "activated_at": now}).rowcount == 1


def add_successor(tx: Tx, new: NewKey, active_kid: str, now: int) -> bool:
    """A pending key to follow an active one; False if that is active no more, or its algorithm has a pending key."""
    return tx.execute(_ADD_SUCCESSOR, {**_row(new, now), "predecessor": active_kid}).rowcount == 1


def retire(tx: Tx, kid: str, now: int) -> bool:
    """An active key signs no more, but stays published for what it has signed; False if it is not active."""
    values = {"state": "retired", "retired_at": now, "published_until": now + KEPT}
    return tx.execute(update(signing_keys).where(*_stands(kid, "active")).values(values)).rowcount == 1


def activate(tx: Tx, kid: str, now: int) -> bool:
    """A pending key signs from now on; False if it is not pending, or has not been published for long enough.

    In the same transaction, and before, the active key of its algorithm is retired.
    """
    ripe = *_stands(kid, "pending"), signing_keys.c.created_at <= now - LEAD
    return tx.execute(update(signing_keys).where(*ripe).values(state="active", activated_at=now)).rowcount == 1


def remove(tx: Tx, kid: str, now: int) -> bool:
    """A retired key goes; False if it has gone, or if something that it signed may still be good."""
    past = *_stands(kid, "retired"), signing_keys.c.published_until <= now
    return tx.execute(delete(signing_keys).where(*past)).rowcount == 1


def withdraw(tx: Tx, kid: str, spare: NewKey, now: int) -> tuple[KeyLife, str | None] | None:
    """A key goes at once, whatever its state. If it was active, the pending key or else `spare` signs in its place.

    What it was, and the kid that took its place; None if there is no such key. `spare`: for the same algorithm.
    """
    row = tx.execute(delete(signing_keys).where(signing_keys.c.kid == kid).returning(*signing_keys.c)).first()
    if row is None:
        return None
    gone = _life(row)
    if gone.state != "active":
        return gone, None
    pending = signing_keys.c.alg == gone.alg, signing_keys.c.state == "pending"
    promote = update(signing_keys).where(*pending).values(state="active", activated_at=now)
    promoted = tx.execute(promote.returning(signing_keys.c.kid)).scalar()
    if promoted is None:
        tx.execute(insert(signing_keys), {**_row(spare, now), "state": "active", "activated_at": now})
    return gone, promoted or spare.kid


def secret(tx: Tx, name: str, sealer: Sealer, now: int, *, make: Callable[[], bytes]) -> bytes:
    """The secret of that name, made if it does not exist yet; of concurrent makers one prevails. Raises SealBroken."""
    wanted = select(secrets.c.value).where(secrets.c.name == name)
    sealed = tx.execute(wanted).scalar()
    if sealed is None:
        tx.execute(_ADD_SECRET, {"name": name, "value": sealer.seal(make()), "created_at": now})
        sealed = tx.execute(wanted).scalar_one()
    return sealer.open(sealed)


def _stands(kid: str, state: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return signing_keys.c.kid == kid, signing_keys.c.state == state


def _row(new: NewKey, now: int) -> dict[str, Any]:
    return {"kid": new.kid, "alg": new.alg, "private_key": new.private_key, "created_at": now}


def _life(row: Row[Any]) -> KeyLife:
    return KeyLife(row.kid, row.alg, row.state, row.created_at, row.activated_at, row.retired_at, row.published_until)
