"""Refusals in words for people: what happened, and what they can do. The reason's own page is for developers."""

from collections.abc import Mapping

from bridge.errors import NotServed, Unavailable
from bridge.reasons import Explained, Reason
from bridge.signin_reasons import SignInReason

Wording = tuple[str, str]
"""A title, and a sentence below it."""

_BY_REASON: Mapping[Explained, Wording] = {
    Reason.MFA_OWED: ("One step is left", "Finish signing in with your second factor, then try again."),
    Reason.PROFILE_INCOMPLETE: ("One step is left", "Complete your profile where you signed in, then try again."),
    Reason.DEVICE_UNCONFIRMED: (
        "Confirm this device",
        "Follow the link in the e-mail that was sent to you, then try again.",
    ),
    Reason.ASSERTION_EXPIRED: ("You have been signed out", "Your sign-in has run out. Sign in again."),
    Reason.ASSERTION_REVOKED: ("You have been signed out", "Sign in again to go on."),
    Reason.ASSERTION_REPLAYED: ("You have to sign in again", "This sign-in has been used before."),
    Reason.USER_DISABLED: ("You cannot sign in", "Your account is switched off here. Ask those who run the app."),
    Reason.ENVIRONMENT_NOT_ALLOWED: ("You cannot sign in", "This app is not open to your account."),
    Reason.CLIENT_DISABLED: ("This app is switched off", "Ask those who run it."),
    Reason.TOO_MANY_REQUESTS: (
        "Too much at once",
        "More comes from your network or account than this server answers. Wait a minute, then try again.",
    ),
    SignInReason.SIGN_IN_EXPIRED: ("This sign-in has run out", "Go back to the app and sign in again."),
    SignInReason.ACCESS_DENIED: ("You are not signed in", "Nothing has changed. Sign in when you want to go on."),
    SignInReason.COOKIES_OFF: (
        "Cookies are switched off",
        "Allow cookies for this site, or open the app in a browser of its own, and sign in again.",
    ),
    SignInReason.SIGN_IN_NOT_FRESH: (
        "You have to sign in anew",
        "The app asked for a new sign-in, and an old one came. Sign out where you signed in, and try again.",
    ),
    SignInReason.FORM_FORGED: ("This page is out of date", "Go back to the app and begin again."),
}
_OF_THE_REQUEST = frozenset(
    {
        *(Reason.REQUEST_MALFORMED, Reason.PARAMETER_MISSING, Reason.PARAMETER_INVALID),
        *(Reason.PARAMETER_REPEATED, Reason.BODY_TOO_LARGE),
    }
)
_AWAY = ("This does not work right now", "A part of this service does not answer. Try again in a moment.")
_SIGN_IN_REFUSED = (
    "You could not be signed in",
    "The sign-in was not accepted. Try again; if it keeps happening, tell those who run the app the code below.",
)
_APP_MISTAKEN = ("The app has made a mistake", "Go back and try again; if it keeps happening, tell those who run it.")


def for_people(why: NotServed) -> Wording:
    """What a page says of a refusal. Fixed texts: nothing of the request is repeated."""
    if isinstance(why, Unavailable):
        return _AWAY
    if why.reason in _BY_REASON:
        return _BY_REASON[why.reason]
    if isinstance(why.reason, SignInReason):
        return _APP_MISTAKEN[0], why.reason.means
    return _APP_MISTAKEN if why.reason in _OF_THE_REQUEST else _SIGN_IN_REFUSED
