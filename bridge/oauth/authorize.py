"""The authorization endpoint (OIDC Core section 3.1.2): one dispatcher, to which every step of a sign-in returns.

    /authorize ──▶ sign in ──▶ /authorize ──▶ consent ──▶ /authorize ──▶ the client's redirect_uri

The query is the request; what was achieved since stands in a stored request, bound to the browser that began it. So
there is no "next" URL to check, and a page that was left open, sent twice or gone back to begins again.
"""

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from bridge.errors import NotServed, Refused
from bridge.lifecycle.liveness import LiveCheck
from bridge.lifecycle.signin import SessionPolicy, goes_on, open_or_renew
from bridge.model import AuthorizationRequest, Client, User
from bridge.oauth.account_client import ACCOUNT
from bridge.oauth.authorization_request import bare_request, find_client, find_redirect_uri
from bridge.oauth.authorization_response import code_for, error_to_client, to_client
from bridge.oauth.request import BrowserRequest, form_as_query, parse_parameters
from bridge.oauth.site import Site
from bridge.oauth.standing import SignedIn, check_gate, counts, is_recent
from bridge.oauth.steps import Outcome, Redirect, ShowError, ShowSignInMissing
from bridge.reasons import Reason
from bridge.signin_reasons import SignInReason
from bridge.store import Tx, consents, requests, sessions
from bridge.store.requests import Progress

LONGEST_QUERY = 4096  # characters that come back in a redirect; a longer request is stored
LONGEST_STORED = 16384  # characters that anybody who knows a client can make us remember


@dataclass(frozen=True, slots=True)
class _Case:
    """One request to /authorize: what is asked, how far it has got, who is signed in."""

    http: BrowserRequest
    request: AuthorizationRequest
    query: str
    progress: Progress
    held: SignedIn | None = None

    @property
    def is_silent(self) -> bool:
        return "none" in self.request.prompt

    def as_somebody_else(self) -> "_Case":
        """The same request, begun again by a user who is signed in with another account."""
        request = replace(self.request, prompt=self.request.prompt - {"none"} | {"select_account"})
        return replace(self, request=request, progress=Progress())


