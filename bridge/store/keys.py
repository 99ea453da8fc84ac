"""Our own long-lived secrets, sealed: signing keys, and the key behind pairwise subjects."""

from collections.abc import Callable, Sequence

from sqlalchemy import select

from bridge.jose import SigningKey, generate_signing_key, signing_key
from bridge.model import SIGNING_ALGORITHMS
from bridge.store.database import Tx, insert_if_absent
from bridge.store.seal import Sealer
from bridge.store.tables import secrets, signing_keys

_ADD_KEY = insert_if_absent(signing_keys, "kid", "alg", "state", "private_key", "created_at")
_ADD_SECRET = insert_if_absent(secrets, "name", "value", "created_at")


def make_missing(tx: Tx, sealer: Sealer, now: int) -> None:
    """One active signing key for each algorithm; whoever comes second finds it there (unique index)."""
    present = set(tx.execute(select(signing_keys.c.alg).where(signing_keys.c.state == "active")).scalars())
    for alg in SIGNING_ALGORITHMS:
        if alg not in present:
            pem = generate_signing_key(alg)
            row = {
                "kid": signing_key(alg, pem).kid,
                "alg": alg,
                "state": "active",
                "private_key": sealer.seal(pem),
                "created_at": now,
            }
            tx.execute(_ADD_KEY, row)


def load_active(tx: Tx, sealer: Sealer) -> Sequence[SigningKey]:
    """The keys that sign now, RS256 first. Raises SealBroken if they were sealed under other secret keys."""
    rows = tx.execute(select(signing_keys).where(signing_keys.c.state == "active"))
    keys = [signing_key(row.alg, sealer.open(row.private_key)) for row in rows]
    return sorted(keys, key=lambda key: SIGNING_ALGORITHMS.index(key.alg))


def secret(tx: Tx, name: str, sealer: Sealer, now: int, *, make: Callable[[], bytes]) -> bytes:
    """The secret of that name, made if it does not exist yet; of concurrent makers one prevails. Raises SealBroken."""
    wanted = select(secrets.c.value).where(secrets.c.name == name)
    sealed = tx.execute(wanted).scalar()
    if sealed is None:
        tx.execute(_ADD_SECRET, {"name": name, "value": sealer.seal(make()), "created_at": now})
        sealed = tx.execute(wanted).scalar_one()
    return sealer.open(sealed)
