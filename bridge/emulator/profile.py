"""A user as Dynamic's SDK endpoints show one: camelCase at the top, wire entries inside."""

from bridge.emulator.claims import last_verified, missing_fields, present, scope_claim
from bridge.emulator.clock import iso
from bridge.emulator.credentials import camel_cased, wire
from bridge.emulator.model import Session, User
from bridge.emulator.switches import Switches


def sdk_user(user: User, session: Session, switches: Switches, environment_id: str) -> dict[str, object]:
    """The `SdkUser` that the caller's own token resolves to, with every credential."""
    entries = [wire(credential, switches) for credential in user.credentials]
    optional = {
        "email": user.email,
        "username": user.username,
        "firstName": user.given_name,
        "lastName": user.family_name,
        "phoneNumber": user.phone_number,
        "alias": user.alias,
        "country": user.country,
        "jobTitle": user.job_title,
        "team": user.team,
        "tShirtSize": user.t_shirt_size,
    }
    return {
        "id": user.id,
        "projectEnvironmentId": environment_id,
        "verifiedCredentials": [camel_cased(e) for e in entries]
        if switches.profile_entries == "camelCase"
        else entries,
        "lastVerifiedCredentialId": last_verified(user, session),
        "sessionId": session.sid,
        **present(optional),
        **scope_claim(user, switches),
        "missingFields": missing_fields(user),
        "lists": list(user.lists),
        "metadata": dict(user.metadata),
        "firstVisit": iso(user.created_at),
        "lastVisit": iso(user.last_visit_at),
        "newUser": session.new_user,
    }
