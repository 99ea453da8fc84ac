"""Who asks: client authentication (RFC 6749 section 2.3), by exactly one method, the registered one.

Unknown client, wrong secret and wrong method give one and the same answer.
"""

import hmac
from base64 import b64decode
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from bridge.errors import Refused
from bridge.model import Client
from bridge.oauth.request import Form, HttpRequest
from bridge.ratelimit import RateLimits
from bridge.reasons import Reason
from bridge.store.clients import Clients, secret_digest

METHODS = ("client_secret_basic", "client_secret_post", "none")

_NOBODY = "0" * 64  # compared with where there is no secret, so that an unknown client takes as long as a known one


@dataclass(frozen=True, slots=True)
class _Unverified:
    """Who a request says it comes from. Not believed yet."""

    client_id: str
    secret: str | None = field(repr=False)


class ClientAuthentication:
    """Authenticates clients at every endpoint that asks who they are."""

    def __init__(self, clients: Clients, limits: RateLimits) -> None:
        self._clients = clients
        self._limits = limits

    def authenticate(self, request: HttpRequest, form: Form) -> Client:
        """The client that sent the request.

        Raises Refused (CLIENT_AUTHENTICATION_FAILED, _AMBIGUOUS, CLIENT_DISABLED, TOO_MANY_TRIES, TOO_MANY_REQUESTS)
        and Unavailable. Failures slow down, but never stand in the way of a right secret: else anybody behind the same
        proxy could lock a client out by guessing badly. A public client's requests count for their address: anybody
        can write its id.
        """
        claimed = _named_in(request, form)
        client = self._clients.find(claimed.client_id, request.now)
        if not _proves(claimed, client, request.now) or client is None:
            self._limits.failed(request.peer)
            raise Refused(Reason.CLIENT_AUTHENTICATION_FAILED)
        request.notes.client_id = client.client_id
        if client.disabled:
            raise Refused(Reason.CLIENT_DISABLED)
        if client.public:
            self._limits.of_source(request.peer)
        else:
            self._limits.of_client(client.client_id)
        return client


def _named_in(request: HttpRequest, form: Form) -> _Unverified:
    header = request.headers.get("authorization")
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if form.get("client_assertion") is not None or form.get("client_assertion_type") is not None:
        if header is not None or secret is not None:
            raise Refused(Reason.CLIENT_AUTHENTICATION_AMBIGUOUS)
        raise Refused(Reason.CLIENT_AUTHENTICATION_FAILED, "no client may use an assertion yet")
    if header is None:
        if client_id is None:
            raise Refused(Reason.CLIENT_AUTHENTICATION_FAILED, "no client named")
        return _Unverified(client_id, secret)
    claimed = _basic(header)
    if secret is not None or (client_id is not None and client_id != claimed.client_id):
        raise Refused(Reason.CLIENT_AUTHENTICATION_AMBIGUOUS)
    return claimed


def _basic(header: str) -> _Unverified:
    """HTTP Basic, form-decoded as RFC 6749 section 2.3.1 asks. Anything odd is a failed authentication, never a 500."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise Refused(Reason.CLIENT_AUTHENTICATION_FAILED, "authorization scheme")
    try:
        user, separator, password = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
        client_id = unquote_plus(user, errors="strict")
        secret = unquote_plus(password, errors="strict")
    except ValueError as error:
        raise Refused(Reason.CLIENT_AUTHENTICATION_FAILED, "malformed credentials") from error
    if not separator or not secret or not client_id.isprintable():
        raise Refused(Reason.CLIENT_AUTHENTICATION_FAILED, "malformed credentials")
    return _Unverified(client_id, secret)


def _proves(claimed: _Unverified, client: Client | None, now: int) -> bool:
    if claimed.secret is None:
        return client is not None and client.public
    given = secret_digest(claimed.secret)
    kept = [s.sha256 for s in client.secrets if s.not_after is None or s.not_after > now] if client else []
    # Every kept secret is compared, and at least one: the time says neither which matched nor whether any exists.
    matches = [hmac.compare_digest(given, digest) for digest in kept or [_NOBODY]]
    return client is not None and not client.public and any(matches)
