"""The one mint: a Grant becomes an access token (RFC 9068) and, with openid, an ID token (OIDC Core section 2)."""

import secrets
from typing import Any

from bridge.jose import half_hash
from bridge.model import Client, Grant, Tokens
from bridge.tokens.claims import ClaimSelection
from bridge.tokens.keyring import Keyring
from bridge.tokens.pairwise import PairwiseSubjects

ACCESS_TOKEN_TYP = "at+jwt"
ID_TOKEN_TYP = "JWT"
LOGOUT_TOKEN_TYP = "logout+jwt"
LOGOUT_TOKEN_TTL = 120  # seconds: section 2.4 of Back-Channel Logout wants two minutes at most
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
HALF_HASHED = frozenset({"RS256", "ES256"})  # for Ed25519 libraries disagree on the hash, and at_hash may be left out


class Mint:
    """Makes tokens from grants. It adds nothing to a grant and decides nothing.

    Raises Unavailable if our keys could not be read lately.
    """

    def __init__(self, *, issuer: str, keyring: Keyring, selection: ClaimSelection, subjects: PairwiseSubjects) -> None:
        self._issuer = issuer
        self._keyring = keyring
        self._selection = selection
        self._subjects = subjects

    def check_ready(self, client: Client, now: int) -> None:
        """Raises Unavailable if nothing can be signed for the client now: before something is spent for it."""
        for alg in {client.access_token_alg, client.id_token_alg}:
            self._keyring.active(alg, now)

    def mint(self, grant: Grant, now: int) -> Tokens:
        """The access token of a grant and, with openid, its ID token; neither lives past the grant's horizon."""
        claims = self.access_token_claims(grant, now)
        access_token = self._keyring.active(grant.client.access_token_alg, now).sign(claims, ACCESS_TOKEN_TYP)
        id_token = None
        if "openid" in grant.scope and grant.user is not None:
            id_token = self._sign_id_token(grant, self.id_token_claims(grant, now, beside=access_token), now)
        return Tokens(access_token, claims["exp"] - now, grant.scope, id_token)

    def mint_id_token(self, grant: Grant, now: int) -> tuple[str, int]:
        """The ID token of a grant alone, and its lifetime in seconds."""
        claims = self.id_token_claims(grant, now)
        return self._sign_id_token(grant, claims, now), claims["exp"] - now

    def logout_token(self, client: Client, *, sub: str, sid: str, now: int) -> str:
        """A logout token for a client (OpenID Connect Back-Channel Logout 1.0 section 2.4). `sub`: the user's own."""
        claims = {
            "iss": self._issuer,
            "sub": self._subjects.shown_to(client, sub),
            "aud": client.client_id,
            "iat": now,
            "exp": now + LOGOUT_TOKEN_TTL,
            "jti": secrets.token_urlsafe(16),
            "sid": sid,
            "events": {LOGOUT_EVENT: {}},
        }
        return self._keyring.active(client.id_token_alg, now).sign(claims, LOGOUT_TOKEN_TYP)

    def access_token_claims(self, grant: Grant, now: int) -> dict[str, Any]:
        """What an access token says (RFC 9068 section 2.2). `cnf` will stand here once tokens are bound to a key."""
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": self._sub(grant),
            "aud": grant.audience[0] if len(grant.audience) == 1 else list(grant.audience),
            "client_id": grant.client.client_id,
            "iat": now,
            "exp": _until(grant, now + grant.client.access_token_ttl),
            "jti": secrets.token_urlsafe(16),
            "scope": " ".join(grant.scope),
        }
        if grant.grant_id is not None:
            claims["grant_id"] = grant.grant_id  # closed with it, wherever we are asked
        return _with_sign_in(claims, grant)

    def id_token_claims(self, grant: Grant, now: int, *, beside: str | None = None) -> dict[str, Any]:
        """What an ID token says, `beside` the access token that it is issued with.

        User claims come first, so that no protocol claim can be theirs.
        """
        user_claims: dict[str, Any] = {}
        if grant.user is not None and grant.client.claims_in_id_token:
            asked = self._selection.askable(grant.id_token_claims, grant.client.scopes)
            user_claims = self._selection.for_id_token(grant.user.claims, grant.scope, asked)
        claims: dict[str, Any] = {
            **user_claims,
            "iss": self._issuer,
            "sub": self._sub(grant),
            "aud": grant.client.client_id,
            "iat": now,
            "exp": _until(grant, now + grant.client.id_token_ttl),
        }
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        if grant.acr is not None:
            claims["acr"] = grant.acr
        if grant.session_ends_at is not None:
            claims["session_expiry"] = grant.session_ends_at  # OpenID Connect Enterprise Extensions
        if beside is not None and grant.client.id_token_alg in HALF_HASHED:
            claims["at_hash"] = half_hash(beside)
        return _with_sign_in(claims, grant)

    def _sign_id_token(self, grant: Grant, claims: dict[str, Any], now: int) -> str:
        return self._keyring.active(grant.client.id_token_alg, now).sign(claims, ID_TOKEN_TYP)

    def _sub(self, grant: Grant) -> str:
        if grant.user is None:  # the client acts for itself (RFC 9068 section 2.2)
            return grant.client.client_id
        return self._subjects.shown_to(grant.client, grant.user.sub)


def _until(grant: Grant, wished: int) -> int:
    return wished if grant.horizon is None else min(wished, grant.horizon)


def _with_sign_in(claims: dict[str, Any], grant: Grant) -> dict[str, Any]:
    if grant.sid is not None:
        claims["sid"] = grant.sid
    if grant.auth_time is not None:
        claims["auth_time"] = grant.auth_time
    if grant.amr:
        claims["amr"] = list(grant.amr)
    return claims
