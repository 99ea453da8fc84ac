"""Our own tokens, back: the only reader of access tokens (RFC 9068 section 4), and of ID tokens as hints."""

from dataclasses import dataclass, field
from typing import Any

from bridge.errors import Refused
from bridge.model import Json
from bridge.reasons import Reason
from bridge.tokens.keyring import Keyring
from bridge.tokens.mint import ACCESS_TOKEN_TYP, ID_TOKEN_TYP


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A valid access token of ours. Whether its user and client may still use it, the caller asks."""

    sub: str
    client_id: str
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    jti: str
    issued_at: int
    expires_at: int
    sid: str | None
    grant_id: str | None  # the kept grant that it ends with
    claims: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class IdToken:
    """An ID token of ours, expired or not: who it spoke of, to whom."""

    sub: str
    audience: tuple[str, ...]
    sid: str | None


def read_access_token(raw: str, *, keyring: Keyring, issuer: str, now: int) -> AccessToken:
    """The access token in `raw`. Raises Refused(ACCESS_TOKEN_INVALID), for an ID token or an assertion too."""
    claims = _claims(raw, ACCESS_TOKEN_TYP, keyring=keyring, issuer=issuer, now=now)
    if claims["exp"] <= now:
        raise Refused(Reason.ACCESS_TOKEN_INVALID, "expired")
    return AccessToken(
        sub=claims["sub"],
        client_id=claims["client_id"],
        scope=tuple(claims["scope"].split()),
        audience=_audience(claims["aud"]),
        jti=claims["jti"],
        issued_at=claims["iat"],
        expires_at=claims["exp"],
        sid=claims.get("sid"),
        grant_id=claims.get("grant_id"),
        claims=claims,
    )


def read_id_token(raw: str, *, keyring: Keyring, issuer: str, now: int) -> IdToken:
    """The ID token in `raw`, for as long as we know its key: as a hint it may have expired (RP-Initiated Logout 2).

    Raises Refused(ACCESS_TOKEN_INVALID), for an access token or an assertion too.
    """
    claims = _claims(raw, ID_TOKEN_TYP, keyring=keyring, issuer=issuer, now=now)
    return IdToken(claims["sub"], _audience(claims["aud"]), claims.get("sid"))


def _claims(raw: str, typ: str, *, keyring: Keyring, issuer: str, now: int) -> Json:
    """What we signed ourselves, of the kind that `typ` names. Raises Refused."""
    token = keyring.genuine(raw, now)
    if token.header.get("typ") != typ:
        raise Refused(Reason.ACCESS_TOKEN_INVALID, "not a token of that kind")
    # The claims are what we wrote ourselves.
    if token.payload["iss"] != issuer:
        raise Refused(Reason.ACCESS_TOKEN_INVALID, "another issuer")
    return token.payload


def _audience(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
