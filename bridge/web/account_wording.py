"""What happened, told to the one whom it happened to; and how they signed in."""

from collections.abc import Mapping, Sequence

from bridge.history import AuditEntry, Cause, Event

NOTICES: Mapping[str, str] = {
    "ended": "The session has ended, and so has what the apps had of it.",
    "disconnected": "The app is disconnected: its access has ended. "
    "It can get it again when you next open it; some apps have to ask you first.",
    "nothing": "That had ended already.",
}
"""What is said of the deed that led back to the page."""

_HOW: Mapping[str, str] = {
    "otp": "a code by e-mail",
    "sms": "a code by text message",
    "swk": "a wallet",
    "fed": "a social account",
    "pop": "a passkey",
}
_EVENTS: Mapping[Event, str] = {
    Event.SIGNED_IN: "You signed in with a browser",
    Event.ISSUED: "You were signed in to {app}",
    Event.CONSENT_GIVEN: "You allowed {app} what it asked for",
    Event.CONSENT_DENIED: "You did not allow {app} what it asked for",
    Event.CONSENT_WITHDRAWN: "You took back what {app} was allowed",
    Event.SESSION_CLOSED: "The session of a browser ended",
    Event.GRANT_CLOSED: "The access of {app} ended",
    Event.TOKEN_REVOKED: "{app} gave back an access",
    Event.DYNAMIC_SESSION_ENDED: "Dynamic ended a session of yours",
    Event.USER_DISABLED: "Your account was switched off here",
    Event.USER_ENABLED: "Your account was switched on again",
    Event.USER_REVOKED: "You were signed out everywhere",
    Event.USER_ERASED: "Your data was erased here",
    Event.USER_CHANGED: "Dynamic told of a change of your account",
    Event.LOGOUT_UNDELIVERED: "{app} could not be told that you signed out",
}
_CAUSES: Mapping[Cause, str] = {
    Cause.CLIENT_REVOKED: "the app gave it back",
    Cause.REUSE_DETECTED: "an old token of it was used again, as a thief would",
    Cause.CODE_REUSED: "its code was used twice, as a thief would",
    Cause.SIGNED_OUT: "you signed out",
    Cause.SESSION_REPLACED: "another account signed in with the same browser",
    Cause.USER_REVOKED: "an operator did that",
    Cause.SIGNED_OUT_EVERYWHERE: "you wanted it",
    Cause.ENDED_BY_USER: "you ended it from another device",
    Cause.ENDED_BY_OPERATOR: "an operator ended it",
    Cause.DISCONNECTED: "you disconnected the app",
    Cause.DYNAMIC_SESSION_ENDED: "Dynamic ended what it rested on",
}


def how(amr: Sequence[str]) -> str | None:
    """How somebody signed in, if Dynamic told."""
    return next((_HOW[word] for word in amr if word in _HOW), None)


def told(entry: AuditEntry) -> tuple[str, bool, str]:
    """The sentence around the name of an app: what stands before it, whether it is about one, what stands after."""
    sentence = _EVENTS.get(entry.event, entry.event.sentence.format(actor="Somebody"))
    if entry.cause is not None and entry.cause in _CAUSES and entry.event is not Event.CONSENT_WITHDRAWN:
        sentence += f": {_CAUSES[entry.cause]}"
    before, name, after = sentence.partition("{app}")
    return before, name != "", after
