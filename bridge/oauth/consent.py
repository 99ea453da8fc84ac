"""Consent: the user sees who asks for what, and allows it or not (OIDC Core section 3.1.2.4)."""

from dataclasses import dataclass, replace

from bridge.errors import NotServed, Refused
from bridge.history import AuditEntry, Event
from bridge.model import AuthorizationRequest, Session, User
from bridge.oauth.request import BrowserRequest, Form, parse_parameters, read_form
from bridge.oauth.site import Site, fits, seal_of
from bridge.oauth.steps import Outcome, Redirect, ShowConsent, ShowError
from bridge.signin_reasons import SignInReason
from bridge.store import Tx, audit, consents, requests, sessions
from bridge.store.requests import StoredRequest


@dataclass(frozen=True, slots=True)
class _Asked:
    stored: StoredRequest
    request: AuthorizationRequest
    session: Session
    user: User

    def purpose(self) -> tuple[str, ...]:
        """What a decision is bound to: this request, this session, what was shown."""
        return ("consent", self.stored.request_id, self.session.session_id, " ".join(self.request.scope))


class Consent:
    """Answers GET and POST /consent."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def respond(self, http: BrowserRequest) -> Outcome:
        """The page, or after a decision the way back to /authorize."""
        try:
            form = read_form(http) if http.method == "POST" else parse_parameters(http.query)
            asked = self._asked(form, http)
            if asked is None:
                return Outcome(Redirect(self._way_back(form)))
            if http.method == "POST":
                return self._decided(form, asked, http)
            fields = {"request": asked.stored.request_id, "seal": seal_of(str(http.browser), *asked.purpose())}
            return Outcome(ShowConsent(asked.request, asked.user, fields))
        except NotServed as why:
            return Outcome(ShowError(why))

    def _asked(self, form: Form, http: BrowserRequest) -> _Asked | None:
        """What is asked of whom; None if the request or the session is over. Raises Refused."""
        with self._site.database.reading() as tx:
            stored = requests.find(tx, form.require("request"))
            held = sessions.find(tx, http.session, http.now) if http.session is not None else None
        if stored is None:
            raise Refused(SignInReason.SIGN_IN_EXPIRED)
        if held is None or not stored.goes_on(http.browser, http.now):
            return None
        return _Asked(stored, self._site.request_of(stored, http.now), *held)

    def _way_back(self, form: Form) -> str:
        with self._site.database.reading() as tx:
            stored = requests.find(tx, form.require("request"))
        if stored is None:
            raise Refused(SignInReason.SIGN_IN_EXPIRED)
        return self._site.authorize_url(stored.client_id, stored.request_id)

    def _decided(self, form: Form, asked: _Asked, http: BrowserRequest) -> Outcome:
        sent_by_us = http.origin in (None, self._site.origin)
        if not sent_by_us or not fits(form.get("seal"), http.browser, *asked.purpose()):
            raise Refused(SignInReason.FORM_FORGED)
        allowed = form.get("decision") == "allow"
        self._site.database.decide(lambda tx: _remember(tx, asked, http.now, allowed=allowed))
        return Outcome(Redirect(self._site.authorize_url(asked.request.client.client_id, asked.stored.request_id)))


def _remember(tx: Tx, asked: _Asked, now: int, *, allowed: bool) -> None:
    client_id = asked.request.client.client_id
    entry = AuditEntry(
        at=now,
        event=Event.CONSENT_GIVEN,
        actor=f"user:{asked.user.sub}",
        client_id=client_id,
        sub=asked.user.sub,
        detail={"scope": " ".join(asked.request.scope)},
    )
    if not allowed:
        requests.deny(tx, asked.stored.request_id, now)
        audit.record(tx, replace(entry, event=Event.CONSENT_DENIED))
    elif requests.consent(tx, asked.stored.request_id, now):
        consents.give(tx, asked.user.sub, client_id, asked.request.scope, now)
        audit.record(tx, entry)
