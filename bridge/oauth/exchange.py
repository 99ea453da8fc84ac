"""Token exchange (RFC 8693): a Dynamic JWT in, our tokens out."""

from dataclasses import dataclass
from typing import Any

from bridge.errors import Refused
from bridge.model import TOKEN_EXCHANGE, Client, Grant
from bridge.oauth.assertions import Accepted
from bridge.oauth.redemption import Redemption, bearer_reply
from bridge.oauth.request import Form
from bridge.oauth.rules import OFFLINE_ACCESS, granted_audience, granted_scope
from bridge.reasons import Reason
from bridge.store import Tx

_TYPE = "urn:ietf:params:oauth:token-type:"
JWT, ID_TOKEN, ACCESS_TOKEN = f"{_TYPE}jwt", f"{_TYPE}id_token", f"{_TYPE}access_token"


@dataclass(frozen=True, slots=True)
class ExchangeRequest:
    """What a client asks for (RFC 8693 section 2.1), as far as it may have it."""

    scope: tuple[str, ...]
    audience: tuple[str, ...]
    wants_id_token: bool


@dataclass(frozen=True, slots=True)
class _Proof:
    asked: ExchangeRequest
    accepted: Accepted


class TokenExchange(Redemption[_Proof]):
    """Who presents a Dynamic JWT, issued to an origin that the client lists, acts for its user."""

    GRANT_TYPE = TOKEN_EXCHANGE

    def prove(self) -> _Proof:
        """RFC 8693 section 2.1, parameter by parameter; a missing one never leads to another path (threats O9)."""
        _check_subject_token_type(self.form)
        _check_no_actor(self.form)
        asked = exchange_request(self.form, self.caller, self.server.issuer)
        subject_token = self.form.require("subject_token")
        return _Proof(asked, self.server.assertions.accept(subject_token, self.caller, asked.scope, self.now))

    def decide(self, tx: Tx) -> Grant:
        """The grant that the assertion gives its client."""
        return self.server.assertions.grant(
            tx,
            self.proof.accepted,
            client=self.caller,
            grant_type=self.GRANT_TYPE,
            scope=self.proof.asked.scope,
            audience=self.proof.asked.audience,
            once=self.caller.assertion_once,
            now=self.now,
        )

    def reply(self, grant: Grant) -> dict[str, Any]:
        """RFC 8693 section 2.2.1. An ID token asked for by type sits in access_token, with token_type N_A."""
        if self.proof.asked.wants_id_token:
            id_token, expires_in = self.server.mint.mint_id_token(grant, self.now)
            return {
                "access_token": id_token,
                "issued_token_type": ID_TOKEN,
                "token_type": "N_A",
                "expires_in": expires_in,
                "scope": " ".join(grant.scope),
            }
        return {**bearer_reply(self.server.mint.mint(grant, self.now)), "issued_token_type": ACCESS_TOKEN}


def exchange_request(form: Form, client: Client, issuer: str) -> ExchangeRequest:
    """What the form asks for in this client's name. Raises Refused."""
    wants_id_token = _wants_id_token(form)
    scope = granted_scope(form, client, grantable=frozenset(client.scopes) - {OFFLINE_ACCESS})
    if wants_id_token and "openid" not in scope:
        raise Refused(Reason.SCOPE_NOT_ALLOWED, "an ID token needs scope openid")
    audience = granted_audience(form, client, issuer=issuer, openid="openid" in scope)
    return ExchangeRequest(scope, audience, wants_id_token)


def _check_subject_token_type(form: Form) -> None:
    # access_token would mean one of our own (RFC 8693 section 3), and those are exchanged nowhere.
    if form.require("subject_token_type") not in (JWT, ID_TOKEN):
        raise Refused(Reason.PARAMETER_INVALID, "subject_token_type")


def _check_no_actor(form: Form) -> None:
    if form.get("actor_token") is not None or form.get("actor_token_type") is not None:
        raise Refused(Reason.PARAMETER_INVALID, "actor_token: delegation is not offered")


def _wants_id_token(form: Form) -> bool:
    wanted = form.get("requested_token_type") or ACCESS_TOKEN
    if wanted not in (ACCESS_TOKEN, ID_TOKEN):
        raise Refused(Reason.PARAMETER_INVALID, "requested_token_type")
    return wanted == ID_TOKEN
