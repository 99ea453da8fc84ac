"""What every grant type shares, and therefore none can forget: who asks, the gate, one transaction, one mint."""

from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin

from bridge.history import AuditEntry, Event, acting
from bridge.lifecycle.gate import may_issue
from bridge.model import Client, Grant, Json, Tokens
from bridge.oauth.request import Form
from bridge.oauth.server import TokenServer
from bridge.store import Tx, audit

Proof = TypeVar("Proof")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a redemption comes by: a grant, a refresh token where the grant is kept, and what the audit log adds."""

    grant: Grant
    refresh_token: str | None = field(default=None, repr=False)
    event: Event = Event.ISSUED
    detail: Json = field(default_factory=dict)


class Redemption(BaseGrant, TokenEndpointMixin, Generic[Proof]):
    """One way to come by a Grant. A kind fills in `prove` and `decide`; the order of the steps is fixed here.

        authenticate ─▶ gate ─▶ prove (no transaction; may call out)
                     ─▶ decide, and keep an audit entry (one transaction) ─▶ mint ─▶ answer

    (Authlib calls the handler of a grant_type a grant; in this house a Grant is the permission.)
    """

    GRANT_TYPE = ""

    server: TokenServer
    proof: Proof  # what `prove` found, from validate_token_request on

    def prove(self) -> Proof:
        """Everything that can be judged without our database. Raises Refused and Unavailable."""
        raise NotImplementedError

    def decide(self, tx: Tx) -> Decision:
        """The grant that the proof leads to, after may_issue for its user.

        Raises Refused; a refusal commits what was written.
        """
        raise NotImplementedError

    def must_last(self) -> bool:
        """Whether what is decided waits for the disk, for something is kept that the client relies on.

        Else nothing is lost with a power cut but the audit entry and what the next assertion tells again.
        """
        return True

    def validate_token_request(self) -> None:
        """Authlib's first step: who asks, and what they prove."""
        self.request.client = self.server.authentication.authenticate(self.request.http, self.form)
        may_issue(self.caller, None, None, self.GRANT_TYPE)
        self.proof = self.prove()

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """Authlib's second step. The tokens are signed after the commit: nothing is handed out that was not kept.

        That they can be signed is made sure before it, so that nothing is spent for an answer that cannot be given.
        """
        self.server.mint.check_ready(self.caller, self.now)
        decision = self.server.database.decide(self._decided, forgettable=not self.must_last())
        return 200, self.reply(decision), []

    def reply(self, decision: Decision) -> dict[str, Any]:
        """The body of the answer (RFC 6749 section 5.1)."""
        tokens = self.server.mint.mint(decision.grant, self.now)
        return bearer_reply(replace(tokens, refresh_token=decision.refresh_token))

    def _decided(self, tx: Tx) -> Decision:
        decision = self.decide(tx)
        grant = decision.grant
        entry = AuditEntry(
            at=self.now,
            event=decision.event,
            actor=acting(self.caller),
            client_id=self.caller.client_id,
            sub=grant.user.sub if grant.user is not None else None,
            sid=grant.sid,
            grant_id=grant.grant_id,
            detail={"grant_type": self.GRANT_TYPE, "scope": " ".join(grant.scope), **decision.detail},
        )
        audit.record(tx, entry)
        return decision

    @property
    def caller(self) -> Client:
        """The authenticated client."""
        client: Client = self.request.client
        return client

    @property
    def form(self) -> Form:
        """The request's parameters."""
        form: Form = self.request.parameters
        return form

    @property
    def now(self) -> int:
        """The moment at which the request is judged."""
        now: int = self.request.http.now
        return now


def bearer_reply(tokens: Tokens) -> dict[str, Any]:
    """Tokens as a token answer. What is absent is left out: clients trip over null."""
    members = {
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        "scope": " ".join(tokens.scope) or None,
        "refresh_token": tokens.refresh_token,
        "id_token": tokens.id_token,
    }
    return {name: value for name, value in members.items() if value is not None}
