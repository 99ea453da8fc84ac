"""Token exchange (RFC 8693): a Dynamic JWT in, our tokens out."""

from dataclasses import dataclass
from typing import Any

from bridge.errors import Refused
from bridge.lifecycle.refresh import keep
from bridge.model import OFFLINE_ACCESS, TOKEN_EXCHANGE, Client
from bridge.oauth.assertions import Accepted, door_of
from bridge.oauth.redemption import Decision, Redemption
from bridge.oauth.request import Form
from bridge.oauth.rules import granted_audience, granted_scope, may_be_kept
from bridge.reasons import Reason
from bridge.store import Tx

_TYPE = "urn:ietf:params:oauth:token-type:"
JWT, ID_TOKEN = f"{_TYPE}jwt", f"{_TYPE}id_token"
ACCESS_TOKEN, REFRESH_TOKEN = f"{_TYPE}access_token", f"{_TYPE}refresh_token"


@dataclass(frozen=True, slots=True)
class ExchangeRequest:
    """What a client asks for (RFC 8693 section 2.1), as far as it may have it."""

    scope: tuple[str, ...]
    audience: tuple[str, ...]
    issued_type: str  # ACCESS_TOKEN, ID_TOKEN or REFRESH_TOKEN


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
        return _Proof(asked, self._accepted(asked.scope))

    def _accepted(self, scope: tuple[str, ...]) -> Accepted:
        raw, door = self.form.require("subject_token"), door_of(self.caller)
        return self.server.assertions.accept(raw, self.caller, door, scope, self.now)

    def decide(self, tx: Tx) -> Decision:
        """The grant that the assertion gives its client, kept if it may be renewed."""
        asked, accepted = self.proof.asked, self.proof.accepted
        grant = self.server.assertions.grant(
            tx,
            accepted,
            client=self.caller,
            grant_type=self.GRANT_TYPE,
            scope=asked.scope,
            audience=asked.audience,
            once=self.caller.assertion_once,
            now=self.now,
        )
        if OFFLINE_ACCESS not in asked.scope:
            return Decision(grant)
        kept = keep(tx, grant, accepted.assertion, self.now)
        return Decision(kept.grant, kept.refresh_token)

    def must_last(self) -> bool:
        """If a refresh token is kept, a grant whose end is to be told, or that the assertion was taken."""
        client = self.caller
        told = client.backchannel_logout_uri is not None
        return client.assertion_once or told or OFFLINE_ACCESS in self.proof.asked.scope

    def reply(self, decision: Decision) -> dict[str, Any]:
        """RFC 8693 section 2.2.1. What was asked for by type sits in access_token; token_type N_A says it is none."""
        grant, issued_type = decision.grant, self.proof.asked.issued_type
        if issued_type == ACCESS_TOKEN:
            return {**super().reply(decision), "issued_token_type": ACCESS_TOKEN}
        reply: dict[str, Any] = {"issued_token_type": issued_type, "token_type": "N_A", "scope": " ".join(grant.scope)}
        if issued_type == REFRESH_TOKEN:
            return {**reply, "access_token": decision.refresh_token}
        id_token, expires_in = self.server.mint.mint_id_token(grant, self.now)
        reply |= {"access_token": id_token, "expires_in": expires_in}
        return reply if decision.refresh_token is None else {**reply, "refresh_token": decision.refresh_token}


def exchange_request(form: Form, client: Client, issuer: str) -> ExchangeRequest:
    """What the form asks for in this client's name. Raises Refused."""
    issued_type = _issued_type(form)
    grantable = frozenset(client.scopes) if may_be_kept(client) else frozenset(client.scopes) - {OFFLINE_ACCESS}
    scope = granted_scope(form, client, grantable=grantable)
    needed = {ID_TOKEN: "openid", REFRESH_TOKEN: OFFLINE_ACCESS}.get(issued_type)
    if needed is not None and needed not in scope:
        raise Refused(Reason.SCOPE_NOT_ALLOWED, f"the type asked for needs scope {needed}")
    audience = granted_audience(form, client, issuer=issuer, openid="openid" in scope)
    return ExchangeRequest(scope, audience, issued_type)


def _check_subject_token_type(form: Form) -> None:
    # access_token would mean one of our own (RFC 8693 section 3), and those are exchanged nowhere.
    if form.require("subject_token_type") not in (JWT, ID_TOKEN):
        raise Refused(Reason.PARAMETER_INVALID, "subject_token_type")


def _check_no_actor(form: Form) -> None:
    if form.get("actor_token") is not None or form.get("actor_token_type") is not None:
        raise Refused(Reason.PARAMETER_INVALID, "actor_token: delegation is not offered")


def _issued_type(form: Form) -> str:
    wanted = form.get("requested_token_type") or ACCESS_TOKEN
    if wanted not in (ACCESS_TOKEN, ID_TOKEN, REFRESH_TOKEN):
        raise Refused(Reason.PARAMETER_INVALID, "requested_token_type")
    return wanted
