"""The emulated environment: everything that is held between two requests, under one lock."""

import secrets
import uuid
from collections.abc import Collection, Mapping, Sequence
from threading import RLock
from typing import Any, Literal, Unpack

from bridge.emulator.claims import Facts, issuer, large, small
from bridge.emulator.clock import Clock, system_clock
from bridge.emulator.credentials import opening_credential
from bridge.emulator.destinations import LOCAL_APPS, checked_origins, checked_url
from bridge.emulator.directory import Directory
from bridge.emulator.email_codes import EmailCodes
from bridge.emulator.faults import Faults
from bridge.emulator.journal import Journal
from bridge.emulator.keys import KeyRing, PemFlavour, SigningKey, compact, dump, read
from bridge.emulator.management import Management
from bridge.emulator.model import Credential, NewCredential, NewEmail, NewWallet, Session, User, UserFields
from bridge.emulator.nonces import Nonces
from bridge.emulator.rate_limits import RateLimits
from bridge.emulator.request_log import RequestLog
from bridge.emulator.sessions import Sessions
from bridge.emulator.social import Social
from bridge.emulator.switches import Switches, switched
from bridge.emulator.webhooks import Webhooks

DEMO_ENVIRONMENT_ID = "de300000-0000-4000-8000-000000000001"
DEMO_ORIGIN = "http://localhost:3000"

Shape = Literal["large", "small"]


