"""The nouns of the house: frozen values without I/O.

    Assertion ──verify──▶ Identity ──allow──▶ Grant ──mint──▶ Tokens

Times are whole seconds since the epoch (`…_at`), durations whole seconds (`…_ttl`, `…_age`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Mapping[str, Any]
SigningAlgorithm = Literal["RS256", "ES256", "Ed25519"]
SIGNING_ALGORITHMS: tuple[SigningAlgorithm, ...] = ("RS256", "ES256", "Ed25519")  # RS256 first: what all clients know
Shape = Literal["small", "large"]


TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
AUTHORIZATION_CODE = "authorization_code"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
REFRESH_TOKEN = "refresh_token"
CLIENT_CREDENTIALS = "client_credentials"
GRANT_TYPES: Mapping[str, str] = {
    "authorization_code": AUTHORIZATION_CODE,
    "token-exchange": TOKEN_EXCHANGE,
    "jwt-bearer": JWT_BEARER,
    "refresh_token": REFRESH_TOKEN,
    "client_credentials": CLIENT_CREDENTIALS,
}
"""The short names that people write, and the grant types they stand for."""
SHORT_NAMES: Mapping[str, str] = {grant_type: name for name, grant_type in GRANT_TYPES.items()}
"""And the other way round."""

OFFLINE_ACCESS = "offline_access"  # the scope that asks for a refresh token (OIDC Core section 11)


@dataclass(frozen=True, slots=True)
class Environment:
    """One Dynamic environment whose users this bridge serves: where its keys are and what its tokens must say."""

    environment_id: str
    api_base_url: str = "https://app.dynamicauth.com/api/v0"
    api_token: str | None = field(default=None, repr=False)
    key_source: Literal["jwks", "keys"] = "jwks"
    issuers: tuple[str, ...] = ()  # accepted besides the four spellings that are known of Dynamic's own hosts
    request_origin: str | None = None  # the Origin header of our calls, if the environment demands a listed one
    legacy_scope: bool = False  # accept sign-ins without scope, as environments issued them before 2026
    refresh_window: int = 30 * 86400  # how long Dynamic keeps a session renewable; dates the sign-in by refreshExp
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)  # what its webhooks may be signed with
    live_check: Literal["off", "open", "closed"] = "off"  # ask whether a session lives; and if Dynamic does not answer
    live_check_ttl: int = 60  # seconds for which its answer holds
    disabled: bool = False

    @property
    def revocations_heard(self) -> bool:
        """Whether we learn that a session has ended at Dynamic: grants may then outlive its JWT."""
        return bool(self.webhook_secrets) or self.live_check != "off"

    def accepted_issuers(self) -> frozenset[str]:
        """Every `iss` that stands for this environment, for byte-equal comparison."""
        hosts = ("app.dynamicauth.com", "app.dynamic.xyz")
        known = {f"{scheme}{host}/{self.environment_id}" for scheme in ("", "https://") for host in hosts}
        return frozenset(known | set(self.issuers))


@dataclass(frozen=True, slots=True)
class Assertion:
    """A Dynamic JWT that passed the checks of dynamic/verify.py; nothing else constructs one."""

    environment: Environment
    user_id: str
    sid: str
    original_sid: str | None
    issued_at: int
    expires_at: int
    refresh_expires_at: int | None
    shape: Shape
    digest: bytes  # SHA-256 of what was signed: the same for every spelling of the signature
    claims: Json = field(repr=False)

    @property
    def session_key(self) -> str:
        """Dynamic's session, however often it was refreshed since."""
        return self.original_sid or self.sid


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as one Dynamic environment knows them: the facts we stand behind, in OIDC's words.

    `claims` holds user claims only (profile, email, wallets …), never a protocol claim. `complete` is false when they
    come from a small token, which says nothing of credentials. `told_at` is when Dynamic said all this; of two
    identities of one person the one told later is true. `credentials_digest` changes whenever the user's
    credentials do; it is empty when Dynamic did not tell.
    """

    environment_id: str
    user_id: str
    claims: Json = field(repr=False)
    complete: bool
    told_at: int
    amr: tuple[str, ...] = ()
    credentials_digest: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """A person at this bridge. `sub` is stable and never given to anybody else."""

    sub: str
    environment_id: str
    user_id: str
    claims: Json = field(repr=False)
    disabled: bool = False
    revoked_at: int | None = None  # whatever was issued up to this second is over
    session_ended_at: int | None = None  # when one of their sessions at Dynamic ended last
    deleted: bool = False  # at Dynamic, or merged into another user there: they never come back

    def was_revoked_since(self, moment: int) -> bool:
        """Whether what was issued at that moment has been taken back by signing the user out everywhere."""
        return self.revoked_at is not None and moment <= self.revoked_at


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """One line of the operator's claim mapping: a path in the assertion becomes a claim of a scope."""

    source: str  # members joined by dots: "metadata.department"; list positions are numbers
    claim: str
    scope: str = "profile"
    type: Literal["string", "integer", "number", "boolean", "list", "object"] = "string"
    id_token: bool = True
    userinfo: bool = True


