"""Refresh (RFC 6749 section 6, OIDC Core section 12): a refresh token becomes new tokens and its successor."""

from dataclasses import replace

from bridge.errors import Refused
from bridge.history import Event
from bridge.lifecycle.gate import environment_of, may_issue
from bridge.lifecycle.refresh import presented_by, renew
from bridge.model import OFFLINE_ACCESS, REFRESH_TOKEN, Grant
from bridge.oauth.redemption import Decision, Redemption
from bridge.oauth.refusals import as_grant
from bridge.oauth.rules import narrowed_audience, narrowed_scope
from bridge.reasons import Reason
from bridge.store import Tx
from bridge.store.refresh_tokens import PresentedToken


class Refresh(Redemption[str]):
    """The proof is the token itself; all that it is worth is in our database, so all is decided there.

    Only whether its session goes on at Dynamic is not: that is asked before, where the live check is on.

    What is asked for too much is refused before anything is spent. The first auth_time stays, there is no nonce, and
    the user's claims are the newest we know (OIDC Core section 12.2).
    """

    GRANT_TYPE = REFRESH_TOKEN

    def prove(self) -> str:
        """The token that was sent, after the live check of the session that it rests on."""
        token = self.form.require("refresh_token")
        self.server.live_check.of_refresh_token(token, self.caller, self.now)
        return token

    def decide(self, tx: Tx) -> Decision:
        """The kept grant, as narrow as was asked for, and the refresh token that continues its family."""
        with as_grant():
            presented = presented_by(tx, self.caller, self.proof, self.now)
            user = presented.user
            self.server.limits.of_user(self.caller.client_id, user.environment_id, user.user_id)
            grant = self._grant(presented)
            token, state = renew(tx, presented, self.caller, self.now)
        detail = {"state": state.value, "sequence": presented.sequence}
        return Decision(grant, token, Event.REFRESHED, detail)

    def _grant(self, presented: PresentedToken) -> Grant:
        user = presented.user
        may_issue(self.caller, user, environment_of(user, self.server.environments), self.GRANT_TYPE)
        if OFFLINE_ACCESS not in self.caller.scopes:
            raise Refused(Reason.GRANT_NOT_ALLOWED, "offline_access was taken from the client")
        whole = presented.grant.given_to(self.caller, user)
        scope = narrowed_scope(self.form, whole)
        audience = narrowed_audience(self.form, whole, scope, issuer=self.server.issuer)
        return replace(whole, scope=scope, audience=audience)
