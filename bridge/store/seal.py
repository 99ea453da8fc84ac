"""Secrets at rest: sealed under BRIDGE_SECRET_KEYS, the first of which seals and any of which opens."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bridge.errors import SealBroken


class Sealer:
    """Seals and opens what must be recoverable; what need not be is stored as a digest instead."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernets = [Fernet(key) for key in keys]
        self._fernet = MultiFernet(self._fernets)

    def seal(self, value: bytes) -> str:
        """The value, encrypted and authenticated."""
        return self._fernet.encrypt(value).decode("ascii")

    def open(self, sealed: str) -> bytes:
        """What was sealed. Raises SealBroken: another key, or altered."""
        try:
            return self._fernet.decrypt(sealed.encode("ascii"))
        except InvalidToken as error:
            raise SealBroken from error

    def sealed_under(self, sealed: str) -> int:
        """Which of the secret keys opens it, the first being 1. Raises SealBroken if none does."""
        for number, fernet in enumerate(self._fernets, 1):
            try:
                fernet.decrypt(sealed.encode("ascii"))
            except InvalidToken:
                continue
            return number
        raise SealBroken


def new_secret_key() -> str:
    """A key for BRIDGE_SECRET_KEYS: 32 random bytes in base64url."""
    return Fernet.generate_key().decode("ascii")


def is_secret_key(value: str) -> bool:
    """Whether the value can be one of BRIDGE_SECRET_KEYS."""
    try:
        Fernet(value)
    except ValueError:
        return False
    return True