@dataclass(frozen=True, slots=True)
class Secret:
    """A client's secret as we keep it: its SHA-256 in hex, and until when it is good (None: until replaced)."""

    sha256: str = field(repr=False)
    not_after: int | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """An application that may ask this bridge for tokens."""

    client_id: str
    name: str = ""
    public: bool = False  # no secret: identified by its id alone
    grants: tuple[str, ...] = (TOKEN_EXCHANGE,)  # grant types
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    environments: tuple[str, ...] = ()  # none named: every configured one
    assertion_origins: tuple[str, ...] = ()  # whose pages' assertions it may exchange
    cors_origins: tuple[str, ...] = ()  # whose pages may call us from a browser
    audiences: tuple[str, ...] = ()  # which resources it may ask tokens for
    serves: tuple[str, ...] = ()  # for which resources it may introspect
    id_token_alg: SigningAlgorithm = "RS256"
    access_token_alg: SigningAlgorithm = "RS256"
    access_token_ttl: int = 600
    id_token_ttl: int = 600
    claims_in_id_token: bool = True
    subject_type: Literal["public", "pairwise"] = "public"
    sector_identifier: str | None = None
    assertion_max_age: int = 7200
    assertion_once: bool = False
    refresh_rotation: bool = True
    refresh_grace: int = 30  # seconds in which a spent refresh token still leads to its family's newest one
    refresh_retry_ttl: int = 7 * 86400  # seconds in which it still leads to a successor that was never used
    refresh_idle_ttl: int = 14 * 86400  # seconds that a refresh token lives unused
    refresh_absolute_ttl: int = 30 * 86400  # seconds that a grant lives, however often it is refreshed
    redirect_uris: tuple[str, ...] = ()  # where codes may be sent, byte by byte
    post_logout_redirect_uris: tuple[str, ...] = ()
    require_pkce: bool = True  # a public client has to in any case
    backchannel_logout_uri: str | None = None  # where it is told that a session has ended
    offline_survives_logout: bool = False  # what it may renew goes on when its user signs out here
    signin_url: str | None = None  # its own sign-in page; None: the bridge's setting
    consent: Literal["skip", "ask"] | None = None  # None: asked where anybody could have registered the redirect URI
    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    disabled: bool = False
    secrets: tuple[Secret, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """Who lets which client do what: what every flow comes by, and the only thing that is ever minted from.

    `user` is None where the client acts for itself. `horizon` is the last second that anything minted may live to.
    `grant_id` is set where the grant is kept, so that it can be renewed, and closed with all that came of it.
    """

    client: Client
    user: User | None
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    sid: str | None = None
    auth_time: int | None = None
    amr: tuple[str, ...] = ()
    nonce: str | None = None
    acr: str | None = None
    horizon: int | None = None
    session_ends_at: int | None = None  # the last second for which the sign-in itself is good, as far as we know
    grant_id: str | None = None
    id_token_claims: tuple[str, ...] = ()  # asked for by name, beside those of the scope (OIDC Core section 5.5)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in here. `origin` is that of the page whose assertion opened it.

    `user_agent` is what the browser calls itself: a stranger's word, for its user's eyes alone.
    """

    session_id: str
    sub: str
    environment_id: str
    session_key: str
    origin: str
    auth_time: int
    amr: tuple[str, ...]
    opened_at: int
    expires_at: int
    user_agent: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asks of a user at /authorize, as far as it may ask (OIDC Core section 3.1.2.1)."""

    client: Client
    redirect_uri: str
    response_mode: Literal["query", "form_post"]
    state: str | None
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    nonce: str | None = None
    code_challenge: str | None = None
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    login_hint: str | None = None
    ui_locales: str | None = None
    acr: str | None = None  # what the ID token will say, if anything was asked for
    wanted_sub: str | None = None  # of id_token_hint or the claims parameter: this user or nobody
    id_token_claims: tuple[str, ...] = ()
    userinfo_claims: tuple[str, ...] = ()
    consent_scope: tuple[str, ...] = ()  # the scope, and the scopes of the claims that are asked for by name

    def demands_newer(self, auth_time: int, now: int) -> bool:
        """Whether a sign-in of that time does not do, but a new one would (OIDC Core section 3.1.2.1)."""
        return "login" in self.prompt or (self.max_age is not None and now - auth_time > self.max_age)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client takes away. `scope` is what was granted, which may be less than was asked."""

    access_token: str = field(repr=False)
    expires_in: int
    scope: tuple[str, ...]
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
