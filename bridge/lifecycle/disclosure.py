"""What is known of a user, for themselves to see and take along, and for an operator to look up.

No secret is in it, no digest, and nothing that names a session at Dynamic: a copy of it opens nothing.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from bridge.history import AuditEntry, Cause, Event, acting_user
from bridge.model import User
from bridge.store import Tx, audit, devices, grants
from bridge.store.devices import Connection, Consent, Device
from bridge.store.grants import KeptGrant

SHOWN = 50  # of a kind, on a page
KEPT = 10_000  # of a kind, in a document

_TOLD = (
    *(Event.SIGNED_IN, Event.ISSUED, Event.SESSION_CLOSED, Event.TOKEN_REVOKED),
    *(Event.CONSENT_GIVEN, Event.CONSENT_DENIED, Event.CONSENT_WITHDRAWN),
    *(Event.USER_DISABLED, Event.USER_ENABLED, Event.USER_REVOKED, Event.USER_ERASED, Event.USER_CHANGED),
    *(Event.DYNAMIC_SESSION_ENDED, Event.LOGOUT_UNDELIVERED),
)
_TOLD_CLOSINGS = (Cause.CLIENT_REVOKED, Cause.REUSE_DETECTED, Cause.CODE_REUSED, Cause.ENDED_BY_OPERATOR)
"""What a user is told of on their page. A grant that ends with its session is no news; a document has it all."""

_USER = acting_user("")
_DETAIL = frozenset(
    (
        *("attempts", "email", "error", "event", "grant_type", "head", "jti", "origin", "scope"),
        *("sequence", "session_id", "spent_at", "state", "wallet"),
    )
)
"""What a user is shown of an entry's detail: whatever is added to it later stays inside until it is listed here."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What a user has now, and what happened lately, the newest first."""

    devices: tuple[Device, ...]
    connections: tuple[Connection, ...]
    activity: tuple[AuditEntry, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """All that is remembered of a user, what is over included."""

    user: User
    devices: tuple[Device, ...] = field(repr=False)
    grants: tuple[KeptGrant, ...] = field(repr=False)
    consents: tuple[Consent, ...] = field(repr=False)
    history: tuple[AuditEntry, ...] = field(repr=False)


def overview_of(tx: Tx, user: User, now: int, *, entries: int) -> Overview:
    """What to show a user; `entries`: how much of what happened."""
    return Overview(
        devices=tuple(devices.open_devices(tx, user, now, limit=SHOWN)),
        connections=tuple(devices.connections(tx, user, now)),
        activity=tuple(audit.news_of_user(tx, user.sub, _TOLD, _TOLD_CLOSINGS, limit=entries)),
    )


def record_of(tx: Tx, user: User) -> Record:
    """What there is of a user, the newest first."""
    return Record(
        user=user,
        devices=tuple(devices.every_device(tx, user.sub, limit=KEPT)),
        grants=tuple(grants.of_user(tx, user.sub, limit=KEPT)),
        consents=tuple(devices.consents_of(tx, user.sub)),
        history=tuple(audit.of_user(tx, user.sub, limit=KEPT)),
    )


def as_document(record: Record) -> dict[str, Any]:
    """The record as JSON can say it. Times are seconds since the epoch."""
    user = record.user
    return {
        "profile": {
            "sub": user.sub,
            "dynamic_environment_id": user.environment_id,
            "dynamic_user_id": user.user_id,
            "disabled": user.disabled,
            "signed_out_everywhere_at": user.revoked_at,
            "claims": dict(user.claims),
        },
        "sessions": [session_document(device) for device in record.devices],
        "grants": [asdict(grant) for grant in record.grants],
        "consents": [asdict(consent) for consent in record.consents],
        "history": [entry_document(entry, user.sub) for entry in record.history],
    }


def entry_document(entry: AuditEntry, sub: str) -> dict[str, Any]:
    """What happened, as the user with that sub may read it: nobody else is named, nor a session at Dynamic."""
    document = entry.as_json()
    if entry.actor.startswith(_USER) and entry.actor != acting_user(sub):
        document["actor"] = _USER.rstrip(":")
    document["detail"] = {name: value for name, value in entry.detail.items() if name in _DETAIL}
    return document


def session_document(device: Device) -> dict[str, Any]:
    """A browser's session as JSON can say it."""
    session = device.session
    return {
        "session_id": session.session_id,
        "browser": session.user_agent,
        "origin": session.origin,
        "auth_time": session.auth_time,
        "amr": list(session.amr),
        "opened_at": session.opened_at,
        "last_used_at": device.last_used_at,
        "expires_at": session.expires_at,
        "closed_at": device.closed_at,
        "closed_cause": device.closed_cause,
    }