class Authorization:
    """Answers GET and POST /authorize."""

    def __init__(self, site: Site, *, policy: SessionPolicy, live_check: LiveCheck) -> None:
        self._site = site
        self._policy = policy
        self._live_check = live_check

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
            bare = bare_request(parameters, client, find_redirect_uri(parameters, client))
        except NotServed as why:
            return Outcome(ShowError(why, client))
        progress = Progress() if stored is None else stored.progress(http.browser, http.now)
        if http.browser is None and form.get("proof") is not None:  # else a page that posts by itself would go round
            return Outcome(ShowError(Refused(SignInReason.COOKIES_OFF), client))
        try:
            case = _Case(http, self._site.read(parameters, bare, http.now), query, progress)
            if stored is not None and form.get("switch") is not None:
                case = case.as_somebody_else()
            proof = form.get("proof")
            if proof is None and "login" not in case.request.prompt:  # else the session is not what they sign in by
                self._live_check.of_browser(http.session, http.now)
            return self._site.database.decide(lambda tx: self._decide(tx, case, proof))
        except Refused as why:
            return self._refused(bare, why)
        except NotServed as why:
            if why.reason is Reason.LIVE_CHECK_UNAVAILABLE:  # RFC 6749 section 4.1.2.1 has a word for it
                return self._refused(bare, why)
            return Outcome(ShowError(why, client, self._site.begin_again(client, stored)))

    def _as_get(self, http: BrowserRequest) -> Outcome:
        """The same request by GET: a cross-site POST brings no cookie of ours, the GET after a 303 does."""
        query = form_as_query(http)
        if len(query) <= LONGEST_QUERY:
            return Outcome(Redirect(f"{self._site.issuer}/authorize?{query}"))
        form = parse_parameters(query)
        client = find_client(form, self._site.clients, http.now)
        find_redirect_uri(form, client)
        if len(query) > LONGEST_STORED:
            raise Refused(Reason.BODY_TOO_LARGE)
        with self._site.database.writing() as tx:
            request_id = self._site.begin(tx, client.client_id, query, None, http)
        return Outcome(Redirect(self._site.authorize_url(client.client_id, request_id)))

    def _refused(self, request: AuthorizationRequest, why: NotServed) -> Outcome:
        if request.client.client_id == ACCOUNT:  # our own page, whose URL stays clean
            return Outcome(ShowError(why, None, request.redirect_uri))
        return Outcome(error_to_client(request, self._site.issuer, why, self._site.reasons_url), why=why)

    def _decide(self, tx: Tx, case: _Case, proof: str | None) -> Outcome:
        """The next step, after the session that a proof of a sign-in opens."""
        now, request_id = case.http.now, case.progress.request_id
        case = replace(case, held=sessions.find(tx, case.http.session, now))
        if request_id is None or proof is None:
            return self._next(tx, case)
        who = requests.redeem_sign_in(tx, request_id, proof)
        if who is None:  # it was sent twice; what the first one achieved counts
            return self._next(tx, case)
        client, user_agent = case.request.client, case.http.user_agent
        cookie = open_or_renew(tx, who, case.held, self._policy, client=client, user_agent=user_agent, now=now)
        if cookie is None:  # the user has signed out since: what was proven is worth nothing
            held = sessions.find(tx, case.http.session, now)
            return self._next(tx, replace(case, held=held, progress=Progress()))
        progress = replace(case.progress, signed_in_as=who.sub, session_key=who.session_key)
        case = replace(case, held=sessions.find(tx, cookie, now), progress=progress)
        try:
            outcome = self._next(tx, case)
        except Refused as why:  # the session is open all the same, and its cookie has to be set
            outcome = self._refused(case.request, why)
        return replace(outcome, session=cookie)

    def _next(self, tx: Tx, case: _Case) -> Outcome:
        """The first step that is still owed, in the protocol's order; the code if none is. Raises Refused."""
        request, now = case.request, case.http.now
        if case.progress.denied:
            self._finish(tx, case)
            raise Refused(SignInReason.ACCESS_DENIED)
        held = case.held if counts(self._site, request, case.progress, case.held) else None
        if held is None or not is_recent(request, case.progress, held[0], now):
            return self._sign_in(tx, case, held)
        session, user = held
        check_gate(self._site, request, user)
        self._site.limits.of_user(request.client.client_id, user.environment_id, user.user_id)
        if self._must_consent(tx, case, user):
            return self._ask_consent(tx, case)
        if not self._finish(tx, case):
            return self._next(tx, replace(case, progress=Progress()))  # sent twice, and the other one was answered
        if not goes_on(tx, session, self._policy, now):
            return self._next(tx, replace(case, progress=Progress(), held=None))  # signed out in this very moment
        if self._must_consent(tx, case, user):  # taken back in this very moment
            return self._next(tx, replace(case, progress=Progress()))
        if request.client.client_id == ACCOUNT:  # our own page sees the session itself: no code, no grant
            return Outcome(Redirect(request.redirect_uri))
        return Outcome(to_client(request, self._site.issuer, {"code": code_for(tx, request, session, user, now)}))

    def _finish(self, tx: Tx, case: _Case) -> bool:
        request_id = case.progress.request_id
        return request_id is None or requests.finish(tx, request_id, case.http.now)

    def _sign_in(self, tx: Tx, case: _Case, held: SignedIn | None) -> Outcome:
        if case.is_silent:
            raise Refused(SignInReason.LOGIN_REQUIRED)
        client = case.request.client
        page = self._site.signin_url(client)
        if page is None:
            return Outcome(ShowSignInMissing(client))
        # Without a session any sign-in may do; whether it does, the page's post will tell.
        known_since = case.http.now if held is None else held[0].auth_time
        afresh = case.request.demands_newer(known_since, case.http.now)
        request_id, browser = self._begun(tx, case, keep=case.progress.signed_in_as is None)
        return Outcome(Redirect(self._site.signin_page(page, case.request, request_id, afresh=afresh)), browser)

    def _must_consent(self, tx: Tx, case: _Case, user: User) -> bool:
        request = case.request
        if request.client.client_id == ACCOUNT:
            return False
        allowed = consents.covers(tx, user.sub, request.client.client_id, request.consent_scope)
        if case.progress.consented_by == user.sub:
            return not allowed  # what was shown: the client may have been given more since
        if "consent" in request.prompt:
            return True
        if not self._site.asks_consent(request):
            return False
        # Who waits at a loopback address now need not be who was allowed before (RFC 8252 section 8.6).
        return not allowed or not request.redirect_uri.startswith("https://")

    def _ask_consent(self, tx: Tx, case: _Case) -> Outcome:
        if case.is_silent:
            raise Refused(SignInReason.CONSENT_REQUIRED)
        request_id, browser = self._begun(tx, case, keep=True)
        return Outcome(Redirect(f"{self._site.issuer}/consent?{urlencode({'request': request_id})}"), browser)

    def _begun(self, tx: Tx, case: _Case, *, keep: bool) -> tuple[str, str | None]:
        """The stored request of this case, and the browser's cookie if it has to be set."""
        if keep and case.progress.request_id is not None:
            return case.progress.request_id, None
        if len(case.query) > LONGEST_STORED:
            raise Refused(Reason.BODY_TOO_LARGE)
        browser = case.http.browser or self._site.new_browser()
        client_id = case.request.client.client_id
        return self._site.begin(tx, client_id, case.query, browser, case.http), browser
