"""What happens and why: the words in which it is remembered and told."""

from dataclasses import dataclass, field
from enum import Enum

from bridge.model import Client, Json


class Cause(Enum):
    """Why a grant was closed: a stable word, and what it says to a person."""

    CLIENT_REVOKED = ("client_revoked", "the client revoked it (RFC 7009)")
    REUSE_DETECTED = (
        "reuse_detected",
        "a refresh token came back whose successor was in use",
    )
    CODE_REUSED = ("code_reused", "its code came a second time, or with a wrong verifier or redirect_uri")
    SIGNED_OUT = ("signed_out", "the user signed out")
    SESSION_REPLACED = ("session_replaced", "somebody else signed in with the same browser")
    USER_DISABLED = ("user_disabled", "an operator disabled the user")
    USER_REVOKED = ("user_revoked", "an operator signed the user out everywhere")

    def __init__(self, word: str, sentence: str) -> None:
        self.word = word
        self.sentence = sentence


class Event(Enum):
    """What an audit entry tells of."""

    SIGNED_IN = "signed_in"
    CODE_ISSUED = "code_issued"
    CONSENT_GIVEN = "consent_given"
    CONSENT_DENIED = "consent_denied"
    SESSION_CLOSED = "session_closed"
    ISSUED = "issued"
    REFRESHED = "refreshed"
    GRANT_CLOSED = "grant_closed"
    TOKEN_REVOKED = "token_revoked"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    USER_REVOKED = "user_revoked"
    CLIENT_ADDED = "client_added"
    CLIENT_CHANGED = "client_changed"
    CLIENT_SECRET_ADDED = "client_secret_added"
    KEY_ADDED = "key_added"
    KEY_ACTIVATED = "key_activated"
    KEY_WITHDRAWN = "key_withdrawn"
    SECRETS_REWRAPPED = "secrets_rewrapped"


OPERATOR = "operator"
BRIDGE = "bridge"
"""Actors beside clients: who uses the command line, and the bridge by its own schedule."""


def acting(client: Client) -> str:
    """The actor that a client is."""
    return f"client:{client.client_id}"


def acting_user(sub: str) -> str:
    """The actor that a user is."""
    return f"user:{sub}"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One decision that mattered. Holds identifiers only: no secret, no token, no claim's value."""

    at: int
    event: Event
    actor: str
    client_id: str | None = None
    sub: str | None = None
    sid: str | None = None
    grant_id: str | None = None
    cause: Cause | None = None
    detail: Json = field(default_factory=dict)
