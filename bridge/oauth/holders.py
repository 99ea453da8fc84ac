"""Whom an access token stands for, and whether they may still act: asked by userinfo and introspection alike."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.errors import Refused
from bridge.lifecycle.gate import may_act
from bridge.model import Client, Environment, User
from bridge.reasons import Reason
from bridge.store import Database, users
from bridge.store.clients import Clients
from bridge.tokens.keyring import Keyring
from bridge.tokens.pairwise import PairwiseSubjects
from bridge.tokens.read import AccessToken, read_access_token


@dataclass(frozen=True, slots=True)
class Holder:
    """A live access token: what it says, whose it is, and for whom (None: the client itself)."""

    token: AccessToken
    client: Client
    user: User | None


class Holders:
    """Reads access tokens back to the client and the user they were issued for."""

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
        user = self._user(token, client)
        environment = self._environments.get(user.environment_id) if user is not None else None
        if user is not None and environment is None:
            raise Refused(Reason.ACCESS_TOKEN_INVALID, "environment is gone")
        try:
            may_act(client, user, environment)
        except Refused as refused:
            raise Refused(Reason.ACCESS_TOKEN_INVALID, refused.reason.code) from refused
        return Holder(token, client, user)

    def _user(self, token: AccessToken, client: Client) -> User | None:
        if token.sub == token.client_id:  # client credentials (RFC 9068 section 2.2); no user's sub is a client_id
            return None
        sub = self._subjects.behind(client, token.sub)
        with self._database.reading() as tx:
            user = users.by_sub(tx, sub) if sub is not None else None
        if user is None:
            raise Refused(Reason.ACCESS_TOKEN_INVALID, "user is gone")
        return user
