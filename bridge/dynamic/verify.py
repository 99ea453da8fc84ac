"""The one verifier of Dynamic JWTs. CHECKS is the policy: read it from top to bottom.

Answers RFC 8725 (JWT best practice), RFC 8693 section 2.2.2 and RFC 7523 section 3 for assertions that lack typ, jti
and a client's audience, as Dynamic's do.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from bridge import jose
from bridge.dynamic import text
from bridge.errors import NotServed, Refused
from bridge.jwks import KeySet
from bridge.model import Assertion, Environment, Json, Shape
from bridge.reasons import Reason

# Words of Dynamic's scope that say a sign-in is not finished, or is none, even beside user:basic.
BLOCKING_SCOPES: Mapping[str, Reason] = {
    "requiresAdditionalAuth": Reason.MFA_OWED,
    "userDataForm": Reason.PROFILE_INCOMPLETE,
    "device:register": Reason.DEVICE_UNCONFIRMED,
    "waasBackupToken": Reason.NOT_A_SIGN_IN,
}
COMPLETE_SCOPE = "user:basic"

_LATEST = 1 << 40  # seconds; beyond it a time is an attack on whoever converts it


@dataclass(frozen=True, slots=True)
class Door:
    """What a door asks of an assertion beyond being genuine: whose page it was issued to, and how old it may be."""

    origins: frozenset[str]
    max_age: int


@dataclass(frozen=True, slots=True)
class Known:
    """One configured environment with everything that a token of it is judged by."""

    environment: Environment
    keys: KeySet
    issuers: frozenset[str]


@dataclass(slots=True)
class _Case:
    """One assertion on its way through the checks: each fills in what the later ones build on."""

    verifier: "Verifier"
    raw: str
    door: Door
    now: int
    token: jose.Unverified = field(init=False)
    kid: str = field(init=False)
    known: Known = field(init=False)

    @property
    def claims(self) -> Json:
        return self.token.payload


@dataclass(frozen=True, slots=True)
class Check:
    """One check. Where a `ground` one fails, the later ones have nothing to stand on."""

    name: str
    run: Callable[[_Case], None]
    ground: bool = False


class Verifier:
    """Verifies assertions of the configured environments. Holds their key sets and nothing of any request."""

    def __init__(self, environments: Iterable[tuple[Environment, KeySet]], *, max_lifetime: int, skew: int) -> None:
        self.known: Mapping[str, Known] = {
            environment.environment_id: Known(environment, keys, environment.accepted_issuers())
            for environment, keys in environments
        }
        self.max_lifetime = max_lifetime
        self.skew = skew

    def verify(self, raw: str, door: Door, now: int) -> Assertion:
        """The assertion in `raw`, fit for `door` at `now` (seconds).

        Raises Refused with the reason of the first check that fails, and Unavailable if no keys can be had.
        """
        case = _Case(self, raw, door, now)
        for check in CHECKS:
            check.run(case)
        return _assertion(case)

    def explain(self, raw: str, door: Door, now: int) -> Iterator[tuple[str, NotServed | None]]:
        """Each check by name with its refusal, if any; ends early where the later checks lack their ground."""
        case = _Case(self, raw, door, now)
        for check in CHECKS:
            try:
                check.run(case)
            except NotServed as outcome:
                yield check.name, outcome
                if check.ground:
                    return
            else:
                yield check.name, None

    def unverified_assertion(self, raw: str, door: Door, now: int) -> Assertion:
        """What `raw` would assert if its signature were good: for explanations alone. Raises Refused."""
        case = _Case(self, raw, door, now)
        for check in CHECKS:
            if check.run is not _signature:
                check.run(case)
        return _assertion(case)


def _form(case: _Case) -> None:
    case.token = jose.parse(case.raw)


def _header(case: _Case) -> None:
    case.kid = jose.check_header(case.token.header, alg="RS256")


def _environment(case: _Case) -> None:
    # Key, issuer and environment all come from one record: a real key of another environment is worth nothing (A8).
    claimed = case.claims.get("environment_id")
    known = case.verifier.known.get(claimed) if isinstance(claimed, str) else None
    if known is None:
        raise Refused(Reason.ENVIRONMENT_UNKNOWN)
    case.known = known


def _signature(case: _Case) -> None:
    key = case.known.keys.get(case.kid)
    if key is None:
        raise Refused(Reason.KEY_UNKNOWN)
    if not key.verifies(case.token):
        # The same kid may have got new material (A7).
        renewed = case.known.keys.get_again(key)
        if renewed is None or not renewed.verifies(case.token):
            raise Refused(Reason.SIGNATURE_INVALID)


def _times(case: _Case) -> None:
    claims, now, skew = case.claims, case.now, case.verifier.skew
    issued_at, expires_at = _time(claims, "iat"), _time(claims, "exp")
    if expires_at <= issued_at:
        raise Refused(Reason.TIMES_INVALID, "exp is not after iat")
    if max(issued_at, _time(claims, "nbf") if "nbf" in claims else 0) > now + skew:
        raise Refused(Reason.ASSERTION_NOT_YET_VALID)
    if expires_at <= now:  # no leeway: what we issue from it ends no later than it does
        raise Refused(Reason.ASSERTION_EXPIRED)
    if expires_at - issued_at > case.verifier.max_lifetime:
        raise Refused(Reason.LIFETIME_TOO_LONG)


def _age(case: _Case) -> None:
    if case.now - _time(case.claims, "iat") > case.door.max_age + case.verifier.skew:
        raise Refused(Reason.ASSERTION_TOO_OLD)


def _issuer(case: _Case) -> None:
    issuer = case.claims.get("iss")
    if not isinstance(issuer, str) or issuer not in case.known.issuers:
        raise Refused(Reason.ISSUER_NOT_ACCEPTED)


def _audience(case: _Case) -> None:
    # aud is the origin of the page where the user signed in. With no origins set at Dynamic, any page can get a
    # token of this environment, so this check is what keeps a hostile page's token out (A9).
    audience = case.claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if not isinstance(audience, str) or audience not in case.door.origins:
        raise Refused(Reason.AUDIENCE_NOT_LISTED, "client lists no origin" if not case.door.origins else "")


def _subject(case: _Case) -> None:
    claims = case.claims
    if text.user_id(claims.get("sub")) is None or text.session_id(claims.get("sid")) is None:
        raise Refused(Reason.SUBJECT_INVALID)
    if claims.get("originalSid") is not None and text.session_id(claims["originalSid"]) is None:
        raise Refused(Reason.SUBJECT_INVALID, "originalSid")


def _kind(case: _Case) -> None:
    if "singleUse" in case.claims or not isinstance(case.claims.get("verified_credentials", []), list):
        raise Refused(Reason.NOT_A_SIGN_IN)


def _complete(case: _Case) -> None:
    claims = case.claims
    scope, scopes = claims.get("scope"), claims.get("scopes")
    # `scopes` appears in third-party tokens: it may block, it never satisfies, and in no known form it fails (A13).
    # Any white space may hide a blocking word; only a space makes user:basic one.
    words = frozenset(part for word in scope_words(scope) | scope_words(scopes) for part in word.split())
    for word, reason in BLOCKING_SCOPES.items():
        if word in words:
            raise Refused(reason)
    if claims.get("missing_fields", []) != []:
        raise Refused(Reason.PROFILE_INCOMPLETE, "missing_fields")
    legacy = case.known.environment.legacy_scope and scope in (None, "")
    complete = isinstance(scope, str) and COMPLETE_SCOPE in scope_words(scope)
    if not (complete or legacy) or not _is_scope(scopes):
        raise Refused(Reason.SIGN_IN_INCOMPLETE)


CHECKS: tuple[Check, ...] = (
    Check("form", _form, ground=True),
    Check("header", _header, ground=True),
    Check("environment", _environment, ground=True),
    Check("signature", _signature),
    Check("times", _times),
    Check("age", _age),
    Check("issuer", _issuer),
    Check("audience", _audience),
    Check("subject", _subject),
    Check("kind", _kind),
    Check("complete", _complete),
)


def scope_words(scope: object) -> frozenset[str]:
    """The words of a scope claim, a string or a list of strings, separated by spaces; nothing for any other type."""
    if isinstance(scope, str):
        return frozenset(scope.split(" ")) - {""}
    if isinstance(scope, list):
        return frozenset(word for item in scope if isinstance(item, str) for word in item.split(" ")) - {""}
    return frozenset()


def _is_scope(value: object) -> bool:
    """Whether a scopes claim, if any, has a form in which its words can be seen."""
    listed = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, str) or listed


def _assertion(case: _Case) -> Assertion:
    claims = case.claims
    shape: Shape = "large" if "verified_credentials" in claims else "small"
    refresh_expires_at = claims.get("refreshExp")
    return Assertion(
        environment=case.known.environment,
        user_id=claims["sub"],
        sid=claims["sid"],
        original_sid=claims.get("originalSid"),
        issued_at=claims["iat"],
        expires_at=claims["exp"],
        refresh_expires_at=refresh_expires_at if _is_time(refresh_expires_at) else None,
        shape=shape,
        digest=case.token.digest,
        claims=claims,
    )


def _time(claims: Json, name: str) -> int:
    value = claims.get(name)
    if not _is_time(value):
        raise Refused(Reason.TIMES_INVALID, name)
    return value


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LATEST
