"""The authorization endpoint (OIDC Core section 3.1.2): one dispatcher, to which every step of a sign-in returns.

    /authorize ──▶ sign in ──▶ /authorize ──▶ consent ──▶ /authorize ──▶ the client's redirect_uri

The query is the request; what was achieved since stands in a stored request, bound to the browser that began it. So
there is no "next" URL to check, and a page that was left open, sent twice or gone back to begins again.
"""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from bridge.errors import NotServed, Refused
from bridge.history import AuditEntry, Event
from bridge.lifecycle.gate import may_issue
from bridge.lifecycle.signin import SessionPolicy, open_or_renew, serves
from bridge.model import AUTHORIZATION_CODE, AuthorizationRequest, Client, Environment, Grant, Session, User
from bridge.oauth.authorization_request import bare_request, find_client, find_redirect_uri, read_request
from bridge.oauth.hints import hinted_sub
from bridge.oauth.request import BrowserRequest, Form, form_as_query, parse_parameters
from bridge.oauth.rules import OFFLINE_ACCESS
from bridge.oauth.site import Site
from bridge.oauth.steps import Outcome, Redirect, ShowError, error_to_client, to_client
from bridge.reasons import Reason
from bridge.signin_reasons import SignInReason
from bridge.store import Tx, audit, codes, consents, grants, requests, sessions
from bridge.store.grants import Ground
from bridge.store.requests import StoredRequest
from bridge.subjects import client_session

LONGEST_QUERY = 4096  # characters that come back in a redirect; a longer request is stored
REMEMBERED = 86400  # seconds for which the second use of a code is noticed at least, or as long as its grant lives


@dataclass(frozen=True, slots=True)
class _Case:
    """One request to /authorize: what is asked, how far it has got, who is signed in."""

    http: BrowserRequest
    request: AuthorizationRequest
    query: str
    progress: StoredRequest | None
    held: tuple[Session, User] | None = None

    @property
    def is_silent(self) -> bool:
        return "none" in self.request.prompt

    @property
    def signed_in(self) -> bool:
        return self.progress is not None and self.progress.signed_in_at is not None

    @property
    def signed_in_afresh(self) -> bool:
        return self.signed_in and self.progress is not None and self.progress.is_fresh


