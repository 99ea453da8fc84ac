"""Telling a client that its user's session has ended (OpenID Connect Back-Channel Logout 1.0 section 2.5)."""

from bridge.delivery.carriers import DONE, Result, Verdict
from bridge.errors import FetchFailed, NotCalled
from bridge.fetch import Fetcher
from bridge.history import BRIDGE, AuditEntry, Event
from bridge.store.clients import Clients
from bridge.store.outbox import Message
from bridge.tokens.mint import Mint

CALL_DEADLINE = 5.0  # seconds, all in all


class BackchannelLogout:
    """Carries `backchannel_logout`. The token is minted for each attempt, so that none is stored and none is old."""

    def __init__(self, *, clients: Clients, mint: Mint, fetcher: Fetcher) -> None:
        self._clients = clients
        self._mint = mint
        self._fetcher = fetcher

    def carry(self, message: Message, now: int) -> Result:
        """Post a logout token to the client. Raises Unavailable.

        200 is success, and so is 204, which frameworks make of an empty 200. 400 is its word for "invalid, or the
        logout failed" (section 2.8): the second may pass, so it is tried again, but not for days.
        """
        client = self._clients.find(message.receiver, now)
        if client is None or client.backchannel_logout_uri is None:
            return Result(Verdict.POINTLESS, "no backchannel_logout_uri")
        token = self._mint.logout_token(client, sub=message.facts["sub"], sid=message.facts["sid"], now=now)
        try:
            answer = self._fetcher.post_form(
                client.backchannel_logout_uri, {"logout_token": token}, deadline=CALL_DEADLINE
            )
        except NotCalled as why:
            return Result(Verdict.NOT_TRIED, str(why))
        except FetchFailed as why:
            return Result(Verdict.AWAY, str(why))
        if answer.status in (200, 204):
            return DONE
        verdict = Verdict.REFUSED if answer.status == 400 else Verdict.AWAY
        return Result(verdict, f"status {answer.status}", retry_after=answer.retry_after or 0)

    def entry(self, message: Message, *, delivered: bool, attempts: int, error: str, now: int) -> AuditEntry:
        """That the client was told, or could not be."""
        return AuditEntry(
            at=now,
            event=Event.LOGOUT_DELIVERED if delivered else Event.LOGOUT_UNDELIVERED,
            actor=BRIDGE,
            client_id=message.receiver,
            sub=message.facts["sub"],
            sid=message.facts["sid"],
            detail={"attempts": attempts} if delivered else {"attempts": attempts, "error": error},
        )
