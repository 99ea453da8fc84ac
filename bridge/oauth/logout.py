"""Signing out (OpenID Connect RP-Initiated Logout 1.0): the session here ends, and every grant that came of it.

Whoever can make a browser visit a URL can make it visit this one. So a session ends at once only for an ID token of
ours that names this very session, and else after the user has said so on a page (threats O17).

A cookie ends with the browser, what the app and our own sign-in page remember does not. So without a cookie the session
that the ID token names ends all the same: whoever has that token could end it with the cookie too.
"""

from bridge.errors import NotServed, Refused
from bridge.history import acting_user
from bridge.lifecycle.endings import sign_out
from bridge.model import Client, Session, User
from bridge.oauth.request import BrowserRequest, Form, form_as_query, parse_parameters, read_form
from bridge.oauth.site import Site, seal_of
from bridge.oauth.steps import Outcome, Redirect, ShowError, ShowLoggedOut, ShowLogout, ShowSigningOut, Step, with_query
from bridge.reasons import Reason
from bridge.signin_reasons import SignInReason
from bridge.store import Tx, devices, grants, sessions
from bridge.subjects import client_session

_CARRIED = ("post_logout_redirect_uri", "state")


class Logout:
    """Answers GET and POST /logout."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def respond(self, http: BrowserRequest) -> Outcome:
        """The way back to the client, or a page: to confirm, to say that it is done, or what is wrong."""
        try:
            if http.method == "POST":
                form = read_form(http)
                if form.get("seal") is None:  # from another site: the GET after a 303 brings our cookie
                    return Outcome(Redirect(f"{self._site.issuer}/logout?{form_as_query(http)}"))
            else:
                form = parse_parameters(http.query)
                if form.repeated():
                    raise Refused(Reason.PARAMETER_REPEATED)
            return self._answered(form, http)
        except NotServed as why:
            return Outcome(ShowError(why))

    def _answered(self, form: Form, http: BrowserRequest) -> Outcome:
        client, hinted = self._client(form, http.now)
        target = _registered_target(form, client)
        with self._site.database.reading() as tx:
            held = sessions.find(tx, http.session, http.now)
        if held is None:
            return Outcome(self._without_session(client, target, hinted, http.now), session="")
        session, user = held
        if not self._may_end(form, http, client, held, hinted):
            fields = {name: value for name in _CARRIED if (value := form.get(name)) is not None}
            if client is not None:
                fields["client_id"] = client.client_id
            seal = seal_of(str(http.session), *purpose_of(session, client))
            return Outcome(ShowLogout(client, user, {**fields, "seal": seal}))
        self._site.database.decide(lambda tx: sign_out(tx, session, actor=acting_user(user.sub), now=http.now))
        return Outcome(self._ended(session, client, target), session="")

    def _ended(self, session: Session, client: Client | None, target: str | None) -> Step:
        """The step after a session's end: what was proven on our own page, that page still knows at Dynamic."""
        environment = self._site.held_at_dynamic(session)
        return _done(client, target) if environment is None else ShowSigningOut(client, environment, target)

    def _without_session(self, client: Client | None, target: str | None, hinted: str | None, now: int) -> Step:
        """The step where the browser brings no session: what the ID token names has ended by then."""
        if client is None or hinted is None:
            return _done(client, target)
        session = self._site.database.decide(lambda tx: _sign_out_named(tx, client, hinted, now))
        if session is not None:
            return self._ended(session, client, target)
        if not self._site.has_own_page:
            return _done(client, target)
        return ShowSigningOut(client, self._site.environment_for(client), target)

    def _client(self, form: Form, now: int) -> tuple[Client | None, str | None]:
        """Who sends the user, and which session their ID token names. Raises Refused if the two do not fit."""
        hint = form.get("id_token_hint")
        token = self._site.hint(hint, now) if hint is not None else None
        named = form.get("client_id")
        if token is not None and named is not None and named not in token.audience:
            raise Refused(Reason.PARAMETER_INVALID, "client_id is not that of id_token_hint")
        client_id = token.audience[0] if token is not None else named
        client = self._site.clients.find(client_id, now) if client_id is not None else None
        if client_id is not None and (client is None or client.disabled):
            raise Refused(SignInReason.CLIENT_UNKNOWN)
        return client, None if token is None else token.sid

    def _may_end(
        self, form: Form, http: BrowserRequest, client: Client | None, held: tuple[Session, User], hinted: str | None
    ) -> bool:
        """Whether it is the user who wants to: an ID token names this session, or they have said so. Raises Refused."""
        session, _ = held
        if http.method == "POST":
            self._site.check_form(http, form, http.session, *purpose_of(session, client))
            return True
        if client is None or hinted is None:
            return False
        return hinted == client_session(session.environment_id, session.session_key, client.client_id)


def _sign_out_named(tx: Tx, client: Client, sid: str, now: int) -> Session | None:
    """End the session that a client knows by that sid, closed or idle ones' grants included; None if there is none.

    One whose user has signed in anew since is another session for the client: an old ID token does not end it.
    """
    theirs = [one for one in grants.matching(tx, sid) if (one.client_id, one.sid) == (client.client_id, sid)]
    ended = None
    for session_id in sorted({one.session_id for one in theirs if one.session_id is not None}):
        found = devices.device(tx, session_id)
        if found is None:
            continue
        session = found.session
        if client_session(session.environment_id, session.session_key, client.client_id) == sid:
            sign_out(tx, session, actor=acting_user(session.sub), now=now)
            ended = session
    return ended


def purpose_of(session: Session, client: Client | None) -> tuple[str, ...]:
    """What the seal of a form that signs out is made for."""
    return "logout", session.session_id, "" if client is None else client.client_id


def _registered_target(form: Form, client: Client | None) -> str | None:
    """Where to go afterwards, compared byte by byte. Raises Refused: it is not registered, or for nobody we know."""
    uri = form.get("post_logout_redirect_uri")
    if uri is None:
        return None
    if client is None or uri not in client.post_logout_redirect_uris:
        raise Refused(SignInReason.SIGN_OUT_TARGET_NOT_REGISTERED)
    state = form.get("state")
    return uri if state is None else with_query(uri, {"state": state})


def _done(client: Client | None, target: str | None) -> Step:
    return ShowLoggedOut(client) if target is None else Redirect(target)
