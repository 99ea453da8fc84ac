"""What is sealed, under which of BRIDGE_SECRET_KEYS, and how all of it comes under the first."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Column, select, update

from bridge.store.database import Tx
from bridge.store.seal import Sealer
from bridge.store.tables import secrets, signing_keys

SEALED: tuple[tuple[Column[str], Column[str]], ...] = (
    (signing_keys.c.kid, signing_keys.c.private_key),
    (secrets.c.name, secrets.c.value),
)
"""Every column of sealed values, after the key of its table."""


def sealed_under(tx: Tx, sealer: Sealer) -> Mapping[int, int]:
    """How many sealed values open under which of the secret keys, the first being 1. Raises SealBroken."""
    return Counter(sealer.sealed_under(sealed) for *_, sealed in _sealed(tx))


def rewrap(tx: Tx, sealer: Sealer) -> int:
    """Seal under the first secret key what is sealed under another; how many values. Raises SealBroken.

    A value that somebody else has changed or removed meanwhile is left as it is.
    """
    resealed = 0
    for key, value, name, sealed in _sealed(tx):
        if sealer.sealed_under(sealed) != 1:
            anew = sealer.seal(sealer.open(sealed))
            resealed += tx.execute(update(key.table).where(key == name, value == sealed).values({value: anew})).rowcount
    return resealed


def _sealed(tx: Tx) -> Iterator[tuple[Column[str], Column[str], Any, str]]:
    for key, value in SEALED:
        found: Any = tx.execute(select(key, value).order_by(key))
        for name, sealed in found.all():
            yield key, value, name, sealed