class Emulator(RequestLog):
    """One Dynamic environment. Thread-safe. All times are Unix seconds (UTC) of `clock`, which may be replaced.

    `api_token` opens the endpoints that need Dynamic's API token; the JWKS entries in `extra_jwks` are served, good or
    not, after our own.
    """

    def __init__(
        self,
        *,
        environment_id: str = DEMO_ENVIRONMENT_ID,
        clock: Clock = system_clock,
        host: str = "app.dynamicauth.com",
        key_bits: int = 2048,
        signin_complete_url: str | None = None,
        app_origins: Sequence[str] = LOCAL_APPS,
    ) -> None:
        """`host` is what `iss` begins with. The sign-in page posts to `signin_complete_url`, the bridge's, which may
        then redirect to the apps at `app_origins` (and no others, in browsers). ValueError if the id is not a UUID, the
        key size cannot be, or a URL or origin is none."""
        self.environment_id = str(uuid.UUID(environment_id))
        self.clock = clock
        self.signin_complete_url = signin_complete_url
        self.app_origins = checked_origins(app_origins)
        self.api_token = "dyn_" + secrets.token_hex(28)
        self.extra_jwks: list[Any] = []
        self._lock = RLock()
        super().__init__(self._lock)
        self.faults = Faults(self._lock)
        self.email_codes = EmailCodes(self._lock)
        self.nonces = Nonces(self._lock, self.environment_id)
        self.social = Social(self._lock)
        self.rate_limits = RateLimits(self._lock)
        self._switches = Switches(issuer_host=host)
        self._keys = KeyRing(key_bits)
        journal = Journal(self.environment_id, lambda: self.clock(), lambda: self._switches)  # noqa: PLW0108 - replaceable
        self.webhooks = Webhooks(self._lock, journal)
        self._directory = Directory(journal)
        self._sessions = Sessions(journal)
        self.management = Management(self._lock, journal, self._directory, self._sessions)
        self._replaced_jwks: Any = None

    @property
    def signin_complete_url(self) -> str | None:
        """Where the sign-in page posts the token: <issuer>/signin/complete. ValueError if it is set to no such URL."""
        return self._signin_complete_url

    @signin_complete_url.setter
    def signin_complete_url(self, value: str | None) -> None:
        self._signin_complete_url = None if value is None else checked_url(value)

    @property
    def switches(self) -> Switches:
        """The beliefs in force; assign a whole one, or use `switch`."""
        return self._switches

    @switches.setter
    def switches(self, value: Switches) -> None:
        self._switches = value

    def switch(self, /, **changes: Any) -> Switches:
        """Change switches by name. ValueError on an unknown name or a value that does not fit."""
        with self._lock:
            self._switches = switched(self._switches, changes)
            return self._switches

    @property
    def issuer(self) -> str:
        """`iss` of the large token."""
        return issuer(self._switches, self.environment_id)

    def create_user(
        self,
        *,
        email_verified: bool = True,
        wallets: Sequence[NewWallet] = (),
        credentials: Sequence[NewCredential] = (),
        id: str | None = None,  # noqa: A002 - the name Dynamic gives it
        **fields: Unpack[UserFields],
    ) -> User:
        """A new user. An `email` is both profile and proven credential, unless `email_verified` is off. ValueError if
        the id is taken, TypeError on a field that does not exist."""
        email = fields.get("email")
        proven: list[NewCredential] = [NewEmail(email)] if email and email_verified else []
        with self._lock:
            return self._directory.create(id, fields, [*proven, *credentials, *wallets], self.clock())

    def get_user(self, user_id: str) -> User:
        """The user as of now. UnknownUserError."""
        with self._lock:
            return self._directory.get(user_id)

    def users(self) -> list[User]:
        """All users, the first created first."""
        with self._lock:
            return self._directory.everyone()

    def update_user(
        self,
        user_id: str,
        *,
        link: Sequence[NewCredential] = (),
        unlink: Sequence[str] = (),
        **fields: Unpack[UserFields],
    ) -> User:
        """Change fields (the state among them), link credentials, unlink others by id: all or nothing.
        UnknownUserError, UnknownCredentialError; ValueError and TypeError as in `create_user`."""
        with self._lock:
            return self._directory.change(user_id, fields, link, unlink, self.clock())

    def link(self, user_id: str, credential: NewCredential) -> Credential:
        """Link a credential; it becomes the one used last. UnknownUserError."""
        return self.update_user(user_id, link=[credential]).credentials[-1]

    def unlink(self, user_id: str, credential_id: str) -> User:
        """Take a credential away. UnknownUserError, UnknownCredentialError."""
        return self.update_user(user_id, unlink=[credential_id])

    def sign_in(self, user_id: str, *, origin: str, credential_id: str | None = None) -> Session:
        """Open a session from a page at `origin`, by the given credential or the first that may sign in.
        UnknownUserError, UnknownCredentialError."""
        with self._lock:
            user, now = self._directory.get(user_id), self.clock()
            chosen = opening_credential(user, credential_id)
            session = self._sessions.open(user, origin, chosen, now)
            self._directory.visited(user, chosen, now)
            return session

    def session(self, sid: str) -> Session:
        """The session as of now. UnknownSessionError."""
        with self._lock:
            return self._sessions.find(sid)

    def sessions(self) -> list[Session]:
        """All sessions, ended ones too, the first opened first."""
        with self._lock:
            return self._sessions.everyone()

    def refresh(self, sid: str) -> Session:
        """Carry the session on; by the switches it may get a new sid. UnknownSessionError, SessionEndedError."""
        with self._lock:
            return self._sessions.refresh(self._sessions.find(sid), self._switches, self.clock())

    def revoke(self, sid: str) -> None:
        """End the session. UnknownSessionError."""
        with self._lock:
            self._sessions.revoke(self._sessions.find(sid), self.clock())

    def authenticate(self, token: str) -> Session:
        """The live session that a bearer token of either shape belongs to. NotAuthenticatedError on any other."""
        with self._lock:
            published, now = self._keys.published(with_second=not self._switches.small_token_same_key), self.clock()
        claims = read(token, published)
        with self._lock:
            return self._sessions.accept(claims, now)

    def mint(
        self,
        session_or_user: Session | User,
        *,
        shape: Shape = "large",
        origin: str | None = None,
        lifetime: int = 7200,
        issued_at: int | None = None,
        claims: Mapping[str, Any] | None = None,
        without: Collection[str] = (),
        header: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> str:
        """A token of the session; a user is signed in first. `origin` overrides the session's, `lifetime` is in
        seconds. `claims` are added or override (any JSON value), those named in `without` are dropped, then the
        header is overridden (None drops a member). `key` is the kid to sign with. UnknownKeyError, UnknownUserError;
        ValueError on another shape. Nothing is checked of what is asked for: hostile tokens are minted here too."""
        if shape not in ("large", "small"):
            raise ValueError("a shape is large or small")
        if isinstance(session_or_user, User):
            session_or_user = self.sign_in(session_or_user.id, origin=origin or DEMO_ORIGIN)
        with self._lock:
            signer = self._signer(shape) if key is None else self._keys.find(key)
            facts = self._facts(
                session_or_user, shape, signer.kid, origin=origin, issued_at=issued_at, lifetime=lifetime
            )
        payload = {**(large(facts) if shape == "large" else small(facts)), **(claims or {})}
        kept = {name: value for name, value in payload.items() if name not in without}
        head = {"alg": "RS256", "typ": "JWT", "kid": signer.kid, **(header or {})}
        return compact({name: value for name, value in head.items() if value is not None}, dump(kept), signer.rsa)

    def sign(self, header: Mapping[str, Any], payload: bytes | Mapping[str, Any], key: str | None = None) -> str:
        """Sign anything with a key of ours (by kid; the active one if None): the header literally, bytes as they are.
        The signature is RS256 whatever the header says. UnknownKeyError."""
        with self._lock:
            signer = self._keys.active if key is None else self._keys.find(key)
        return compact(header, payload if isinstance(payload, bytes) else dump(payload), signer.rsa)

    def rotate_key(self, *, keep_old: bool = True, same_kid: bool = False) -> str:
        """Make a new key active and answer its kid. Without `keep_old` the JWKS holds no other; with `same_kid` the new
        key takes the old one's name and place."""
        with self._lock:
            return self._keys.rotate(keep_old=keep_old, same_kid=same_kid).kid

    def jwks(self) -> dict[str, Any]:
        """The key set: our published keys, then `extra_jwks`."""
        with self._lock:
            published = self._keys.published(with_second=not self._switches.small_token_same_key)
            return {"keys": [*(key.jwk() for key in published), *self.extra_jwks]}

    def replace_jwks(self, value: Any) -> None:
        """Serve this JSON document in place of the key set; None serves the key set again."""
        with self._lock:
            self._replaced_jwks = value

    def served_jwks(self) -> Any:
        """What the JWKS endpoint answers."""
        with self._lock:
            return self.jwks() if self._replaced_jwks is None else self._replaced_jwks

    def public_pem(self, flavour: PemFlavour) -> str:
        """The active key's public half as PEM text. ValueError on an unknown flavour."""
        with self._lock:
            return self._keys.active.pem(flavour)

    def keys_endpoint_id(self) -> str:
        """The id that /environments/<env>/keys gives the active key."""
        with self._lock:
            kid, same = self._keys.active.kid, self._switches.kid_equals_keys_endpoint_id
        return kid if same else str(uuid.uuid5(uuid.UUID(kid), "keys"))

    def release_keys(self) -> None:
        """Hand the key pairs on to later emulators of this process, for tests that are done with this one."""
        with self._lock:
            self._keys.release()

    def _signer(self, shape: Shape) -> SigningKey:
        if shape == "small" and not self._switches.small_token_same_key:
            return self._keys.second()
        return self._keys.active

    def _facts(
        self, session: Session, shape: Shape, kid: str, *, origin: str | None, issued_at: int | None, lifetime: int
    ) -> Facts:
        switches = self._switches
        own_issuer = shape == "small" and not switches.small_token_same_issuer
        own_sid = shape == "small" and not switches.small_token_same_sid
        return Facts(
            user=self._directory.get(session.user_id),
            session=session,
            switches=switches,
            environment_id=self.environment_id,
            issuer=issuer(switches, self.environment_id, alias=own_issuer),
            kid=kid,
            sid=self._sessions.small_sid(session) if own_sid else session.sid,
            origin=session.origin if origin is None else origin,
            issued_at=self.clock() if issued_at is None else issued_at,
            lifetime=lifetime,
        )
