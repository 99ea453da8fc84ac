"""The token endpoint: Authlib's dispatch by grant_type; the request, the refusals and the answers are ours."""

from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Request

from bridge.errors import NotServed, Refused
from bridge.lifecycle.liveness import LiveCheck
from bridge.model import SHORT_NAMES, Client, Environment
from bridge.oauth.assertions import Assertions
from bridge.oauth.client_auth import ClientAuthentication
from bridge.oauth.refusals import refusal_answer
from bridge.oauth.request import Answer, Form, HttpRequest, json_answer, read_form
from bridge.ratelimit import RateLimits
from bridge.reasons import Reason
from bridge.store import Database
from bridge.tokens.mint import Mint


class TokenRequest(OAuth2Request):
    """A token request in Authlib's shape. Everything is read from `parameters`, which came from the body alone."""

    def __init__(self, http: HttpRequest, parameters: Form) -> None:  # Authlib's own takes a URL apart: of no use here
        self.client: Client | None = None
        self.http = http
        self.parameters = parameters


class TokenServer(AuthorizationServer):
    """Dispatches token requests to the registered redemptions, and holds what they are built on."""

    def __init__(
        self,
        *,
        issuer: str,
        reasons_url: str,
        database: Database,
        authentication: ClientAuthentication,
        assertions: Assertions,
        mint: Mint,
        environments: Mapping[str, Environment],
        live_check: LiveCheck,
        limits: RateLimits,
    ) -> None:
        super().__init__()
        self.issuer = issuer
        self.database = database
        self.authentication = authentication
        self.assertions = assertions
        self.mint = mint
        self.environments = environments
        self.live_check = live_check
        self.limits = limits
        self._reasons_url = reasons_url

    @property
    def grant_types(self) -> tuple[str, ...]:
        """The grant types that are registered, for discovery."""
        return tuple(redemption.GRANT_TYPE for redemption, _ in self._token_grants)

    def respond(self, http: HttpRequest) -> Answer:
        """The answer to POST /token (RFC 6749 section 3.2)."""
        try:
            answer: Answer = self.create_token_response(TokenRequest(http, read_form(http)))
        except NotServed as why:
            return refusal_answer(why, self._reasons_url, http)
        return answer

    def get_token_grant(self, request: TokenRequest) -> Any:
        """The redemption for the request's grant_type; Authlib's own refusal would echo the value."""
        wanted = request.parameters.require("grant_type")
        for redemption, _ in self._token_grants:
            if wanted == redemption.GRANT_TYPE:
                request.http.notes.grant_type = SHORT_NAMES[wanted]
                return redemption(request, self)
        raise Refused(Reason.GRANT_TYPE_UNSUPPORTED)

    def create_oauth2_request(self, request: TokenRequest) -> TokenRequest:
        """The request itself: it was parsed once, at the door."""
        return request

    def handle_response(self, status: int, body: Mapping[str, Any], headers: object) -> Answer:
        """Authlib's triple as our answer; its headers are replaced by ours, which forbid keeping it."""
        del headers
        return json_answer(status, body)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens: what follows from a request stands in the code that handles it."""
