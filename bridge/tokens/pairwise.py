"""Pairwise subjects (OIDC Core section 8.1): another sub for every sector, which only we can lead back to the user."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from bridge.model import Client


class PairwiseSubjects:
    """What each client calls a user. Deterministic encryption (RFC 5297), so that nothing has to be stored."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def shown_to(self, client: Client, sub: str) -> str:
        """The sub that this client sees, in every artefact, for the user with that sub."""
        if client.subject_type == "public":
            return sub
        sealed = self._cipher.encrypt(sub.encode(), [_sector(client)])
        return urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")

    def behind(self, client: Client, shown: str) -> str | None:
        """The user's own sub behind what this client sees, or None if it is none of ours."""
        if client.subject_type == "public":
            return shown
        try:
            sealed = urlsafe_b64decode(shown + "=" * (-len(shown) % 4))
            sub = self._cipher.decrypt(sealed, [_sector(client)]).decode()
        except (InvalidTag, ValueError):
            return None
        return sub if self.shown_to(client, sub) == shown else None  # base64 has several spellings of one value


def new_pairwise_key() -> bytes:
    """A key for PairwiseSubjects. It must outlive every relying party: changing it changes every pairwise sub."""
    return AESSIV.generate_key(512)


def _sector(client: Client) -> bytes:
    # A host name and a client id can be spelt alike; they are no sector together.
    return (client.sector_identifier or f"client:{client.client_id}").encode()
