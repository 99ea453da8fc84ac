"""What the audit entry of a sign-in says of who it was, beside the sub: nothing, a hint, or the whole, by setting."""

from typing import Literal

from bridge.model import Json

Identifiers = Literal["none", "redacted", "full"]


def identifiers_of(claims: Json, shown: Identifiers) -> Json:
    """The proven e-mail address and the primary wallet's address among a user's claims, as far as they are shown."""
    if shown == "none":
        return {}
    email, wallet = claims.get("email"), claims.get("wallet_address")
    found = {name: str(value) for name, value in (("email", email), ("wallet", wallet)) if value}
    if shown == "full":
        return found
    return {name: _hint(name, value) for name, value in found.items()}


def _hint(name: str, value: str) -> str:
    """Enough to find out which of one's own it is, too little to learn it."""
    if name == "email":
        local, _, domain = value.rpartition("@")
        return f"{local[:1]}***@{domain}"
    return f"{value[:6]}***{value[-4:]}" if len(value) > 20 else "***"
