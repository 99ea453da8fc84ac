"""Authorization codes at the token endpoint (RFC 6749 section 4.1.3, RFC 7636, OIDC Core section 3.1.3)."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace

from bridge.errors import Refused
from bridge.history import Cause, acting
from bridge.lifecycle.closing import close_grant
from bridge.lifecycle.gate import environment_of, may_issue, must_be_open
from bridge.lifecycle.refresh import first_token
from bridge.model import AUTHORIZATION_CODE, OFFLINE_ACCESS, REFRESH_TOKEN, Grant
from bridge.oauth.redemption import Decision, Redemption
from bridge.oauth.refusals import as_grant
from bridge.reasons import Reason
from bridge.store import Tx, codes
from bridge.store.codes import PresentedCode

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class _Proof:
    code: str = field(repr=False)
    redirect_uri: str | None
    verifier: str | None = field(repr=False)


class CodeRedemption(Redemption[_Proof]):
    """A code is good once, for a minute, for its client, with the redirect_uri and the verifier of its request.

    Another client's code is refused and stays as it is. A second use, a wrong verifier or redirect_uri spends it and
    closes what came of it: one of the two who hold it is a thief (threats O4, O5).
    """

    GRANT_TYPE = AUTHORIZATION_CODE

    def prove(self) -> _Proof:
        """What was sent."""
        return _Proof(self.form.require("code"), self.form.get("redirect_uri"), self.form.get("code_verifier"))

    def decide(self, tx: Tx) -> Decision:
        """The grant that the code stands for, with a refresh token if it may be renewed."""
        with as_grant():
            presented = self._redeemed(tx)
            grant = self._grant(presented)
        if OFFLINE_ACCESS not in grant.scope or REFRESH_TOKEN not in self.caller.grants:
            return Decision(grant)
        return Decision(grant, first_token(tx, grant, presented.grant.expires_at, self.now))

    def _redeemed(self, tx: Tx) -> PresentedCode:
        presented = codes.find(tx, self.proof.code)
        if presented is None or presented.grant.client_id != self.caller.client_id:
            raise Refused(Reason.CODE_INVALID, "unknown" if presented is None else "of another client")
        if presented.spent_at is not None or not codes.redeem(tx, presented, self.now):
            self._close(tx, presented)
            raise Refused(Reason.CODE_REUSED)
        if presented.expires_at <= self.now:
            raise Refused(Reason.CODE_INVALID, "expired")
        if not self._fits(presented):
            self._close(tx, presented)
            raise Refused(Reason.CODE_NOT_THIS_REQUEST)
        must_be_open(presented.grant, presented.user, self.now)
        return presented

    def _fits(self, presented: PresentedCode) -> bool:
        return self.proof.redirect_uri == presented.redirect_uri and _verifies(
            self.proof.verifier, presented.code_challenge
        )

    def _close(self, tx: Tx, presented: PresentedCode) -> None:
        close_grant(tx, presented.grant, Cause.CODE_REUSED, actor=acting(self.caller), now=self.now)

    def _grant(self, presented: PresentedCode) -> Grant:
        user = presented.user
        may_issue(self.caller, user, environment_of(user, self.server.environments), self.GRANT_TYPE)
        return replace(
            presented.grant.given_to(self.caller, user),
            nonce=presented.nonce,
            acr=presented.acr,
            id_token_claims=presented.id_token_claims,
        )


def _verifies(verifier: str | None, challenge: str | None) -> bool:
    """S256 (RFC 7636 section 4.6). A verifier without a challenge is refused too: somebody took the challenge away."""
    if verifier is None or challenge is None:
        return verifier is None and challenge is None
    if not _VERIFIER.fullmatch(verifier):
        return False
    computed = urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=")
    return hmac.compare_digest(computed, challenge.encode("ascii"))
