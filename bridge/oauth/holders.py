"""Whom a token stands for, and whether they may still act: asked by userinfo and introspection alike."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.clock import CLOCKS_DIFFER
from bridge.errors import Refused
from bridge.lifecycle.gate import environment_of, may_act, must_be_open
from bridge.model import Client, Environment, User
from bridge.reasons import Reason
from bridge.store import Database, Tx, refresh_tokens, revoked, upstream
from bridge.store.clients import Clients
from bridge.store.refresh_tokens import PresentedToken
from bridge.store.revoked import Standing
from bridge.subjects import client_session
from bridge.tokens.keyring import Keyring
from bridge.tokens.pairwise import PairwiseSubjects
from bridge.tokens.read import AccessToken, read_access_token


@dataclass(frozen=True, slots=True)
class Holder:
    """A live access token: what it says, whose it is, and for whom (None: the client itself)."""

    token: AccessToken
    client: Client
    user: User | None
    userinfo_claims: tuple[str, ...] = ()  # that its request asked for by name


class Holders:
    """Reads tokens back to the client and the user they were issued for."""

    def __init__(
        self,
        *,
        issuer: str,
        keyring: Keyring,
        subjects: PairwiseSubjects,
        clients: Clients,
        database: Database,
        environments: Mapping[str, Environment],
    ) -> None:
        self._issuer = issuer
        self._keyring = keyring
        self._subjects = subjects
        self._clients = clients
        self._database = database
        self._environments = environments

    def find(self, raw: str, now: int) -> Holder:
        """Raises Refused(ACCESS_TOKEN_INVALID) if the token, its client or its user is no longer good; Unavailable."""
        token = read_access_token(raw, keyring=self._keyring, issuer=self._issuer, now=now)
        client = self._clients.find(token.client_id, now)
        if client is None:
            raise Refused(Reason.ACCESS_TOKEN_INVALID, "client is gone")
        standing = self._standing(token, client)
        user = None if standing is None else standing.user
        try:
            self._check_may_act(client, user)
        except Refused as refused:
            raise Refused(Reason.ACCESS_TOKEN_INVALID, refused.reason.code) from refused
        return Holder(token, client, user, () if standing is None else standing.userinfo_claims)

    def find_refresh_token(self, raw: str, client: Client, now: int) -> PresentedToken:
        """The client's own refresh token, if it is the unspent one of a grant that lives. Raises Refused."""
        with self._database.reading() as tx:
            presented = refresh_tokens.find(tx, raw)
        if presented is None or presented.grant.client_id != client.client_id:
            raise Refused(Reason.REFRESH_TOKEN_INVALID)
        if presented.spent_at is not None or presented.expires_at <= now:
            raise Refused(Reason.REFRESH_TOKEN_EXPIRED)
        must_be_open(presented.grant, presented.user, now)
        self._check_may_act(client, presented.user)
        return presented

    def _check_may_act(self, client: Client, user: User | None) -> None:
        may_act(client, user, None if user is None else environment_of(user, self._environments))

    def _standing(self, token: AccessToken, client: Client) -> Standing | None:
        if token.sub == token.client_id:  # client credentials (RFC 9068 section 2.2); no user's sub is a client_id
            with self._database.reading() as tx:
                if revoked.is_revoked(tx, token.jti):
                    raise Refused(Reason.ACCESS_TOKEN_INVALID, "revoked")
            return None
        sub = self._subjects.behind(client, token.sub)
        if sub is None:
            raise Refused(Reason.ACCESS_TOKEN_INVALID, "user is gone")
        with self._database.reading() as tx:
            standing = revoked.standing(tx, sub=sub, jti=token.jti, grant_id=token.grant_id)
            if standing is None:
                raise Refused(Reason.ACCESS_TOKEN_INVALID, "user is gone")
            if standing.is_revoked or standing.grant_ended or standing.user.was_revoked_since(token.issued_at):
                raise Refused(Reason.ACCESS_TOKEN_INVALID, "revoked")
            if _session_has_ended(tx, token, standing.user):
                raise Refused(Reason.ACCESS_TOKEN_INVALID, "its session has ended")
        return standing


def _session_has_ended(tx: Tx, token: AccessToken, user: User) -> bool:
    """Whether Dynamic has ended the session that a token without a kept grant came of.

    Asked only where one of the user's sessions has ended since the token was issued, or so shortly before that it may
    have been since: clocks differ, and a request may be under way.
    """
    if token.grant_id is not None or token.sid is None:
        return False
    if user.session_ended_at is None or user.session_ended_at < token.issued_at - CLOCKS_DIFFER:
        return False
    return any(
        client_session(user.environment_id, key, token.client_id) == token.sid
        for key in upstream.ended_of_user(tx, user.environment_id, user.user_id)
    )
