"""What we believe of Dynamic without proof, each belief as a switch; a default is what we think likeliest."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from bridge.emulator.model import UserState

CHOICES: Mapping[str, tuple[object, ...]] = {
    "issuer_scheme": ("", "https://"),
    "keys_endpoint_pem": ("pkcs1", "spki"),
    "audience": ("origin", "array", "absent"),
    "scope_form": ("string", "array", "absent", "empty"),
    "session_status": (200, 204),
    "session_refused_status": (401, 403, 404),
    "profile_entries": ("snake_case", "camelCase"),
    "new_user_state": tuple(state.value for state in UserState),
}


@dataclass(frozen=True, slots=True)
class Switches:
    """The environment's open questions and its dashboard settings. ValueError on a value that a field cannot take."""

    sid_changes_on_refresh: bool = True
    """A refresh opens a new `sid` (and keeps `originalSid`); the old one has then ended."""
    old_token_ends_on_refresh: bool = True
    """A superseded token is refused at once, and not only from its own `exp` on."""
    revokes_old_sid_on_refresh: bool = False
    """A refresh that opens a new `sid` tells of the old one as `user.session.revoked`, though the session goes on."""

    issuer_host: str = "app.dynamicauth.com"
    """The host in `iss`: Dynamic's, its alias app.dynamic.xyz, or a customer's own."""
    issuer_scheme: Literal["", "https://"] = ""
    small_token_same_issuer: bool = True
    """Off: the small token's `iss` names Dynamic's other host, app.dynamic.xyz beside app.dynamicauth.com."""
    small_token_same_key: bool = True
    """Off: a second key, also in the JWKS, signs the small token."""
    small_token_same_sid: bool = True
    """Off: the small token of a session carries a sid of its own."""

    audience: Literal["origin", "array", "absent"] = "origin"
    """`aud`: the page's origin, a list with only that in it, or no claim at all."""
    scope_form: Literal["string", "array", "absent", "empty"] = "string"
    """`scope` of a complete sign-in; absent and empty were seen in older tokens. A sign-in that is not complete keeps
    its words in every form but array, as the old ones did."""
    blocking_scope_beside_basic: bool = False
    """A sign-in that owes a step carries `user:basic` beside the word that says so."""
    signin_credential_present: bool = True
    """Off: tokens of models before 2026, without `signin_credential_id`."""
    sign_in_enabled_present: bool = True
    """Off: credentials of 2024, without `signInEnabled`."""
    verified_at_present: bool = True
    """Off: credentials of 2025, without `verifiedAt`."""
    legacy_claims: bool = False
    """On: the large token repeats itself in the old claims (`blockchain_accounts`, `verified_account`, `info`)."""

    kid_equals_keys_endpoint_id: bool = True
    """The id at /environments/<env>/keys is the `kid` of the JWKS."""
    keys_endpoint_pem: Literal["pkcs1", "spki"] = "spki"
    jwks_cache_control: str | None = None
    """The Cache-Control header of the JWKS answer, if it has one."""

    session_status: Literal[200, 204] = 204
    """What /session answers while the session lives."""
    session_refused_status: Literal[401, 403, 404] = 401
    """What /session answers when it does not."""
    sdk_requires_origin: bool = False
    """Calls to /sdk/* (the JWKS aside) need an Origin header."""
    allowed_origins: tuple[str, ...] = ()
    """The dashboard's list: a page of another origin is refused, and may not read that it was. Dynamic restricts
    nothing while it is empty."""
    profile_entries: Literal["snake_case", "camelCase"] = "snake_case"
    """Names inside `verifiedCredentials` at /sdk/<env>/users."""

    cookie_mode: bool = False
    """The token lives in the cookie DYNAMIC_JWT_TOKEN; a refresh hands out no JWT."""
    jwt_duration_minutes: int = 120
    """Lifetime of a token, and what the settings say."""
    token_lifetime_seconds: int = 0
    """Lifetime of a token, if it is to be another than the settings say; 0 if it is not."""
    mfa_required: bool = False
    device_registration_required: bool = False
    environment_locked: bool = False
    captcha_enabled: bool = False
    """Codes are sent and people signed in only with a captchaToken, any."""
    rate_limits: bool = False
    """Calls to /sdk/* are counted, and refused once there were more than Dynamic's documentation allows one address."""
    device_proof_required: bool = False
    """Where the SDKs send the proof of their device, there must be one."""
    new_user_state: Literal["complete", "mfa_owed", "profile_incomplete", "device_unconfirmed"] = "complete"
    """The state of a user who signs in for the first time."""
    social_redirect_urls: tuple[str, ...] = ()
    """Where a sign-in by social account may end, without query; anywhere while the list is empty."""

    def __post_init__(self) -> None:
        for member in fields(self):
            _check(member.name, getattr(self, member.name), member.default)

    @property
    def token_lifetime(self) -> int:
        """Seconds."""
        return self.token_lifetime_seconds or self.jwt_duration_minutes * 60


def switched(switches: Switches, changes: Mapping[str, Any]) -> Switches:
    """`switches` with `changes` by name (a list stands for a tuple, as in JSON). ValueError on an unknown name or a
    value that does not fit."""
    known = {member.name for member in fields(Switches)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise ValueError(f"no such switch: {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in changes.items()}
    return replace(switches, **values)


def _check(name: str, value: object, default: object) -> None:
    if name == "jwks_cache_control":
        if value is not None and not (isinstance(value, str) and value.isascii() and value.isprintable()):
            raise ValueError("jwks_cache_control must be printable ASCII or null")
        return
    if type(value) is not type(default):
        raise ValueError(f"{name} must be of type {type(default).__name__}")
    if isinstance(value, tuple) and not all(isinstance(entry, str) for entry in value):
        raise ValueError(f"{name} must hold strings")
    if name == "jwt_duration_minutes" and not (isinstance(value, int) and 1 <= value <= 30 * 24 * 60):
        raise ValueError("jwt_duration_minutes must be 1 to 43200")
    if name == "token_lifetime_seconds" and not (isinstance(value, int) and 0 <= value <= 30 * 24 * 3600):
        raise ValueError("token_lifetime_seconds must be 0 to 2592000")
    if name in CHOICES and value not in CHOICES[name]:
        raise ValueError(f"{name} must be one of: {', '.join(repr(choice) for choice in CHOICES[name])}")
