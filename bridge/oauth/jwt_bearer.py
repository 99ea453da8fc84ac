"""A Dynamic JWT as authorization grant (RFC 7523 section 2.1): the second door for assertions, each taken once."""

from dataclasses import dataclass

from bridge.model import JWT_BEARER, OFFLINE_ACCESS
from bridge.oauth.assertions import Accepted, door_of
from bridge.oauth.redemption import Decision, Redemption
from bridge.oauth.refusals import as_grant
from bridge.oauth.rules import granted_audience, granted_scope
from bridge.store import Tx


@dataclass(frozen=True, slots=True)
class _Proof:
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    accepted: Accepted


class JwtBearer(Redemption[_Proof]):
    """The same verifier and the same origins as token exchange; the client authenticates here too.

    No refresh token: who holds an assertion gets another one where that came from (RFC 7521 section 4.1).
    """

    GRANT_TYPE = JWT_BEARER

    def prove(self) -> _Proof:
        """Scope and target first, so that what is asked badly does not reach Dynamic."""
        raw = self.form.require("assertion")
        grantable = frozenset(self.caller.scopes) - {OFFLINE_ACCESS}
        scope = granted_scope(self.form, self.caller, grantable=grantable)
        audience = granted_audience(self.form, self.caller, issuer=self.server.issuer, openid="openid" in scope)
        with as_grant():
            accepted = self.server.assertions.accept(raw, self.caller, door_of(self.caller), scope, self.now)
        return _Proof(scope, audience, accepted)

    def decide(self, tx: Tx) -> Decision:
        """The grant that the assertion gives its client, this once."""
        with as_grant():
            grant = self.server.assertions.grant(
                tx,
                self.proof.accepted,
                client=self.caller,
                grant_type=self.GRANT_TYPE,
                scope=self.proof.scope,
                audience=self.proof.audience,
                once=True,
                now=self.now,
            )
        return Decision(grant)