class Authorization:
    """Answers GET and POST /authorize."""

    def __init__(self, site: Site, *, policy: SessionPolicy) -> None:
        self._site = site
        self._policy = policy

    def respond(self, http: BrowserRequest) -> Outcome:
        """A redirect to the next step or to the client; a page where nobody can be redirected to (threats O2)."""
        client: Client | None = None
        try:
            if http.method == "POST":
                return self._as_get(http)
            form = parse_parameters(http.query)
            client = find_client(form, self._site.clients, http.now)
            stored = self._site.stored_request(form, client)
            query = http.query if stored is None else stored.query
            parameters = form if stored is None else parse_parameters(query)
            redirect_uri = find_redirect_uri(parameters, client)
        except NotServed as why:
            return Outcome(ShowError(why, client))
        bare = bare_request(parameters, client, redirect_uri)
        try:
            request = self._read(parameters, client, redirect_uri, http.now)
        except Refused as why:
            return Outcome(error_to_client(bare, self._site.issuer, why, self._site.reasons_url))
        progress = stored if stored is not None and stored.goes_on(http.browser, http.now) else None
        proof = form.get("proof") if progress is not None else None
        case = _Case(http, request, query, progress)
        try:
            return self._site.database.decide(lambda tx: self._decide(tx, case, proof))
        except Refused as why:
            return Outcome(error_to_client(request, self._site.issuer, why, self._site.reasons_url))
        except NotServed as why:
            return Outcome(ShowError(why, client, self._site.begin_again(client, stored)))

    def _as_get(self, http: BrowserRequest) -> Outcome:
        """The same request by GET: a cross-site POST brings no cookie of ours, the GET after a 303 does."""
        query = form_as_query(http)
        if len(query) <= LONGEST_QUERY:
            return Outcome(Redirect(f"{self._site.issuer}/authorize?{query}"))
        client = find_client(parse_parameters(query), self._site.clients, http.now)
        with self._site.database.writing() as tx:
            request_id = requests.begin(tx, client.client_id, query, None, http.now)
        return Outcome(Redirect(self._site.authorize_url(client.client_id, request_id)))

    def _read(self, parameters: Form, client: Client, redirect_uri: str, now: int) -> AuthorizationRequest:
        request = read_request(
            parameters, client, redirect_uri, issuer=self._site.issuer, selection=self._site.selection
        )
        hint = parameters.get("id_token_hint")
        return request if hint is None else replace(request, wanted_sub=hinted_sub(self._site, client, hint, now))

    def _decide(self, tx: Tx, case: _Case, proof: str | None) -> Outcome:
        now, progress = case.http.now, case.progress
        held = sessions.find(tx, case.http.session, now) if case.http.session is not None else None
        if progress is None or proof is None:
            return self._next(tx, replace(case, held=held))
        who = requests.redeem_proof(tx, progress.request_id, proof, now)
        if who is None:  # it was sent twice; what the first one achieved counts
            return self._next(tx, replace(case, held=held))
        cookie = open_or_renew(tx, who, held, self._policy, client=case.request.client, now=now)
        signed_in = replace(case, held=sessions.find(tx, cookie, now), progress=requests.find(tx, progress.request_id))
        return replace(self._settled(tx, signed_in), session=cookie)

    def _settled(self, tx: Tx, case: _Case) -> Outcome:
        """The next step, a refusal among them: the session that was opened on the way has its cookie all the same."""
        try:
            return self._next(tx, case)
        except Refused as why:
            return Outcome(error_to_client(case.request, self._site.issuer, why, self._site.reasons_url))

    def _next(self, tx: Tx, case: _Case) -> Outcome:
        """The first step that is still owed, in the protocol's order; the code if none is."""
        if case.progress is not None and case.progress.denied_at is not None:
            requests.finish(tx, case.progress.request_id, case.http.now)
            raise Refused(SignInReason.ACCESS_DENIED)
        usable = self._usable(case)
        if usable is None or self._must_sign_in(case, usable[0]):
            return self._sign_in(tx, case, usable)
        session, user = usable
        if self._must_consent(tx, case, user):
            return self._ask_consent(tx, case)
        if case.progress is not None and not requests.finish(tx, case.progress.request_id, case.http.now):
            return self._next(tx, replace(case, progress=None))  # it was sent twice, and the other one was answered
        return self._answer(tx, case, session, user)

    def _usable(self, case: _Case) -> tuple[Session, User] | None:
        """Who is signed in, if that counts for this client and is whom the request asks for. Raises Refused."""
        if case.held is None:
            return None
        session, user = case.held
        client = case.request.client
        if not serves(session, client, self._site.signin_url(client)):
            return None
        wanted = case.request.wanted_sub
        if wanted is not None and wanted != self._site.subjects.shown_to(client, user.sub):
            if case.signed_in:
                raise Refused(SignInReason.LOGIN_REQUIRED, "signed in as somebody else")
            return None
        self._check_may_issue(client, user)
        return case.held

    def _check_may_issue(self, client: Client, user: User) -> None:
        environment: Environment | None = self._site.environments.get(user.environment_id)
        try:
            if environment is None:
                raise Refused(Reason.ENVIRONMENT_NOT_ALLOWED, "no longer configured")
            may_issue(client, user, environment, AUTHORIZATION_CODE)
        except Refused as why:
            raise Refused(SignInReason.ACCESS_DENIED, why.reason.code) from why

    def _must_sign_in(self, case: _Case, session: Session) -> bool:
        prompt, max_age = case.request.prompt, case.request.max_age
        if "login" in prompt and not case.signed_in_afresh:
            return True
        if "select_account" in prompt and not case.signed_in:
            return True
        return _is_too_old(session, max_age, case.http.now) and not case.signed_in_afresh

    def _sign_in(self, tx: Tx, case: _Case, usable: tuple[Session, User] | None) -> Outcome:
        if case.is_silent:
            raise Refused(SignInReason.LOGIN_REQUIRED)
        client = case.request.client
        page = self._site.signin_url(client)
        if page is None:
            return Outcome(ShowError(Refused(SignInReason.SIGN_IN_PAGE_MISSING), client))
        afresh = "login" in case.request.prompt or (
            usable is not None and _is_too_old(usable[0], case.request.max_age, case.http.now)
        )
        request_id, browser = self._begun(tx, case, keep=not case.signed_in)
        return Outcome(Redirect(self._site.signin_page(page, case.request, request_id, afresh=afresh)), browser)

    def _must_consent(self, tx: Tx, case: _Case, user: User) -> bool:
        consented = case.progress is not None and case.progress.consented_at is not None
        if "consent" in case.request.prompt:
            return not consented
        if consented or not self._site.asks_consent(case.request):
            return False
        return not consents.covers(tx, user.sub, case.request.client.client_id, case.request.scope)

    def _ask_consent(self, tx: Tx, case: _Case) -> Outcome:
        if case.is_silent:
            raise Refused(SignInReason.CONSENT_REQUIRED)
        request_id, browser = self._begun(tx, case, keep=True)
        return Outcome(Redirect(f"{self._site.issuer}/consent?{urlencode({'request': request_id})}"), browser)

    def _begun(self, tx: Tx, case: _Case, *, keep: bool) -> tuple[str, str | None]:
        """The stored request of this case, and the browser's cookie if it has to be set."""
        if keep and case.progress is not None:
            return case.progress.request_id, None
        browser = case.http.browser or self._site.new_browser()
        client_id = case.request.client.client_id
        return requests.begin(tx, client_id, case.query, browser, case.http.now), browser

    def _answer(self, tx: Tx, case: _Case, session: Session, user: User) -> Outcome:
        """A code, which stands for a grant that is kept from now on."""
        request, now = case.request, case.http.now
        client = request.client
        sid = client_session(session.environment_id, session.session_key, client.client_id)
        ends_at = session.expires_at
        if OFFLINE_ACCESS in request.scope:
            ends_at = min(ends_at, now + client.refresh_absolute_ttl)
        grant = Grant(
            client=client,
            user=user,
            scope=request.scope,
            audience=request.audience,
            sid=sid,
            auth_time=session.auth_time,
            amr=session.amr,
        )
        ground = Ground(
            session.environment_id,
            session.session_key,
            as_of=session.opened_at,
            session_id=session.session_id,
            userinfo_claims=request.userinfo_claims,
        )
        kept = grants.open_grant(tx, grant, ground, expires_at=ends_at, now=now)
        code = codes.hand_out(
            tx,
            str(kept.grant_id),
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            nonce=request.nonce,
            acr=request.acr,
            id_token_claims=request.id_token_claims,
            forget_at=min(ends_at, now + REMEMBERED),
            now=now,
        )
        sessions.touch(tx, session.session_id, idle_at=self._policy.idle_at(session.expires_at, now))
        entry = AuditEntry(
            at=now,
            event=Event.CODE_ISSUED,
            actor=f"user:{user.sub}",
            client_id=client.client_id,
            sub=user.sub,
            sid=sid,
            grant_id=kept.grant_id,
            detail={"scope": " ".join(request.scope)},
        )
        audit.record(tx, entry)
        return Outcome(to_client(request, self._site.issuer, {"code": code}))


def _is_too_old(session: Session, max_age: int | None, now: int) -> bool:
    return max_age is not None and now - session.auth_time > max_age
