"""Blockchain credentials → the claims `wallets` and `wallet_address`."""

from collections.abc import Sequence
from typing import Any

from bridge.dynamic import text
from bridge.model import Json

_KINDS = {"embeddedWallet": "embedded", "smartContractWallet": "smart"}


def wallets_of(credentials: Sequence[Json], source: Json) -> Json:
    """`wallets` (one of them primary) and the primary one's address, or nothing if there are none.

    Primary is the wallet that signed in, else the one last selected, else the one last verified, else the first.
    """
    entries = [c for c in credentials if c.get("format") == "blockchain" and text.line(c.get("address"))]
    if not entries:
        return {}
    primary = _primary(entries, source)
    wallets = [_wallet(entry, primary=entry is primary) for entry in entries]
    return {"wallets": wallets, "wallet_address": primary["address"]}


def with_primary(claims: Json, address: object) -> Json:
    """The claims on wallets with this one as the primary, if it is among them; else as they are."""
    wallets = claims.get("wallets", [])
    if not any(wallet["address"] == address for wallet in wallets):
        return {name: claims[name] for name in ("wallets", "wallet_address") if name in claims}
    first = next(number for number, wallet in enumerate(wallets) if wallet["address"] == address)
    marked = [{**wallet, "primary": number == first} for number, wallet in enumerate(wallets)]
    return {"wallets": marked, "wallet_address": address}


def without_wallet(claims: Json, address: str) -> Json:
    """The claims of a user who has lost a wallet; another becomes the primary one if it was."""
    same = _spelling(address)
    left = [wallet for wallet in claims.get("wallets", []) if _spelling(wallet["address"]) != same]
    rest = {name: value for name, value in claims.items() if name not in ("wallets", "wallet_address")}
    if not left:
        return rest
    kept = next((wallet for wallet in left if wallet["primary"]), left[0])
    return {**rest, **with_primary({"wallets": left}, kept["address"])}


def _spelling(address: str) -> str:
    """EVM addresses come in two spellings, mixed case and lower; elsewhere case matters."""
    return address.lower() if address.startswith(("0x", "0X")) else address


def _primary(entries: Sequence[Json], source: Json) -> Json:
    by_id = {entry["id"]: entry for entry in reversed(entries) if isinstance(entry.get("id"), str)}
    signin = by_id.get(str(source.get("signin_credential_id")))
    if signin is not None:
        return signin
    selected = max(entries, key=lambda entry: text.moment(entry.get("lastSelectedAt")) or 0)
    if text.moment(selected.get("lastSelectedAt")) is not None:
        return selected
    return by_id.get(str(source.get("last_verified_credential_id")), entries[0])


def _wallet(entry: Json, *, primary: bool) -> dict[str, Any]:
    """One wallet: the address as Dynamic gave it, since case matters on some chains. Absent facts are absent."""
    service = entry.get("name_service")
    candidates = {
        "namespace": text.line(entry.get("chain")),
        "address": entry["address"],
        "kind": _kind(entry),
        "provider": text.line(entry.get("wallet_name")),
        "name": text.line(service.get("name")) if isinstance(service, dict) else None,
        "verified_at": text.moment(entry.get("verifiedAt")),
        "primary": primary,
    }
    return {name: value for name, value in candidates.items() if value is not None}


def _kind(entry: Json) -> str:
    if str(entry.get("id")).endswith("-zerodev"):  # Dynamic's mark on smart-account credentials
        return "smart"
    return _KINDS.get(str(entry.get("wallet_provider")), "external")
