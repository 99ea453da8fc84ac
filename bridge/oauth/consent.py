"""Consent: the user sees who asks for what, and allows it or not (OIDC Core section 3.1.2.4)."""

from dataclasses import dataclass

from bridge.errors import NotServed
from bridge.history import AuditEntry, Event, acting_user
from bridge.model import AuthorizationRequest, Session, User
from bridge.oauth.request import BrowserRequest, parse_parameters, read_form
from bridge.oauth.site import Site, seal_of
from bridge.oauth.standing import check_gate, counts, is_recent
from bridge.oauth.steps import Outcome, Redirect, ShowConsent, ShowError
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
        return ("consent", self.stored.request_id, self.session.session_id, " ".join(self.request.consent_scope))


class Consent:
    """Answers GET and POST /consent."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def respond(self, http: BrowserRequest) -> Outcome:
        """The page, or after a decision the way back to /authorize; there too if nothing is asked any more."""
        try:
            form = read_form(http) if http.method == "POST" else parse_parameters(http.query)
            stored = self._site.stored(form.require("request"))
            back = Outcome(Redirect(self._site.authorize_url(stored.client_id, stored.request_id)))
            asked = self._asked(stored, http)
            if asked is None:
                return back
            if http.method == "POST":
                self._site.check_form(http, form, http.browser, *asked.purpose())
                allowed = form.get("decision") == "allow"
                self._site.database.decide(lambda tx: _remember(tx, asked, http.now, allowed=allowed))
                return back
            fields = {"request": stored.request_id, "seal": seal_of(str(http.browser), *asked.purpose())}
            switch = self._site.authorize_url(stored.client_id, stored.request_id, switch="account")
            return Outcome(ShowConsent(asked.request, asked.user, fields, switch))
        except NotServed as why:
            return Outcome(ShowError(why))

    def _asked(self, stored: StoredRequest, http: BrowserRequest) -> _Asked | None:
        """What is asked of whom; None where another step is owed, which /authorize knows. Raises Refused."""
        with self._site.database.reading() as tx:
            held = sessions.find(tx, http.session, http.now)
        progress = stored.progress(http.browser, http.now)
        if held is None or progress.request_id is None:
            return None
        request = self._site.request_of(stored, http.now)
        if not counts(self._site, request, progress, held) or not is_recent(request, progress, held[0], http.now):
            return None
        check_gate(self._site, request, held[1])
        return _Asked(stored, request, *held)


def _remember(tx: Tx, asked: _Asked, now: int, *, allowed: bool) -> None:
    """Keep the decision, unless the request was decided or answered meanwhile."""
    request_id, client_id = asked.stored.request_id, asked.request.client.client_id
    if not (requests.consent(tx, request_id, asked.user.sub) if allowed else requests.deny(tx, request_id, now)):
        return
    if allowed:
        consents.give(tx, asked.user.sub, client_id, asked.request.consent_scope, now)
    entry = AuditEntry(
        at=now,
        event=Event.CONSENT_GIVEN if allowed else Event.CONSENT_DENIED,
        actor=acting_user(asked.user.sub),
        client_id=client_id,
        sub=asked.user.sub,
        detail={"scope": " ".join(asked.request.consent_scope)},
    )
    audit.record(tx, entry)
