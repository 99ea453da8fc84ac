"""What each admin request may carry, member by member."""

from collections.abc import Mapping
from typing import Any

from bridge.emulator.faults import FaultMode
from bridge.emulator.inputs import (
    Check,
    flag,
    instant,
    list_of,
    mapping,
    members,
    number,
    one_of,
    optional,
    text,
    texts,
    whole,
    wrong,
)
from bridge.emulator.model import NewCredential, NewEmail, NewOAuth, NewOther, NewPhone, NewWallet, UserState


def new_wallet(value: dict[str, Any]) -> NewWallet:
    """A wallet to link."""
    return NewWallet(**members(value, WALLET))


def new_credential(value: dict[str, Any]) -> NewCredential:
    """A credential to link, by its `format`."""
    rest = {name: given for name, given in value.items() if name != "format"}
    match text("format", value.get("format")):
        case "blockchain":
            return new_wallet(rest)
        case "email":
            return NewEmail(**members(rest, EMAIL, required=("email",)))
        case "phoneNumber":
            return NewPhone(**members(rest, PHONE, required=("number",)))
        case "oauth":
            return NewOAuth(**members(rest, OAUTH, required=("provider", "account_id")))
        case other:
            return NewOther(format=other, **members(rest, OTHER))


def _name_service(name: str, value: Any) -> str | dict[str, str]:
    if isinstance(value, str):
        return value
    return members(mapping(name, value), {"name": text, "avatar": text})


def _additional_addresses(name: str, value: Any) -> list[Any]:
    if isinstance(value, list) and all(isinstance(entry, dict) for entry in value):
        return value
    return wrong(name, "a list of objects")


EVERY: Mapping[str, Check] = {"id": text, "sign_in": flag, "verified_at": instant}
EMAIL: Mapping[str, Check] = {"email": text, **EVERY}
PHONE: Mapping[str, Check] = {"number": text, "country_code": text, "iso_country": text, **EVERY}
OTHER: Mapping[str, Check] = {"members": mapping, **EVERY}
OAUTH: Mapping[str, Check] = {
    "provider": text,
    "account_id": text,
    "username": optional(text),
    "display_name": optional(text),
    "emails": texts,
    "photos": texts,
    "metadata": mapping,
    **EVERY,
}
WALLET: Mapping[str, Check] = {
    "chain": text,
    "address": optional(text),
    "wallet_name": optional(text),
    "wallet_provider": text,
    "name_service": optional(_name_service),
    "last_selected_at": optional(instant),
    "properties": optional(mapping),
    "additional_addresses": _additional_addresses,
    **EVERY,
}
USER: Mapping[str, Check] = {
    **dict.fromkeys(
        ("email", "username", "given_name", "family_name", "phone_number", "alias", "country", "job_title"),
        optional(text),
    ),
    "team": optional(text),
    "password": optional(text),
    "t_shirt_size": optional(text),
    "lists": texts,
    "scopes": texts,
    "roles": texts,
    "metadata": optional(mapping),
    "profile": optional(mapping),
    "state": one_of(UserState),
}
NEW_USER: Mapping[str, Check] = {
    "id": text,
    "email_verified": flag,
    "wallets": list_of(new_wallet),
    "credentials": list_of(new_credential),
    **USER,
}
USER_CHANGES: Mapping[str, Check] = {"link": list_of(new_credential), "unlink": texts, **USER}
TOKEN: Mapping[str, Check] = {
    "shape": text,
    "origin": text,
    "lifetime": whole,
    "issued_at": whole,
    "claims": mapping,
    "without": texts,
    "header": mapping,
    "key": text,
    "sid": text,
    "credential_id": text,
}
ROTATION: Mapping[str, Check] = {"keep_old": flag, "same_kid": flag}
FAULT: Mapping[str, Check] = {
    "path_prefix": text,
    "mode": one_of(FaultMode),
    "delay": number,
    "size": whole,
    "location": text,
    "times": optional(whole),
}
