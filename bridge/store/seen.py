"""Assertions that were taken where each is taken once (threats A16)."""

from bridge.model import Assertion
from bridge.store.database import Tx, insert_if_absent
from bridge.store.tables import seen_assertions
from bridge.store.transaction import fixed

_KEPT_AFTER_EXPIRY = 60  # seconds; longer than the verifier's tolerance

_REMEMBER = fixed(insert_if_absent(seen_assertions, "environment_id", "digest", "expires_at"))


def take_once(tx: Tx, assertion: Assertion) -> bool:
    """Whether this is the first time; of any number of concurrent takers one is told so.

    Comes last in the issuing transaction, so that a refusal for another reason burns nothing.
    """
    row = {
        "environment_id": assertion.environment.environment_id,
        "digest": assertion.digest,
        "expires_at": assertion.expires_at + _KEPT_AFTER_EXPIRY,
    }
    return tx.execute(_REMEMBER, row).rowcount == 1
