"""What the two tokens of a sign-in say: `small` is Dynamic's access token, `large` its ID token. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.emulator.clock import iso
from bridge.emulator.credentials import hashes, wire
from bridge.emulator.legacy import legacy_claims
from bridge.emulator.model import Session, User, UserState
from bridge.emulator.switches import Switches

HOSTS = ("app.dynamicauth.com", "app.dynamic.xyz")

STATE_WORD: Mapping[UserState, str] = {
    UserState.complete: "user:basic",
    UserState.mfa_owed: "requiresAdditionalAuth",
    UserState.profile_incomplete: "userDataForm",
    UserState.device_unconfirmed: "device:register",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a token is made of. `issued_at` in Unix seconds, `lifetime` in seconds."""

    user: User
    session: Session
    switches: Switches
    environment_id: str
    issuer: str
    kid: str
    sid: str
    origin: str
    issued_at: int
    lifetime: int


def issuer(switches: Switches, environment_id: str, *, alias: bool = False) -> str:
    """`iss`: a host and the environment, with the scheme if the switches say so; `alias` takes Dynamic's other host."""
    host = switches.issuer_host
    if alias:
        host = HOSTS[0] if host == HOSTS[1] else HOSTS[1]
    return f"{switches.issuer_scheme}{host}/{environment_id}"


def small(facts: Facts) -> dict[str, object]:
    """The claims of the access token (`minifiedJwt`)."""
    user, session, switches = facts.user, facts.session, facts.switches
    optional = {
        "signin_credential_id": session.signin_credential_id if switches.signin_credential_present else None,
        "email": user.email,
        "username": user.username,
    }
    return {
        "kid": facts.kid,
        **_audience(facts.origin, switches),
        "iss": facts.issuer,
        "sub": user.id,
        "sid": facts.sid,
        "environment_id": facts.environment_id,
        "last_verified_credential_id": last_verified(user, session),
        **present(optional),
        "session_public_key": session.session_public_key,
        **scope_claim(user, switches),
        "verifiedCredentialsHashes": hashes(user.credentials),
        "hashed_ip": "12ca17b49af2289436f303e0166030a21e525d266e209267433801a8fd4071a0",
        "originalSid": session.original_sid,
        "refreshExp": session.refresh_expires_at,
        "sdkVersion": "ClientSDK/1.27.1",
        "deviceRegistrationId": None,
        "roles": list(user.roles),
        "iat": facts.issued_at,
        "exp": facts.issued_at + facts.lifetime,
    }


def large(facts: Facts) -> dict[str, object]:
    """The claims of the ID token (`jwt`): those of the small one, the profile, and every proven credential."""
    user, session, switches = facts.user, facts.session, facts.switches
    optional = {
        "alias": user.alias,
        "given_name": user.given_name,
        "family_name": user.family_name,
        "job_title": user.job_title,
        "team": user.team,
        "t_shirt_size": user.t_shirt_size,
        "country": user.country,
        "phone_number": user.phone_number,
    }
    return {
        **small(facts),
        **present(optional),
        **user.profile,
        "lists": list(user.lists),
        "missing_fields": missing_fields(user),
        "verified_credentials": [wire(credential, switches) for credential in user.credentials],
        "first_visit": iso(user.created_at),
        "last_visit": iso(user.last_visit_at),
        "new_user": session.new_user,
        "metadata": dict(user.metadata),
        **(legacy_claims(user, facts.environment_id) if switches.legacy_claims else {}),
    }


def last_verified(user: User, session: Session) -> str:
    """The id of the credential used last: linking one in a session moves it."""
    return user.last_verified_credential_id or session.signin_credential_id


def scope_claim(user: User, switches: Switches) -> dict[str, object]:
    """The `scope` member in the form the switches ask for, or none."""
    words = [STATE_WORD[user.state], *user.scopes]
    if user.state is not UserState.complete and switches.blocking_scope_beside_basic:
        words.insert(0, "user:basic")
    if switches.scope_form == "array":
        return {"scope": words}
    if user.state is UserState.complete and switches.scope_form != "string":
        return {"scope": ""} if switches.scope_form == "empty" else {}
    return {"scope": " ".join(words)}


def missing_fields(user: User) -> list[dict[str, object]]:
    """The required profile fields not yet given; empty but for a sign-in that still owes them."""
    if user.state is not UserState.profile_incomplete:
        return []
    required = {"required": True, "enabled": True, "unique": False, "verify": False, "type": "standard", "position": 1}
    return [{"name": "username", **required}]


def present(members: Mapping[str, object]) -> dict[str, object]:
    """`members` without those that have no value."""
    return {name: value for name, value in members.items() if value is not None}


def _audience(origin: str, switches: Switches) -> dict[str, object]:
    if switches.audience == "absent":
        return {}
    return {"aud": [origin] if switches.audience == "array" else origin}
