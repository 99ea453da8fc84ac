"""What happens and why: the words in which it is remembered and told."""

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from bridge.model import Client, Json


class Cause(Enum):
    """Why a grant or a session was closed: a stable word, and what it says to a person."""

    CLIENT_REVOKED = ("client_revoked", "the client revoked it (RFC 7009)")
    REUSE_DETECTED = ("reuse_detected", "a refresh token came back whose successor was in use")
    CODE_REUSED = ("code_reused", "its code came a second time, or with a wrong verifier or redirect_uri")
    SIGNED_OUT = ("signed_out", "the user signed out")
    SESSION_REPLACED = ("session_replaced", "somebody else signed in with the same browser")
    USER_DISABLED = ("user_disabled", "an operator disabled the user")
    USER_REVOKED = ("user_revoked", "an operator signed the user out everywhere")
    SIGNED_OUT_EVERYWHERE = ("signed_out_everywhere", "the user signed out everywhere")
    ENDED_BY_USER = ("ended_by_user", "the user ended it from another device")
    ENDED_BY_OPERATOR = ("ended_by_operator", "an operator ended the session")
    DISCONNECTED = ("disconnected", "the user disconnected the app")
    DYNAMIC_SESSION_ENDED = ("dynamic_session_ended", "Dynamic ended the session that it rested on")
    USER_DELETED = ("user_deleted", "Dynamic deleted the user")
    USER_MERGED = ("user_merged", "Dynamic merged the user into another")
    USER_ERASED = ("user_erased", "the user's data was erased")

    def __init__(self, word: str, sentence: str) -> None:
        self.word = word
        self.sentence = sentence


class Event(Enum):
    """What an audit entry tells of: a stable word, and the sentence that says it; {actor} is who did it."""

    SIGNED_IN = ("signed_in", "{actor} signed in with a browser")
    CODE_ISSUED = ("code_issued", "{actor} was sent back to the client with a code")
    CONSENT_GIVEN = ("consent_given", "{actor} consented")
    CONSENT_DENIED = ("consent_denied", "{actor} did not consent")
    SESSION_CLOSED = ("session_closed", "the browser's session ended")
    ISSUED = ("issued", "{actor} got tokens")
    REFRESHED = ("refreshed", "{actor} refreshed")
    DYNAMIC_SESSION_ENDED = ("dynamic_session_ended", "Dynamic's session ended")
    GRANT_CLOSED = ("grant_closed", "the grant ended")
    TOKEN_REVOKED = ("token_revoked", "{actor} revoked one access token")
    USER_DISABLED = ("user_disabled", "the user was disabled")
    USER_ENABLED = ("user_enabled", "the user was enabled again")
    USER_REVOKED = ("user_revoked", "the user was signed out everywhere")
    USER_DELETED = ("user_deleted", "the user was deleted at Dynamic")
    USER_MERGED = ("user_merged", "the user was merged into another at Dynamic")
    USER_ERASED = ("user_erased", "the user's data was erased")
    USER_CHANGED = ("user_changed", "Dynamic told of a change")
    CONSENT_WITHDRAWN = ("consent_withdrawn", "{actor} took the consent back")
    LOGOUT_DELIVERED = ("logout_delivered", "the client was told that the session has ended")
    LOGOUT_UNDELIVERED = ("logout_undelivered", "the client could not be told that the session has ended")
    CLIENT_ADDED = ("client_added", "the client was registered")
    CLIENT_CHANGED = ("client_changed", "the client's settings changed")
    CLIENT_SECRET_ADDED = ("client_secret_added", "the client got a new secret")
    KEY_ADDED = ("key_added", "a signing key was made")
    KEY_ACTIVATED = ("key_activated", "a signing key began to sign")
    KEY_WITHDRAWN = ("key_withdrawn", "a signing key was withdrawn")
    SECRETS_REWRAPPED = ("secrets_rewrapped", "everything was sealed under the first secret key")

    def __init__(self, word: str, sentence: str) -> None:
        self.word = word
        self.sentence = sentence


OPERATOR = "operator"
BRIDGE = "bridge"
DYNAMIC = "dynamic"
"""Actors beside clients: who uses the command line, the bridge by its own schedule, and Dynamic by its webhooks."""


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

    def as_json(self) -> dict[str, Any]:
        """The entry as JSON can say it."""
        cause = None if self.cause is None else self.cause.word
        return {**asdict(self), "event": self.event.word, "cause": cause, "detail": dict(self.detail)}
