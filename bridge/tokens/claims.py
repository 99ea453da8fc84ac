"""Which user claims a scope hands over, to the ID token and to userinfo."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bridge.model import ClaimRule, Json

SCOPE_CLAIMS: Mapping[str, tuple[str, ...]] = {
    # OIDC Core section 5.4, as far as Dynamic tells; a mapping adds what it does not
    "profile": ("name", "given_name", "family_name", "nickname", "preferred_username", "picture"),
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
    "address": ("address",),
    # Ours
    "wallets": ("wallets", "wallet_address"),
    "groups": ("groups",),
}

PROTOCOL_CLAIMS = frozenset(
    {
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "typ", "azp", "nonce", "auth_time", "acr", "amr", "sid"),
        *("at_hash", "c_hash", "s_hash", "client_id", "grant_id", "scope", "cnf", "act", "may_act", "events", "active"),
        *("token_type", "session_expiry", "sub_id", "sub_jwk", "roles", "entitlements", "authorization_details"),
        *("vc", "vp", "txn", "toe", "username", "_claim_names", "_claim_sources"),
    }
)
"""Claims that say something about the token or the sign-in: ours alone, whatever an assertion or a mapping says."""

PROVEN_CLAIMS = frozenset(
    {"email", "email_verified", "phone_number", "phone_number_verified", "wallets", "wallet_address", "groups"}
)
"""Claims that relying parties trust as proven by Dynamic: never filled by a mapping."""

ID_TOKEN_WALLETS = 5  # an ID token travels in cookies and logout URLs; the full list is at userinfo


class ClaimSelection:
    """The user claims of each scope, the operator's own among them. Made once, from configuration."""

    def __init__(self, rules: Sequence[ClaimRule]) -> None:
        mapped = {rule.claim for rule in rules}
        standard = {scope: [name for name in names if name not in mapped] for scope, names in SCOPE_CLAIMS.items()}
        self._id_token = _by_scope(standard, (rule for rule in rules if rule.id_token))
        self._userinfo = _by_scope(standard, (rule for rule in rules if rule.userinfo))
        self.scopes = tuple({**self._id_token, **self._userinfo})
        self.supported = tuple(dict.fromkeys(name for names in self._userinfo.values() for name in names))

    def askable(self, names: Iterable[str], scopes: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that a client with these scopes may ask for one by one (OIDC Core section 5.5)."""
        allowed = {claim for word in scopes for claim in self._userinfo.get(word, ())}
        return tuple(name for name in names if name in allowed and name not in PROTOCOL_CLAIMS)

    def scope_with(self, scope: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
        """The scope that hands over what this one does and, beside it, the claims of these names."""
        beside = (word for word, claims in self._userinfo.items() if word not in scope and set(claims) & set(names))
        return (*scope, *beside)

    def for_id_token(self, claims: Json, scope: Iterable[str], asked: Iterable[str] = ()) -> dict[str, Any]:
        """The claims that an ID token carries, at most five wallets among them, the primary one first."""
        chosen = {**_chosen(self._id_token, claims, scope), **_named(claims, asked)}
        wallets = chosen.get("wallets")
        if isinstance(wallets, list) and len(wallets) > ID_TOKEN_WALLETS:
            chosen["wallets"] = sorted(wallets, key=lambda wallet: not wallet["primary"])[:ID_TOKEN_WALLETS]
        return chosen

    def for_userinfo(self, claims: Json, scope: Iterable[str], asked: Iterable[str] = ()) -> dict[str, Any]:
        """The claims that userinfo answers with (OIDC Core section 5.3.2), and those `asked` for by name."""
        return {**_chosen(self._userinfo, claims, scope), **_named(claims, asked)}


def _named(claims: Json, names: Iterable[str]) -> dict[str, Any]:
    return {name: claims[name] for name in names if name in claims}


def _by_scope(standard: Mapping[str, Sequence[str]], rules: Iterable[ClaimRule]) -> dict[str, tuple[str, ...]]:
    names = {scope: list(claims) for scope, claims in standard.items()}
    for rule in rules:
        names.setdefault(rule.scope, []).append(rule.claim)
    return {scope: tuple(claims) for scope, claims in names.items()}


def _chosen(by_scope: Mapping[str, Sequence[str]], claims: Json, scope: Iterable[str]) -> dict[str, Any]:
    granted = frozenset(scope)
    chosen = {
        name: claims[name]
        for word in by_scope
        if word in granted
        for name in by_scope[word]
        if name in claims and name not in PROTOCOL_CLAIMS
    }
    if "name" not in chosen and "profile" in granted and "wallet_address" in chosen:
        # Only who may see the wallets may see a name made of one.
        address = str(chosen["wallet_address"])
        chosen["name"] = address if len(address) <= 12 else f"{address[:6]}…{address[-4:]}"
    return chosen
