"""The keys that sign our tokens, loaded once, and the document that publishes them."""

import json
from collections.abc import Sequence

from bridge.jose import SigningKey, VerificationKey
from bridge.model import SigningAlgorithm


class Keyring:
    """Our signing keys as key objects: parsing one costs a hundred signatures, so it happens once per process."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        self._active = {key.alg: key for key in keys}
        self._verification = {key.kid: key.verification for key in keys}
        self.jwks = json.dumps({"keys": [dict(key.public_jwk) for key in keys]}, separators=(",", ":")).encode("ascii")

    @property
    def algorithms(self) -> tuple[SigningAlgorithm, ...]:
        """What we can sign with."""
        return tuple(self._active)

    def active(self, alg: SigningAlgorithm) -> SigningKey:
        """The key that signs with `alg` now."""
        return self._active[alg]

    def find(self, kid: str) -> VerificationKey | None:
        """The public half of one of our keys."""
        return self._verification.get(kid)
