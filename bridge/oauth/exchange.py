"""Token exchange (RFC 8693): a Dynamic JWT in, our tokens out."""

from dataclasses import dataclass
from typing import Any

from bridge.errors import Refused
from bridge.model import TOKEN_EXCHANGE, Grant
from bridge.oauth.assertions import Accepted
from bridge.oauth.redemption import Redemption, bearer_reply
from bridge.oauth.request import Form
from bridge.oauth.rules import OFFLINE_ACCESS, granted_audience, granted_scope
from bridge.reasons import Reason
from bridge.store import Tx

_TYPE = "urn:ietf:params:oauth:token-type:"
JWT, ID_TOKEN, ACCESS_TOKEN = f"{_TYPE}jwt", f"{_TYPE}id_token", f"{_TYPE}access_token"


@dataclass(frozen=True, slots=True)
class _Proof:
    accepted: Accepted
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    wants_id_token: bool


class TokenExchange(Redemption[_Proof]):
    """Who presents a Dynamic JWT, issued to an origin that the client lists, acts for its user."""

    GRANT_TYPE = TOKEN_EXCHANGE

    def prove(self) -> _Proof:
        """RFC 8693 section 2.1, parameter by parameter; a missing one never leads to another path (threats O9)."""
        form, client = self.form, self.caller
        _check_subject_token_type(form)
        _check_no_actor(form)
        wants_id_token = _wants_id_token(form)
        scope = granted_scope(form, client, grantable=frozenset(client.scopes) - {OFFLINE_ACCESS})
        if wants_id_token and "openid" not in scope:
            raise Refused(Reason.SCOPE_NOT_ALLOWED, "an ID token needs scope openid")
        audience = granted_audience(form, client, issuer=self.server.issuer, openid="openid" in scope)
        accepted = self.server.assertions.accept(form.require("subject_token"), client, scope, self.now)
        return _Proof(accepted, scope, audience, wants_id_token)

    def decide(self, tx: Tx, proof: _Proof) -> Grant:
        """The grant that the assertion gives its client."""
        return self.server.assertions.grant(
            tx,
            proof.accepted,
            client=self.caller,
            grant_type=self.GRANT_TYPE,
            scope=proof.scope,
            audience=proof.audience,
            once=self.caller.assertion_once,
            now=self.now,
        )

    def reply(self, grant: Grant) -> dict[str, Any]:
        """RFC 8693 section 2.2.1. An ID token asked for by type sits in access_token, with token_type N_A."""
        if self.proof.wants_id_token:
            id_token, expires_in = self.server.mint.mint_id_token(grant, self.now)
            return {
                "access_token": id_token,
                "issued_token_type": ID_TOKEN,
                "token_type": "N_A",
                "expires_in": expires_in,
                "scope": " ".join(grant.scope),
            }
        return {**bearer_reply(self.server.mint.mint(grant, self.now)), "issued_token_type": ACCESS_TOKEN}


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
