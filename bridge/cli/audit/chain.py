"""From what ended back to what caused it, in sentences: the cause chain of a grant or of a browser's session."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.cli.configured import moment
from bridge.history import DYNAMIC, OPERATOR, AuditEntry, Cause, Event
from bridge.store.grants import KeptGrant

# Where a cascade of that cause begins.
_BEGINS: Mapping[Cause, Event] = {
    Cause.SIGNED_OUT: Event.SESSION_CLOSED,
    Cause.ENDED_BY_USER: Event.SESSION_CLOSED,
    Cause.ENDED_BY_OPERATOR: Event.SESSION_CLOSED,
    Cause.DYNAMIC_SESSION_ENDED: Event.DYNAMIC_SESSION_ENDED,
    Cause.USER_DISABLED: Event.USER_DISABLED,
    Cause.USER_REVOKED: Event.USER_REVOKED,
    Cause.SIGNED_OUT_EVERYWHERE: Event.USER_REVOKED,
    Cause.USER_DELETED: Event.USER_DELETED,
    Cause.USER_MERGED: Event.USER_MERGED,
    Cause.USER_ERASED: Event.USER_ERASED,
    Cause.DISCONNECTED: Event.CONSENT_WITHDRAWN,
}
_TOLD = {
    Event.LOGOUT_DELIVERED: "client {client} was told that the session has ended",
    Event.LOGOUT_UNDELIVERED: "client {client} could not be told that the session has ended",
}


@dataclass(frozen=True, slots=True)
class Link:
    """One step: what happened, and when. `follows`: from the end; else it led to it."""

    at: int
    sentence: str
    follows: bool = False

    def __str__(self) -> str:
        return f"{'→' if self.follows else '←'} {moment(self.at)}  {self.sentence}"


def grant_chain(grant: KeptGrant, entries: Sequence[AuditEntry]) -> list[Link]:
    """What ended a grant, step by step back to the beginning; then whom it was told to. Empty while it is open."""
    closing = _newest(e for e in entries if e.event is Event.GRANT_CLOSED and e.grant_id == grant.grant_id)
    if closing is None or closing.cause is None:
        return []
    about = [entry for entry in entries if entry.client_id in (None, grant.client_id)]
    told = [e for e in entries if e.event in _TOLD and e.sid == grant.sid and e.at >= closing.at]
    return [*_reuse(closing, entries), *_back(closing, about), *map(_told, told)]


def session_chain(session_id: str, entries: Sequence[AuditEntry]) -> list[Link]:
    """What ended a browser's session, step by step back to the beginning. Empty while it is open."""
    closing = _newest(
        e for e in entries if e.event is Event.SESSION_CLOSED and e.detail.get("session_id") == session_id
    )
    return [] if closing is None else list(_back(closing, entries))


def _back(closing: AuditEntry, entries: Sequence[AuditEntry]) -> Iterator[Link]:
    """From an end to the entry in which its cascade began, and who or what began it."""
    beginning = _beginning(closing, entries)
    if beginning.event is Event.SESSION_CLOSED and beginning is not closing:
        yield Link(beginning.at, f"the browser's session {beginning.detail.get('session_id', '')} ended".rstrip())
    elif beginning.event is Event.DYNAMIC_SESSION_ENDED:
        yield Link(beginning.at, f"the session {beginning.detail.get('dynamic_session', '')} at Dynamic ended")
    elif beginning is not closing:
        yield Link(beginning.at, beginning.event.sentence.format(actor=beginning.actor))
    yield Link(beginning.at, _source(beginning))


def _beginning(closing: AuditEntry, entries: Sequence[AuditEntry]) -> AuditEntry:
    begins = None if closing.cause is None else _BEGINS.get(closing.cause)
    if begins is None or closing.event is begins:
        return closing
    possible = [e for e in entries if e.event is begins and e.cause is closing.cause and e.at <= closing.at]
    told_alike = [e for e in possible if e.detail.get("event_id") == closing.detail.get("event_id")]
    return _newest(told_alike) or _newest(possible) or closing


def _source(beginning: AuditEntry) -> str:
    """Who or what began it."""
    told, event_id = beginning.detail.get("event"), beginning.detail.get("event_id")
    if event_id is not None:
        return f"Dynamic told so: {told}, event {event_id}"
    if told == "live_check":
        return "the live check asked Dynamic, which said that the session does not go on"
    if beginning.actor == OPERATOR:
        return "an operator did it"
    if beginning.actor == DYNAMIC:
        return "Dynamic told so"
    return f"{beginning.actor} did it"


def _reuse(closing: AuditEntry, entries: Sequence[AuditEntry]) -> Iterator[Link]:
    """The two presentations that do not go together."""
    sequence = closing.detail.get("sequence")
    if closing.cause is not Cause.REUSE_DETECTED or not isinstance(sequence, int):
        return
    yield Link(closing.at, f"refresh token {sequence} of the grant came back")
    used = {e.detail.get("sequence"): e for e in entries if _spent(e) and e.grant_id == closing.grant_id}
    for number, what in ((sequence + 1, "its successor, {0}, was used"), (sequence, "it was used first")):
        if number in used:
            yield Link(used[number].at, what.format(number))


def _spent(entry: AuditEntry) -> bool:
    return entry.event is Event.REFRESHED and entry.detail.get("state") == "unspent"


def _told(entry: AuditEntry) -> Link:
    return Link(entry.at, _TOLD[entry.event].format(client=entry.client_id), follows=True)


def _newest(entries: Iterable[AuditEntry]) -> AuditEntry | None:
    return max(entries, key=lambda entry: entry.at, default=None)
