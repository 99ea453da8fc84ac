"""Dynamic's webhooks: is a message genuine, and which event does it tell of. Pure.

A signature says nothing of when: there is no time in it, and redeliveries come days later. So a message has no age
here; what it causes must be harmless twice and in any order (threats A23).
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.clock import CLOCKS_DIFFER
from bridge.dynamic import text
from bridge.dynamic.effects import Effect, effect_of
from bridge.errors import Refused
from bridge.jose import strict_json_object
from bridge.model import Json
from bridge.reasons import Reason

PATH = "/webhooks/dynamic"
"""Below the issuer; the environment's id follows."""
SIGNATURE_HEADER = "x-dynamic-signature-256"
MAX_BODY_BYTES = 64 * 1024

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_EVENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class DynamicEvent:
    """An event at Dynamic: its `name`, `at` which moment by Dynamic's clock (seconds), and what it means here."""

    environment_id: str
    event_id: str
    name: str
    at: int
    effect: Effect


def verify(body: bytes, signature: str | None, secrets: Sequence[str]) -> None:
    """Raises Refused(WEBHOOK_SIGNATURE_INVALID) unless a body was signed with one of the secrets.

    `signature`: the header x-dynamic-signature-256. HMAC-SHA256 over the raw bytes, all secrets in constant time.
    """
    match = _SIGNATURE.fullmatch(signature or "")
    sent = bytes.fromhex(match[1]) if match else b""
    expected = [hmac.digest(secret.encode("utf-8"), body, "sha256") for secret in secrets]
    if not any([hmac.compare_digest(sent, digest) for digest in expected]):  # noqa: C419 - each of them is compared
        raise Refused(Reason.WEBHOOK_SIGNATURE_INVALID, "no such header" if match is None else "")


def read(body: bytes, environment_id: str, now: int) -> DynamicEvent:
    """What a verified message says. Raises Refused(WEBHOOK_MALFORMED).

    Only what makes it an event of this environment is insisted on: Dynamic switches a webhook off whose messages are
    refused for long. Data of a form that we do not know say nothing.
    """
    return event_of(strict_json_object(body, Reason.WEBHOOK_MALFORMED), environment_id, now)


def event_of(message: Json, environment_id: str, now: int) -> DynamicEvent:
    """What a message, or an entry of the event log, says. Raises Refused(WEBHOOK_MALFORMED)."""
    event_id, name, at = message.get("eventId"), message.get("eventName"), text.moment(message.get("timestamp"))
    if not isinstance(event_id, str) or not _EVENT_ID.fullmatch(event_id):
        raise Refused(Reason.WEBHOOK_MALFORMED, "eventId")
    if not isinstance(name, str) or text.line(name) is None:
        raise Refused(Reason.WEBHOOK_MALFORMED, "eventName")
    if at is None or at <= 0:
        raise Refused(Reason.WEBHOOK_MALFORMED, "timestamp")
    if message.get("environmentId") != environment_id:
        raise Refused(Reason.WEBHOOK_MALFORMED, "environmentId")
    return DynamicEvent(
        environment_id=environment_id,
        event_id=event_id,
        name=name,
        at=min(at, now + CLOCKS_DIFFER),  # a time far off would make everything told later look older
        effect=effect_of(name, message),
    )
