"""Credentials: how a new one becomes linked, how it looks on the wire, and the hashes over them."""

import hashlib
import re
import secrets
import uuid
from collections.abc import Iterable, Mapping

from bridge.emulator.clock import iso
from bridge.emulator.errors import UnknownCredentialError
from bridge.emulator.model import Credential, NewCredential, NewEmail, NewOAuth, NewPhone, NewWallet, User
from bridge.emulator.switches import Switches

HASHED_FORMATS = ("blockchain", "email", "oauth", "phoneNumber", "externalUser")

EMBEDDED = "embeddedWallet"


def linked(new: NewCredential, now: int) -> Credential:
    """`new` as a credential of a user, verified `now` (Unix seconds) unless it says when. ValueError if it is a wallet
    without an address on a chain whose addresses we cannot make up."""
    sign_in = new.sign_in
    if isinstance(new, NewWallet):
        sign_in = new.wallet_provider != EMBEDDED if sign_in is None else sign_in
    return Credential(
        id=new.id or str(uuid.uuid4()),
        format=_format(new),
        members={name: value for name, value in _members(new).items() if value is not None},
        sign_in=bool(sign_in),
        verified_at=now if new.verified_at is None else new.verified_at,
        last_selected_at=new.last_selected_at if isinstance(new, NewWallet) else None,
    )


def opening_credential(user: User, credential_id: str | None) -> str:
    """The id of the credential that opens a session: the one named, or the first that may, or (the user has none)
    that of one since unlinked. UnknownCredentialError if the named one is not the user's."""
    if credential_id is None:
        return next((credential.id for credential in user.credentials if credential.sign_in), str(uuid.uuid4()))
    if all(credential.id != credential_id for credential in user.credentials):
        raise UnknownCredentialError("the user has no such credential")
    return credential_id


def proves(new: NewCredential, credential: Credential) -> bool:
    """Whether `new` shows what `credential` has shown: the same address, or the same account. No other formats."""
    match new:
        case NewEmail(email=email):
            return credential.format == "email" and _is(credential, "email", email)
        case NewWallet(chain=chain, address=str(address)):
            return (
                credential.format == "blockchain"
                and _is(credential, "chain", chain)
                and _is(credential, "address", address)
            )
        case NewOAuth(provider=provider, account_id=account_id):
            return (
                credential.format == "oauth"
                and credential.members.get("oauth_provider") == provider
                and credential.members.get("oauth_account_id") == account_id
            )
        case _:
            return False


def wire(credential: Credential, switches: Switches) -> dict[str, object]:
    """An entry of `verified_credentials`: snake_case but for the few names Dynamic writes in camelCase."""
    entry: dict[str, object] = {"id": credential.id, "format": credential.format, **credential.members}
    if switches.sign_in_enabled_present:
        entry["signInEnabled"] = credential.sign_in
    if switches.verified_at_present:
        entry["verifiedAt"] = iso(credential.verified_at)
    if credential.last_selected_at is not None:
        entry["lastSelectedAt"] = iso(credential.last_selected_at)
    return entry


def camel_cased(entry: Mapping[str, object]) -> dict[str, object]:
    """A wire entry with its own names in camelCase; what lies deeper stays."""
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): value for name, value in entry.items()}


def hashes(credentials: Iterable[Credential]) -> dict[str, str]:
    """`verifiedCredentialsHashes`: by format, 32 hex digits over the sorted ids; a format nobody has is left out."""
    ids: dict[str, list[str]] = {}
    for credential in credentials:
        if credential.format in HASHED_FORMATS:
            ids.setdefault(credential.format, []).append(credential.id)
    return {
        name: hashlib.sha256("\n".join(sorted(ids[name])).encode("utf-8", "backslashreplace")).hexdigest()[:32]
        for name in HASHED_FORMATS
        if name in ids
    }


def _is(credential: Credential, member: str, value: str) -> bool:
    return str(credential.members.get(member, "")).casefold() == value.casefold()


def _format(new: NewCredential) -> str:
    match new:
        case NewWallet():
            return "blockchain"
        case NewEmail():
            return "email"
        case NewPhone():
            return "phoneNumber"
        case NewOAuth():
            return "oauth"
        case _:
            return new.format


def _members(new: NewCredential) -> dict[str, object]:
    match new:
        case NewWallet():
            return _wallet(new)
        case NewEmail():
            return {"email": new.email, "public_identifier": new.email}
        case NewPhone():
            return {
                "phoneNumber": new.number,
                "phoneCountryCode": new.country_code,
                "isoCountryCode": new.iso_country,
                "public_identifier": f"+{new.country_code}{new.number}",
            }
        case NewOAuth():
            return _oauth(new)
        case _:
            return dict(new.members)


def _oauth(new: NewOAuth) -> dict[str, object]:
    """No `email` member: the model allows one, real Google and GitHub credentials do not carry it."""
    return {
        "oauth_provider": new.provider,
        "oauth_account_id": new.account_id,
        "oauth_username": new.username,
        "oauth_display_name": new.display_name,
        "oauth_account_photos": list(new.photos),
        "oauth_emails": list(new.emails),
        "oauth_metadata": dict(new.metadata),
        "public_identifier": new.username or (new.emails[0] if new.emails else new.account_id),
    }


def _wallet(new: NewWallet) -> dict[str, object]:
    embedded = new.wallet_provider == EMBEDDED
    address = new.address or _made_up_address(new.chain)
    name_service = {"name": new.name_service} if isinstance(new.name_service, str) else dict(new.name_service or {})
    properties = _embedded_properties() if embedded and new.properties is None else new.properties
    return {
        "chain": new.chain,
        "address": address,
        "public_identifier": address.lower() if new.chain == "eip155" else address,
        "name_service": name_service,
        "wallet_name": new.wallet_name or ("dynamicwaas" if embedded else "metamask"),
        "wallet_provider": new.wallet_provider,
        "wallet_properties": None if properties is None else dict(properties),
        "wallet_additional_addresses": [dict(entry) for entry in new.additional_addresses] or None,
    }


def _made_up_address(chain: str) -> str:
    if chain != "eip155":
        raise ValueError("a wallet needs an address; only one on eip155 can be made up")
    return f"0x{secrets.token_hex(20)}"


def _embedded_properties() -> dict[str, object]:
    share = {"id": str(uuid.uuid4()), "backupLocation": "dynamic", "passwordEncrypted": False}
    return {
        "keyShares": [share],
        "thresholdSignatureScheme": "TWO_OF_TWO",
        "derivationPath": '{"0":44,"1":501,"2":0}',
    }
