"""Why a sign-in or sign-out in the browser was refused. Pages show these, and redirects carry them."""

from collections.abc import Mapping

from bridge.reasons import Explained, Reason


class SignInReason(Explained):
    """Why a person's way through the browser ended."""

    # Shown on a page, for there is nowhere safe to redirect to
    CLIENT_UNKNOWN = (
        "The app that sent you here is not known to this server.",
        "Compare the app's client_id with: oidc-bridge client list",
    )
    REDIRECT_URI_NOT_REGISTERED = (
        "The app wants you sent back to an address that is not registered for it, or names none.",
        "Register it, byte by byte: oidc-bridge client update ID --redirect-uri https://app.example.com/callback",
    )
    SIGN_IN_EXPIRED = (
        "This sign-in has taken too long, was finished already, or began in another browser.",
        "Go back to the app and sign in again.",
    )
    COOKIES_OFF = (
        "This browser does not send back the cookie of this server, without which nobody can be signed in.",
        "Allow cookies for this site, or leave the app's built-in browser for a real one, and sign in again.",
    )
    SIGN_IN_PAGE_UNKNOWN = (
        "The sign-in came from a page that is not this app's sign-in page.",
        "Its origin must be that of signin_url, and its Referrer-Policy must not be no-referrer.",
    )
    SIGN_IN_NOT_FRESH = (
        "The app asked for a new sign-in, and the one that came was an old one.",
        "The page has to log out of Dynamic first for prompt=login. If it does, set the environment's refresh_window.",
    )
    FORM_FORGED = (
        "The form did not come from the page that was shown to you, or your cookies are switched off.",
        "Go back to the app and begin again.",
    )
    SIGN_OUT_TARGET_NOT_REGISTERED = (
        "The app wants you sent to an address after signing out that is not registered for it.",
        "Register it: oidc-bridge client update ID --post-logout-redirect-uri https://app.example.com/",
    )
    # Sent to the client
    RESPONSE_TYPE_UNSUPPORTED = (
        "The response_type is not code, the only one offered.",
        "Send response_type=code.",
    )
    PKCE_REQUIRED = (
        "The request has no code_challenge with code_challenge_method=S256, which this client has to send.",
        "Use PKCE, or for a confidential client that cannot: oidc-bridge client update ID --no-require-pkce",
    )
    REQUEST_OBJECT_UNSUPPORTED = (
        "Request objects (the parameter request) are not offered.",
        "Send the parameters themselves.",
    )
    REQUEST_URI_UNSUPPORTED = (
        "A request_uri from outside is not accepted.",
        "Send the parameters themselves.",
    )
    LOGIN_REQUIRED = (
        "The user is not signed in, or not lately enough, or as somebody else, and prompt=none forbids asking.",
        "Send the user to /authorize without prompt=none.",
    )
    CONSENT_REQUIRED = (
        "The user has to consent first, and nobody can be asked in this request.",
        "Send the user to /authorize, without prompt=none.",
    )
    ACCESS_DENIED = (
        "The user did not want to sign in, or did not consent.",
        "Nothing; the user may try again.",
    )
    ACR_UNMET = (
        "The request demands an authentication context that cannot be reached here.",
        "Ask for acr as voluntary, or for the values in acr_values_supported.",
    )


REASONS: Mapping[str, Explained] = {reason.code: reason for kind in (Reason, SignInReason) for reason in kind}
"""Every reason there is, by its code."""
