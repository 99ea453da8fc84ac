"""Every reason for which the bridge says no, with what it means and what mends it.

A code, once published, keeps its meaning: people search logs for it. The pages under /reasons and docs/reasons.md
are made of this list.
"""

from enum import Enum


class Explained(Enum):
    """A stable code (`Reason.X.code`), what it `means`, and the step that `mends` it."""

    def __init__(self, means: str, mends: str) -> None:
        self.means = means
        self.mends = mends

    @property
    def code(self) -> str:
        """The stable public code, lower case: `assertion_expired`."""
        return self.name.lower()


class Reason(Explained):
    """Why a machine's request was refused."""

    # The assertion: its form
    ASSERTION_MALFORMED = (
        "The assertion is not a compact JWT: three base64url parts without padding, at most 32 kB, holding JSON objects"
        " in UTF-8 without repeated members.",
        "Send the string that Dynamic's SDK hands out (getAuthToken()), unchanged and without quotes or a prefix.",
    )
    ALGORITHM_NOT_ALLOWED = (
        "The assertion's header names an algorithm other than RS256, the only one Dynamic uses.",
        "Send a token that Dynamic issued. A token with another algorithm is a forgery or comes from elsewhere.",
    )
    HEADER_NOT_ALLOWED = (
        "The assertion's header carries a member that would choose a key or a processing rule (jwk, jku, x5c, x5u,"
        " crit, b64, enc, zip), a type other than JWT, or a key id that is not a short plain string.",
        "Send a token that Dynamic issued; its header has alg, typ and kid only.",
    )
    # The assertion: whose it is
    ENVIRONMENT_UNKNOWN = (
        "The assertion was issued for a Dynamic environment that this bridge is not configured for, or is none of"
        " Dynamic's.",
        "Compare DYNAMIC_ENVIRONMENT_ID with the app's environment id: sandbox and live are two environments.",
    )
    KEY_UNKNOWN = (
        "The environment's published keys do not include the one that the assertion names.",
        "If Dynamic has just rotated keys, try again in half a minute. Otherwise the token is not from this"
        " environment.",
    )
    SIGNATURE_INVALID = (
        "The assertion's signature does not fit its content and the environment's key.",
        "The token was altered or forged. Take a fresh one from Dynamic's SDK.",
    )
    ISSUER_NOT_ACCEPTED = (
        "The assertion's iss is not one that the environment is known to use.",
        "With a custom hostname at Dynamic, add '<host>/<environment id>' to the environment's issuers.",
    )
    AUDIENCE_NOT_LISTED = (
        "The assertion was issued to a web origin that the client does not list (or lists none at all).",
        "List the origin of the page where the user signs in, beside those listed so far: oidc-bridge client update ID"
        " --assertion-origin https://app.example.com",
    )
    SUBJECT_INVALID = (
        "The assertion's sub or sid is missing, too long, holds characters that no identifier has, or is another"
        " user's.",
        "Take a fresh token from Dynamic's SDK; if it happens again, report it with the output of oidc-bridge explain.",
    )
    # The assertion: its time
    TIMES_INVALID = (
        "The assertion's iat, exp or nbf is missing, not a whole number, or contradicts the others.",
        "Send a token that Dynamic issued, unchanged.",
    )
    ASSERTION_EXPIRED = (
        "The assertion's exp has passed.",
        "Refresh the sign-in at Dynamic and send the new token. If the token is fresh, check this machine's clock.",
    )
    ASSERTION_NOT_YET_VALID = (
        "The assertion's iat or nbf lies in the future.",
        "Check this machine's clock: time synchronisation is probably off.",
    )
    ASSERTION_TOO_OLD = (
        "The assertion was issued longer ago than this door accepts (assertion_max_age).",
        "Send the token soon after sign-in, or raise the client's assertion_max_age.",
    )
    LIFETIME_TOO_LONG = (
        "The assertion lives longer than this bridge accepts (assertion_max_lifetime).",
        "Shorten the JWT lifetime in Dynamic's dashboard, or raise assertion_max_lifetime.",
    )
    # The assertion: what it proves
    SIGN_IN_INCOMPLETE = (
        "The assertion lacks the scope word user:basic, which Dynamic adds when a sign-in is complete.",
        "Finish the sign-in. For environments that still issue tokens without scope, set legacy_scope.",
    )
    MFA_OWED = (
        "The user has not finished multi-factor authentication at Dynamic (requiresAdditionalAuth).",
        "Let the user finish MFA, then send the new token.",
    )
    PROFILE_INCOMPLETE = (
        "The user still owes required profile fields at Dynamic (userDataForm, missing_fields).",
        "Let the user complete the profile, then send the new token.",
    )
    DEVICE_UNCONFIRMED = (
        "The user's device is not yet confirmed at Dynamic (device:register).",
        "Let the user follow the link in the e-mail that Dynamic sent, then send the new token.",
    )
    NOT_A_SIGN_IN = (
        "The token is a genuine Dynamic token of another kind (elevated access, backup, single use), not a sign-in.",
        "Send the token of the sign-in: getAuthToken() or the client's token.",
    )
    ASSERTION_REPLAYED = (
        "The assertion was presented before at a door that takes each one once.",
        "Take a fresh token from Dynamic for every request.",
    )
    ASSERTION_REVOKED = (
        "The user was signed out everywhere after Dynamic issued the assertion.",
        "Let the user sign in again.",
    )
    SESSION_ENDED = (
        "Dynamic has ended the session of the assertion since it was issued.",
        "Let the user sign in again at Dynamic.",
    )
    # The code
    CODE_INVALID = (
        "The code is none of this bridge's, was issued to another client, or is older than 60 seconds.",
        "Redeem the code of the redirect at once, with the client that asked for it.",
    )
    CODE_REUSED = (
        "The code was redeemed before; what came of it was revoked, since one of the two may be a thief.",
        "Redeem each code once. Let the user sign in again.",
    )
    CODE_NOT_THIS_REQUEST = (
        "The redirect_uri or the code_verifier is not the one of the authorization request.",
        "Send the very redirect_uri, and the verifier whose S256 challenge was sent (none if none was).",
    )
    # The refresh token
    REFRESH_TOKEN_INVALID = (
        "The refresh token is none of this bridge's, or was issued to another client.",
        "Send the refresh token of the last answer, unchanged; if there is none, let the user sign in again.",
    )
    REFRESH_TOKEN_EXPIRED = (
        "The refresh token was not used for longer than the client's refresh_idle_ttl.",
        "Let the user sign in again, or set a longer time: oidc-bridge client update ID --refresh-idle-ttl SECONDS",
    )
    REFRESH_TOKEN_REUSED = (
        "The refresh token had been replaced and its successor was in use, so somebody may have copied it: the grant"
        " was closed.",
        "Let the user sign in again. Keep the newest refresh token of the answers, and only one copy of it.",
    )
    GRANT_ENDED = (
        "The grant behind the code or refresh token has ended: revoked, signed out, closed or expired.",
        "Let the user sign in again. An operator can ask why: oidc-bridge audit why SUB",
    )
    # Policy
    CLIENT_DISABLED = (
        "The client is disabled.",
        "An operator can run: oidc-bridge client enable ID",
    )
    USER_DISABLED = (
        "The user is disabled at this bridge.",
        "An operator can run: oidc-bridge user enable SUB",
    )
    USER_DELETED = (
        "The user was deleted at Dynamic, or merged into another user there.",
        "Let them sign in again: Dynamic then says who they are now.",
    )
    ENVIRONMENT_NOT_ALLOWED = (
        "The client does not accept users of this Dynamic environment, or the environment is disabled.",
        "Add the environment to the client's environments, or enable it in bridge.toml.",
    )
    GRANT_NOT_ALLOWED = (
        "The client may not use this grant type.",
        "List all the grants it needs: oidc-bridge client update ID --grant token-exchange --grant client_credentials",
    )
    SCOPE_NOT_ALLOWED = (
        "The request asks for a scope that is malformed, unknown, or not among the client's scopes.",
        "Ask for less, or list all the scopes the client needs: oidc-bridge client update ID --scope A --scope B",
    )
    TARGET_NOT_ALLOWED = (
        "The request names a resource or audience that is malformed or not among the client's audiences.",
        "List it, beside those listed so far: oidc-bridge client update ID --audience https://api.example.com",
    )
    # The request
    REQUEST_MALFORMED = (
        "The request's parameters are not well-formed application/x-www-form-urlencoded in UTF-8.",
        "Form-encode them; by POST they go into the body, with that content type.",
    )
    PARAMETER_REPEATED = (
        "A parameter that may stand once stands more than once.",
        "Send each parameter once; only resource and audience may repeat, at most ten times.",
    )
    PARAMETER_MISSING = (
        "A required parameter is absent or empty.",
        "docs/endpoints.md lists the parameters of each endpoint.",
    )
    PARAMETER_INVALID = (
        "A parameter has a value that this endpoint does not understand.",
        "docs/endpoints.md lists the parameters of each endpoint.",
    )
    GRANT_TYPE_UNSUPPORTED = (
        "The grant_type is not one that this bridge offers.",
        "The discovery document lists grant_types_supported.",
    )
    CLIENT_AUTHENTICATION_FAILED = (
        "The client is unknown, its secret is wrong, or it used a method that it is not registered for.",
        "Check client id and secret; make a new secret with: oidc-bridge client rotate-secret ID",
    )
    CLIENT_AUTHENTICATION_AMBIGUOUS = (
        "The request authenticates its client in more than one way.",
        "Send the secret either in the Authorization header or in the body, not both.",
    )
    TOO_MANY_TRIES = (
        "Client authentication failed too often from here.",
        "Wait as long as Retry-After says, and mend the secret first.",
    )
    TOO_MANY_REQUESTS = (
        "More requests come from this address, this client or for this user than this server answers.",
        "Wait as long as Retry-After says. An operator finds in the log which limit it was, and sets it with"
        " BRIDGE_LIMITS.",
    )
    BODY_TOO_LARGE = (
        "The request body is larger than 64 kB.",
        "Send less.",
    )
    # Our own tokens
    ACCESS_TOKEN_INVALID = (
        "The access token is not one of this bridge's, has expired, or what it stood for has ended.",
        "Get a new access token.",
    )
    TOKEN_OF_ANOTHER_CLIENT = (
        "The token was issued to another client, which alone may revoke it.",
        "Revoke it as the client that got it.",
    )
    SCOPE_INSUFFICIENT = (
        "The access token does not carry the scope openid, which userinfo needs.",
        "Ask for scope openid when getting the token.",
    )
    # Dynamic's webhooks
    WEBHOOK_NOT_CONFIGURED = (
        "No webhook secret is configured for the Dynamic environment in the URL, or the bridge does not know it.",
        "Set DYNAMIC_WEBHOOK_SECRETS; oidc-bridge dynamic webhook create makes a webhook and prints its secret.",
    )
    WEBHOOK_SIGNATURE_INVALID = (
        "The webhook message carries no signature, or one that fits none of the environment's webhook secrets.",
        "Compare DYNAMIC_WEBHOOK_SECRETS with the webhook's secret in Dynamic's dashboard. A proxy in between must not"
        " change the body.",
    )
    WEBHOOK_MALFORMED = (
        "The webhook message is signed but is no event: not strict JSON, or without eventId, eventName, timestamp or"
        " the environment of the URL.",
        "Compare the environment id in the webhook's URL with the environment that the webhook belongs to.",
    )
    # Not the caller's fault
    KEYS_UNAVAILABLE = (
        "The Dynamic environment's keys cannot be fetched and none are remembered.",
        "Try again. An operator can run: oidc-bridge check --live",
    )
    PROFILE_UNAVAILABLE = (
        "Dynamic did not answer for the user's profile in time; the tokens were issued without it.",
        "Exchange again later, or send the large token (getAuthToken()), which carries the profile.",
    )
    LIVE_CHECK_UNAVAILABLE = (
        "Dynamic does not say whether the user's session there goes on, and this bridge waits for that rather than"
        " believe it (live_check closed).",
        "Try again. An operator finds the cause in the log, as live check.",
    )
    DATABASE_UNAVAILABLE = (
        "The bridge's database does not answer.",
        "Try again. An operator finds the cause in the log.",
    )
    TOO_BUSY = (
        "More requests wait for something slow than this server works at.",
        "Try again.",
    )
