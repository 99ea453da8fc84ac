"""Revocation (RFC 7009): a client hands back what it was given."""

from bridge.errors import NotServed, Refused
from bridge.history import Cause, acting
from bridge.lifecycle.closing import close_grant, revoke_access_token
from bridge.model import Client
from bridge.oauth.client_auth import ClientAuthentication
from bridge.oauth.refusals import refusal_answer
from bridge.oauth.request import Answer, HttpRequest, json_answer, read_form
from bridge.reasons import Reason
from bridge.store import Database, Tx, refresh_tokens
from bridge.store.handles import is_refresh_token
from bridge.tokens.keyring import Keyring
from bridge.tokens.pairwise import PairwiseSubjects
from bridge.tokens.read import read_access_token


class Revocation:
    """Takes refresh tokens, spent ones too, with their whole grant, and access tokens one by one.

    A token is recognised by its form; token_type_hint is not needed and ignored (section 2.1). What is unknown, expired
    or revoked already is answered like what was revoked now (section 2.2).
    """

    def __init__(
        self,
        *,
        issuer: str,
        reasons_url: str,
        database: Database,
        authentication: ClientAuthentication,
        keyring: Keyring,
        subjects: PairwiseSubjects,
    ) -> None:
        self._issuer = issuer
        self._reasons_url = reasons_url
        self._database = database
        self._authentication = authentication
        self._keyring = keyring
        self._subjects = subjects

    def respond(self, http: HttpRequest) -> Answer:
        """200 with nothing in it once the token is of no use; 503 rather than 200 if that could not be kept."""
        try:
            form = read_form(http)
            caller = self._authentication.authenticate(http, form)
            raw = form.require("token")
            if is_refresh_token(raw):
                self._database.decide(lambda tx: _close_family(tx, raw, caller, http.now))
            else:
                self._revoke_access_token(raw, caller, http.now)
        except NotServed as why:
            return refusal_answer(why, self._reasons_url, http)
        return json_answer(200, {})

    def _revoke_access_token(self, raw: str, caller: Client, now: int) -> None:
        try:
            token = read_access_token(raw, keyring=self._keyring, issuer=self._issuer, now=now)
        except Refused:
            return
        if token.client_id != caller.client_id:
            raise Refused(Reason.TOKEN_OF_ANOTHER_CLIENT)
        sub = self._subjects.behind(caller, token.sub) if token.sub != token.client_id else None
        self._database.decide(lambda tx: revoke_access_token(tx, token, sub=sub, actor=acting(caller), now=now))


def _close_family(tx: Tx, raw: str, caller: Client, now: int) -> None:
    found = refresh_tokens.find(tx, raw)
    if found is None:
        return
    if found.grant.client_id != caller.client_id:
        raise Refused(Reason.TOKEN_OF_ANOTHER_CLIENT)
    close_grant(tx, found.grant, Cause.CLIENT_REVOKED, actor=acting(caller), now=now)
