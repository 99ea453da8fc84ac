"""What Dynamic shows to a customer's server: users, sessions and credentials, in its API and in its events."""

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.emulator.claims import missing_fields, present, scope_claim
from bridge.emulator.clock import iso
from bridge.emulator.credentials import wire
from bridge.emulator.model import Credential, Session, User
from bridge.emulator.switches import Switches

# Members of a token's claims that the API writes in another way than camelCase of the field's own name.
_NAMES = {"given_name": "firstName", "family_name": "lastName"}
_FIELDS = (
    "email",
    "username",
    "given_name",
    "family_name",
    "phone_number",
    "alias",
    "country",
    "job_title",
    "team",
    "t_shirt_size",
)


def user_view(user: User, switches: Switches, environment_id: str, sessions: Iterable[Session] = ()) -> dict[str, Any]:
    """The `User` of Dynamic's API; `sessions` are shown if there are any."""
    optional = {_api_name(name): getattr(user, name) for name in _FIELDS}
    entries = [wire(credential, switches) for credential in user.credentials]
    return {
        "id": user.id,
        "projectEnvironmentId": environment_id,
        "verifiedCredentials": entries,
        "lastVerifiedCredentialId": user.last_verified_credential_id,
        **present(optional),
        **scope_claim(user, switches),
        "missingFields": missing_fields(user),
        "lists": list(user.lists),
        "metadata": dict(user.metadata),
        "firstVisit": iso(user.created_at),
        "lastVisit": iso(user.last_visit_at),
        "createdAt": iso(user.created_at),
        "updatedAt": iso(user.last_visit_at),
        "sessions": [session_view(session, environment_id) for session in sessions],
        "wallets": [wallet_view(c, user.id) for c in user.credentials if c.format == "blockchain"],
        "oauthAccounts": [social_view(c, user.id) for c in user.credentials if c.format == "oauth"],
        "mfaDevices": [],
    }


def session_view(session: Session, environment_id: str) -> dict[str, Any]:
    """The `Session` of Dynamic's API, with the members that real messages have beside those of the published model."""
    return {
        "id": session.sid,
        "createdAt": iso(session.created_at),
        "ipAddress": "127.0.0.1",
        "userAgent": "emulator",
        "revokedAt": None if session.revoked_at is None else iso(session.revoked_at),
        "userId": session.user_id,
        "projectEnvironmentId": environment_id,
        "origin": session.origin,
        "expiresAt": iso(session.refresh_expires_at),
    }


def wallet_view(credential: Credential, user_id: str) -> dict[str, Any]:
    """The `Wallet` of an event: `publicKey` is the address."""
    members = credential.members
    return {
        "id": credential.id,
        "userId": user_id,
        "chain": members.get("chain"),
        "publicKey": members.get("address"),
        "name": members.get("wallet_name"),
        "provider": members.get("wallet_provider"),
    }


def social_view(credential: Credential, user_id: str) -> dict[str, Any]:
    """The social account of an event."""
    members = credential.members
    return {
        "id": credential.id,
        "userId": user_id,
        "provider": members.get("oauth_provider"),
        "accountId": members.get("oauth_account_id"),
        "accountUsername": members.get("oauth_username"),
    }


def email_view(credential: Credential, user_id: str) -> dict[str, Any]:
    """The e-mail address of an event."""
    return {"id": credential.id, "userId": user_id, "email": credential.members.get("email")}


def profile_fields(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a `PUT /users/<id>` as fields of a user; those that Dynamic does not let be changed are left."""
    names = {_api_name(name): name for name in (*_FIELDS, "metadata")}
    return {names[name]: value for name, value in changes.items() if name in names}


def _api_name(field: str) -> str:
    head, *rest = field.split("_")
    return _NAMES.get(field, head + "".join(part.capitalize() for part in rest))
