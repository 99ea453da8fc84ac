"""Sign-In with Ethereum (EIP-4361): the text that a wallet signs, read strictly, and what of it must hold. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from bridge.emulator.errors import InvalidMessageError
from bridge.emulator.ethereum import checksummed

FRESH = 5 * 60
"""Seconds for which a message is good. Dynamic does not say how old one of its own may be."""
SKEW = 60
"""Seconds by which the clock of the device that wrote it may be ahead."""

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)"  # RFC 3339
MESSAGE = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<domain>[^\s/?#@]+) wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n"
    r"\n"
    r"(?:(?P<statement>[^\n]+)\n)?"
    r"\n"
    r"URI: (?P<uri>\S+)\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain_id>[1-9][0-9]{0,18})\n"
    r"Nonce: (?P<nonce>[a-zA-Z0-9]{8,128})\n"
    rf"Issued At: (?P<issued_at>{INSTANT})"
    rf"(?:\nExpiration Time: (?P<expires_at>{INSTANT}))?"
    rf"(?:\nNot Before: (?P<not_before>{INSTANT}))?"
    r"(?:\nRequest ID: (?P<request_id>\S*))?"
    r"(?:\nResources:(?:\n- \S+)*)?"
)
LONGEST = 10_000


@dataclass(frozen=True, slots=True)
class SignInMessage:
    """What the text says; instants in Unix seconds, with their fractions."""

    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_at: float
    expires_at: float | None
    not_before: float | None
    request_id: str


def parsed(text: str) -> SignInMessage:
    """The message in this text. InvalidMessageError unless it is one to the letter, checksum of the address too."""
    found = MESSAGE.fullmatch(text) if len(text) <= LONGEST and _is_writable(text) else None
    if found is None:
        raise InvalidMessageError("the signed text is no sign-in message of EIP-4361")
    if found["address"] != checksummed(found["address"]):
        raise InvalidMessageError("the address in the message lacks its checksum")
    return SignInMessage(
        domain=found["domain"],
        address=found["address"],
        uri=found["uri"],
        chain_id=int(found["chain_id"]),
        nonce=found["nonce"],
        issued_at=_seconds(found["issued_at"]),
        expires_at=None if found["expires_at"] is None else _seconds(found["expires_at"]),
        not_before=None if found["not_before"] is None else _seconds(found["not_before"]),
        request_id=found["request_id"] or "",
    )


def check_message(message: SignInMessage, *, address: str, origin: str, environment_id: str, now: int) -> None:
    """InvalidMessageError unless it was written just now, for this page, environment and address. The nonce and the
    signature remain to be checked."""
    if message.address.lower() != address.lower():
        raise InvalidMessageError("the message is another address's")
    # A page of another site that had the text signed cannot forge the Origin of its own request.
    if message.domain.lower() != origin.partition("://")[2] or _origin(message.uri) != origin:
        raise InvalidMessageError("the message was written for another page")
    if message.request_id.lower() != environment_id:
        raise InvalidMessageError("the message was written for another environment")
    if not now - FRESH < message.issued_at <= now + SKEW:
        raise InvalidMessageError("the message was not written just now")
    if message.expires_at is not None and message.expires_at <= now:
        raise InvalidMessageError("the message has expired")
    if message.not_before is not None and message.not_before > now + SKEW:
        raise InvalidMessageError("the message is not valid yet")


def _origin(uri: str) -> str:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower()


def _seconds(instant: str) -> float:
    try:
        return datetime.fromisoformat(instant).timestamp()
    except (ValueError, OverflowError):
        raise InvalidMessageError("the message has a time that is none") from None


def _is_writable(text: str) -> bool:
    """Half a character cannot be signed, since it cannot be encoded."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
