"""Client credentials (RFC 6749 section 4.4): a confidential client acts for itself."""

from dataclasses import dataclass

from bridge.errors import Refused
from bridge.model import CLIENT_CREDENTIALS, Grant
from bridge.oauth.redemption import Decision, Redemption
from bridge.oauth.rules import USER_SCOPES, granted_audience, granted_scope
from bridge.reasons import Reason
from bridge.store import Tx


@dataclass(frozen=True, slots=True)
class _Proof:
    scope: tuple[str, ...]
    audience: tuple[str, ...]


class ClientCredentials(Redemption[_Proof]):
    """The client's own secret is the whole proof; no user is involved, so no user's scope can be granted."""

    GRANT_TYPE = CLIENT_CREDENTIALS

    def prove(self) -> _Proof:
        """Scope and target, as far as the client may ask."""
        client = self.caller
        if client.public:
            raise Refused(Reason.GRANT_NOT_ALLOWED, "a public client proves nothing of itself")
        scope = granted_scope(self.form, client, grantable=frozenset(client.scopes) - USER_SCOPES)
        audience = granted_audience(self.form, client, issuer=self.server.issuer, openid=False)
        return _Proof(scope, audience)

    def decide(self, tx: Tx) -> Decision:
        """The grant that a client gives itself; the gate was passed when it authenticated."""
        del tx
        return Decision(Grant(client=self.caller, user=None, scope=self.proof.scope, audience=self.proof.audience))

    def must_last(self) -> bool:
        """No: nothing is kept."""
        return False
