"""Userinfo (OIDC Core section 5.3): the claims of an access token's user, by its scope."""

from dataclasses import replace

from bridge.errors import NotServed, Refused
from bridge.oauth.holders import Holder, Holders
from bridge.oauth.refusals import error_document, refusal_answer
from bridge.oauth.request import Answer, HttpRequest, is_form, json_answer, read_form
from bridge.ratelimit import RateLimits
from bridge.reasons import Reason
from bridge.tokens.claims import ClaimSelection


class Userinfo:
    """Answers GET and POST; the token in the Authorization header or, by POST, in the form (RFC 6750 section 2)."""

    def __init__(
        self, *, issuer: str, reasons_url: str, holders: Holders, selection: ClaimSelection, limits: RateLimits
    ) -> None:
        self._issuer = issuer
        self._reasons_url = reasons_url
        self._holders = holders
        self._selection = selection
        self._limits = limits

    def respond(self, http: HttpRequest) -> Answer:
        """200 with the claims; 401 bare without a token; 401 or 403 with the error in WWW-Authenticate."""
        try:
            raw = _bearer_token(http)
            if raw is None:
                bare = json_answer(401, {})
                return replace(bare, headers={**bare.headers, "WWW-Authenticate": "Bearer"})
            return self._claims(self._holder(raw, http))
        except NotServed as why:
            return self._refusal(why, http)

    def _holder(self, raw: str, http: HttpRequest) -> Holder:
        """Only tokens that are no good count for their address: a good one passes whatever else comes from there."""
        try:
            holder = self._holders.find(raw, http.now)
        except Refused:
            self._limits.of_source(http.peer)
            raise
        http.notes.client_id = holder.client.client_id
        if holder.user is not None:
            self._limits.of_user(holder.client.client_id, holder.user.environment_id, holder.user.user_id)
        return holder

    def _claims(self, holder: Holder) -> Answer:
        if self._issuer not in holder.token.audience:
            raise Refused(Reason.ACCESS_TOKEN_INVALID, "issued for another resource")
        if holder.user is None or "openid" not in holder.token.scope:
            raise Refused(Reason.SCOPE_INSUFFICIENT)
        asked = self._selection.askable(holder.userinfo_claims, holder.client.scopes)
        claims = self._selection.for_userinfo(holder.user.claims, holder.token.scope, asked)
        return json_answer(200, {**claims, "sub": holder.token.sub})

    def _refusal(self, why: NotServed, http: HttpRequest) -> Answer:
        answer = refusal_answer(why, self._reasons_url, http)
        if answer.status not in (400, 401, 403):
            return answer
        document = error_document(why, self._reasons_url)
        if why.reason is Reason.SCOPE_INSUFFICIENT:
            document["scope"] = "openid"
        challenge = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in document.items())
        return replace(answer, headers={**answer.headers, "WWW-Authenticate": challenge})


def _bearer_token(http: HttpRequest) -> str | None:
    """The one token of the request. Raises Refused if it is sent in two ways (RFC 6750 section 2)."""
    scheme, _, header_token = http.headers.get("authorization", "").partition(" ")
    from_header = header_token.strip() if scheme.lower() == "bearer" else None
    from_form = None
    if http.method == "POST" and is_form(http):
        from_form = read_form(http).get("access_token")
    if from_header is not None and from_form is not None:
        raise Refused(Reason.PARAMETER_REPEATED, "access token in header and form")
    return from_header if from_header is not None else from_form
