"""What the browser's endpoints share: where they are, whom they know, and the URLs that lead from one to the next."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from bridge.errors import Refused
from bridge.lifecycle.signin import origin_of
from bridge.model import AuthorizationRequest, Client, Environment, Session
from bridge.oauth.authorization_request import bare_request, find_client, find_redirect_uri, read_request
from bridge.oauth.request import BrowserRequest, Form, parse_parameters
from bridge.oauth.steps import with_query
from bridge.ratelimit import RateLimits
from bridge.reasons import Reason
from bridge.signin_reasons import SignInReason
from bridge.store import Database, Tx, requests
from bridge.store.clients import Clients
from bridge.store.open_requests import OpenRequests
from bridge.store.requests import StoredRequest
from bridge.tokens.claims import ClaimSelection
from bridge.tokens.keyring import Keyring
from bridge.tokens.pairwise import PairwiseSubjects
from bridge.tokens.read import IdToken, read_id_token

REQUEST_URI = "urn:ietf:params:oauth:request_uri:"  # RFC 9126 section 2.2


@dataclass(frozen=True, slots=True)
class Site:
    """The bridge as the browser's endpoints see it.

    `default_signin_url`: where the users of clients without a page of their own sign in, if the operator names one.
    `has_own_page`: whether our own page is there, for those of all others.
    """

    issuer: str
    reasons_url: str
    default_signin_url: str | None
    has_own_page: bool
    database: Database
    clients: Clients
    environments: Mapping[str, Environment]
    selection: ClaimSelection
    keyring: Keyring
    subjects: PairwiseSubjects
    limits: RateLimits
    open_requests: OpenRequests

    def signin_url(self, client: Client) -> str | None:
        """The page on which this client's users sign in, if there is one."""
        return client.signin_url or self.default_signin_url or (self.own_page if self.has_own_page else None)

    def signs_in_here(self, client: Client) -> bool:
        """Whether this client's users sign in on our own page."""
        return self.has_own_page and self.signin_url(client) == self.own_page

    def environment_for(self, client: Client) -> Environment:
        """Where this client's users sign in on our own page: the first environment that it takes, or the primary."""
        known = (self.environments[named] for named in client.environments if named in self.environments)
        return next(known, next(iter(self.environments.values())))

    def asks_consent(self, request: AuthorizationRequest) -> bool:
        """Whether users are asked before this client gets anything.

        A custom scheme or a loopback address can be registered by anybody on the user's device (RFC 8252 section 8.6).
        """
        if request.client.consent is not None:
            return request.client.consent == "ask"
        return not request.redirect_uri.startswith("https://")

    def authorize_url(self, client_id: str, request_id: str, **more: str) -> str:
        """Where a stored request goes on."""
        parameters = {"client_id": client_id, "request_uri": f"{REQUEST_URI}{request_id}", **more}
        return f"{self.issuer}/authorize?{urlencode(parameters)}"

    def begin(self, tx: Tx, client_id: str, query: str, browser: str | None, http: BrowserRequest) -> str:
        """Remember a request of a registered client; its id. Raises Refused(TOO_MANY_REQUESTS).

        It counts for the address, so that no few of them fill what there is for the client (threats O21).
        """
        self.limits.of_sign_in(http.peer)
        return self.open_requests.begin(tx, client_id, query, browser, http.now)

    def begin_again(self, client: Client, stored: StoredRequest | None) -> str | None:
        """Where a request that came to nothing can be tried once more."""
        return None if stored is None else self.authorize_url(client.client_id, stored.request_id)

    def signin_page(self, page: str, request: AuthorizationRequest, request_id: str, *, afresh: bool) -> str:
        """The sign-in page's URL with what it has to know (docs/own-sign-in-page.md)."""
        prompt = "login" if afresh else "select_account" if "select_account" in request.prompt else None
        parameters = {
            "request": request_id,
            "client_id": request.client.client_id,
            "prompt": prompt,
            "login_hint": request.login_hint,
            "ui_locales": request.ui_locales,
        }
        return with_query(page, {name: value for name, value in parameters.items() if value is not None})

    def stored_request(self, form: Form, client: Client) -> StoredRequest | None:
        """The stored request that a URL continues; None if it is a request itself. Raises Refused and Unavailable."""
        request_uri = form.get("request_uri")
        if request_uri is None or not request_uri.startswith(REQUEST_URI):
            return None
        stored = self.stored(request_uri.removeprefix(REQUEST_URI))
        if stored.client_id != client.client_id:
            raise Refused(SignInReason.SIGN_IN_EXPIRED)
        return stored

    def read(self, parameters: Form, bare: AuthorizationRequest, now: int) -> AuthorizationRequest:
        """The authorization request in some parameters. Raises Refused, to be answered as `bare` says."""
        request = read_request(parameters, bare, issuer=self.issuer, selection=self.selection)
        raw = parameters.get("id_token_hint")
        if raw is None:
            return request
        hint = self.hint(raw, now)
        if hint is None or bare.client.client_id not in hint.audience:
            raise Refused(Reason.PARAMETER_INVALID, "id_token_hint")
        return replace(request, wanted_sub=hint.sub)

    def hint(self, raw: str, now: int) -> IdToken | None:
        """An ID token of ours that comes back, expired or not; None if it is none. It proves nothing of its sender."""
        try:
            return read_id_token(raw, keyring=self.keyring, issuer=self.issuer, now=now)
        except Refused:
            return None

    def request_of(self, stored: StoredRequest, now: int) -> AuthorizationRequest:
        """The authorization request that was stored. Raises Refused if its client may not ask so any more."""
        parameters = parse_parameters(stored.query)
        client = find_client(parameters, self.clients, now)
        return self.read(parameters, bare_request(parameters, client, find_redirect_uri(parameters, client)), now)

    def stored(self, request_id: str) -> StoredRequest:
        """The stored request of that id. Raises Refused and Unavailable."""
        with self.database.reading() as tx:
            found = requests.find(tx, request_id)
        if found is None:
            raise Refused(SignInReason.SIGN_IN_EXPIRED)
        return found

    def held_at_dynamic(self, session: Session) -> Environment | None:
        """Where our own page may still hold what proved this session; None if another page did."""
        return self.environments.get(session.environment_id) if session.origin in self.trusted_origins else None

    def check_form(self, http: BrowserRequest, form: Form, cookie: str | None, *purpose: str) -> None:
        """Raises Refused unless a form of ours comes from the page that we showed, for this very purpose (O16)."""
        if http.origin not in (None, self.origin) or not fits(form.get("seal"), cookie, *purpose):
            raise Refused(SignInReason.FORM_FORGED)

    def new_browser(self) -> str:
        """A value that names a browser."""
        return secrets.token_urlsafe(32)

    @property
    def origin(self) -> str:
        """Our own web origin, which our forms are sent from."""
        return origin_of(self.issuer)

    @property
    def own_page(self) -> str:
        """Our own sign-in page."""
        return f"{self.issuer}/signin"

    @property
    def trusted_origins(self) -> frozenset[str]:
        """Whose sessions serve every client: ours, while sessions can be proven on our own page."""
        return frozenset({self.origin} if self.has_own_page else ())


def seal_of(cookie: str, *parts: str) -> str:
    """What proves that a form was shown to the browser with this cookie, and for this very purpose (threats O16).

    Only we and that browser know the cookie, so no key of ours is needed and nothing has to be remembered.
    """
    message = "\n".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), message, hashlib.sha256).hexdigest()


def fits(seal: str | None, cookie: str | None, *parts: str) -> bool:
    """Whether a form brings the seal of what it was shown for."""
    if seal is None or cookie is None:
        return False
    return hmac.compare_digest(seal.encode("utf-8", "surrogatepass"), seal_of(cookie, *parts).encode())
