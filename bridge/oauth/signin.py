"""Where a sign-in page hands back what the user did (docs/own-sign-in-page.md): the third door for assertions.

The post of an app's page is cross-site and brings no cookie; that of our own page has to come from the browser that
began. It opens nothing: who signed in is kept under a value that is good once, and only at /authorize in the browser
that began (threats A17). A page can post for its own client's requests alone, and only what Dynamic issued to that same
page (threats A9).
"""

from dataclasses import dataclass

from bridge.dynamic.verify import Door
from bridge.errors import NotServed, Refused
from bridge.lifecycle.refresh import horizon
from bridge.lifecycle.signin import is_fresh, origin_of
from bridge.model import AUTHORIZATION_CODE, AuthorizationRequest, Client
from bridge.oauth.assertions import Accepted, Assertions
from bridge.oauth.request import BrowserRequest, Form, read_form
from bridge.oauth.site import Site
from bridge.oauth.steps import Outcome, Redirect, ShowError, Step
from bridge.reasons import Reason
from bridge.signin_reasons import SignInReason
from bridge.store import Tx, requests, seen
from bridge.store.requests import StoredRequest
from bridge.store.sessions import SignIn

MOST_TRIES = 3  # how often a page is asked for a fresh sign-in before the user is told that it does not work


@dataclass(frozen=True, slots=True)
class _Posted:
    """What a page posted, once it is clear that it may."""

    stored: StoredRequest
    client: Client
    page: str


class SignInCompletion:
    """Answers POST /signin/complete. `longest`: seconds that an assertion may live; a page holds one for hours."""

    def __init__(self, site: Site, assertions: Assertions, *, longest: int) -> None:
        self._site = site
        self._assertions = assertions
        self._longest = longest

    def respond(self, http: BrowserRequest) -> Outcome:
        """A redirect back to /authorize, or to the page again for a fresh sign-in; else a page that says why not."""
        posted: _Posted | None = None
        try:
            form = read_form(http)
            posted = self._posted(form, http)
            if posted.page == self._site.own_page and not posted.stored.is_of(http.browser):
                raise Refused(SignInReason.COOKIES_OFF if http.browser is None else SignInReason.SIGN_IN_EXPIRED)
            return Outcome(self._taken(form, posted, http.now))
        except NotServed as why:
            if posted is None:
                return Outcome(ShowError(why))
            return Outcome(ShowError(why, posted.client, self._site.begin_again(posted.client, posted.stored)))

    def _posted(self, form: Form, http: BrowserRequest) -> _Posted:
        stored = self._site.stored(form.require("request"))
        client = self._site.clients.find(stored.client_id, http.now)
        if client is None:
            raise Refused(SignInReason.SIGN_IN_EXPIRED)
        page = self._site.signin_url(client)
        if page is None or http.origin != origin_of(page):
            raise Refused(SignInReason.SIGN_IN_PAGE_UNKNOWN)
        return _Posted(stored, client, page)

    def _taken(self, form: Form, posted: _Posted, now: int) -> Step:
        stored, client = posted.stored, posted.client
        on = Redirect(self._site.authorize_url(client.client_id, stored.request_id))
        if stored.is_over(now):
            return on  # it begins again there
        if form.get("error") is not None:
            with self._site.database.writing() as tx:
                requests.deny(tx, stored.request_id, now)
            return on
        request = self._site.request_of(stored, now)
        door = Door(origins=frozenset({origin_of(posted.page)}), max_age=self._longest)
        accepted = self._assertions.accept(form.require("token"), client, door, request.scope, now)
        return self._site.database.decide(lambda tx: self._kept(tx, posted, request, accepted, now))

    def _kept(self, tx: Tx, posted: _Posted, request: AuthorizationRequest, accepted: Accepted, now: int) -> Step:
        stored, client, assertion = posted.stored, posted.client, accepted.assertion
        known = self._assertions.recognise(tx, accepted, client, AUTHORIZATION_CODE, now)
        fresh = is_fresh(assertion, known, stored.began_at)
        if not fresh and (known.signed_out or request.demands_newer(known.auth_time, now)):
            if stored.tries >= MOST_TRIES:
                raise Refused(SignInReason.SIGN_IN_NOT_FRESH)
            requests.ask_again(tx, stored.request_id)
            return Redirect(self._site.signin_page(posted.page, request, stored.request_id, afresh=True))
        if client.assertion_once and not seen.take_once(tx, assertion):
            raise Refused(Reason.ASSERTION_REPLAYED)
        sign_in = SignIn(
            sub=known.user.sub,
            environment_id=assertion.environment.environment_id,
            session_key=assertion.session_key,
            origin=origin_of(posted.page),
            auth_time=known.auth_time,
            amr=accepted.identity.amr,
            trusted_until=horizon(assertion),
            kept_at=now,
        )
        value = requests.keep_sign_in(tx, stored.request_id, sign_in, is_fresh=fresh)
        more = {} if value is None else {"proof": value}  # None: it was posted twice, and the first has been used
        return Redirect(self._site.authorize_url(client.client_id, stored.request_id, **more))
