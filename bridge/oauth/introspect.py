"""Introspection (RFC 7662): is this token good, and may you know?"""

from typing import Any

from bridge.errors import NotServed, Refused
from bridge.model import Client
from bridge.oauth.client_auth import ClientAuthentication
from bridge.oauth.holders import Holder, Holders
from bridge.oauth.refusals import refusal_answer
from bridge.oauth.request import Answer, HttpRequest, json_answer, read_form
from bridge.reasons import Reason
from bridge.store.handles import is_refresh_token
from bridge.tokens.pairwise import PairwiseSubjects

_SHOWN = ("iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "sid", "auth_time", "amr")


class Introspection:
    """Answers confidential clients about their own tokens and access tokens for the resources they serve."""

    def __init__(
        self,
        *,
        issuer: str,
        reasons_url: str,
        authentication: ClientAuthentication,
        holders: Holders,
        subjects: PairwiseSubjects,
    ) -> None:
        self._issuer = issuer
        self._reasons_url = reasons_url
        self._authentication = authentication
        self._holders = holders
        self._subjects = subjects

    def respond(self, http: HttpRequest) -> Answer:
        """200 in either case; what is not active, or none of the caller's business, is exactly {"active": false}."""
        try:
            form = read_form(http)
            caller = self._authentication.authenticate(http, form)
            if caller.public:
                raise Refused(Reason.CLIENT_AUTHENTICATION_FAILED, "a public client cannot introspect")
            return json_answer(200, self._state(form.require("token"), caller, http.now))
        except NotServed as why:
            return refusal_answer(why, self._reasons_url, http)

    def _state(self, raw: str, caller: Client, now: int) -> dict[str, Any]:
        try:
            if is_refresh_token(raw):
                return self._refresh_token_state(raw, caller, now)
            holder = self._holders.find(raw, now)
        except Refused:
            return {"active": False}
        if not self._concerns(holder, caller):
            return {"active": False}
        claims = holder.token.claims
        return {"active": True, "token_type": "Bearer", **{name: claims[name] for name in _SHOWN if name in claims}}

    def _refresh_token_state(self, raw: str, caller: Client, now: int) -> dict[str, Any]:
        """Its own unspent refresh token; it has no token_type, for nobody may be addressed with it."""
        presented = self._holders.find_refresh_token(raw, caller, now)
        grant = presented.grant
        return {
            "active": True,
            "iss": self._issuer,
            "sub": self._subjects.shown_to(caller, grant.sub),
            "client_id": caller.client_id,
            "scope": " ".join(grant.scope),
            "exp": presented.expires_at,
            "sid": grant.sid,
            "auth_time": grant.auth_time,
        }

    def _concerns(self, holder: Holder, caller: Client) -> bool:
        """Its own tokens, and those for a resource that it serves (threats O24). Nobody else serves our userinfo."""
        resources = set(holder.token.audience) - {self._issuer}
        return holder.token.client_id == caller.client_id or not resources.isdisjoint(caller.serves)
