"""The users' own page: where they are signed in, which apps have what of them, and how to end it.

Only a session that counts for the page's client opens it (oauth/account_client.py); everybody else is sent through
/authorize, and comes back to a URL without a parameter. Whatever changes something is a form of ours, sealed for this
session and this very deed (threats O16), and looks up afresh whether what it names is the user's: they hold the key of
their own seals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from bridge.errors import NotServed, Refused
from bridge.history import Cause, acting_user
from bridge.lifecycle.disclosure import Overview, as_document, overview_of, record_of
from bridge.lifecycle.endings import disconnect, erase_user, revoke_user, sign_out
from bridge.lifecycle.gate import environment_of, may_act
from bridge.lifecycle.liveness import LiveCheck
from bridge.lifecycle.signin import SessionPolicy, goes_on
from bridge.model import Client, Session, User
from bridge.oauth.account_client import ACCOUNT, RECENT, account_client, account_url, erasure_url, sign_in_url
from bridge.oauth.logout import purpose_of
from bridge.oauth.request import BrowserRequest, Form, parse_parameters, read_form
from bridge.oauth.site import Site, fits, seal_of
from bridge.oauth.standing import SignedIn, is_worth_something
from bridge.oauth.steps import (
    Download,
    Outcome,
    Redirect,
    ShowAccount,
    ShowErased,
    ShowErasure,
    ShowError,
    ShowSigningOut,
)
from bridge.reasons import Reason
from bridge.store import Tx, devices, sessions

ENTRIES = 25  # of what happened lately, that the page shows
NOTICES = ("ended", "disconnected", "nothing")


@dataclass(frozen=True, slots=True)
class _Deed:
    """What a form asks for: `target` is a session's id or a client's."""

    http: BrowserRequest
    session: Session
    user: User
    target: str

    @property
    def actor(self) -> str:
        return acting_user(self.user.sub)


class Account:
    """Answers GET and POST /account, and the same at /account/erase."""

    def __init__(self, site: Site, *, policy: SessionPolicy, live_check: LiveCheck) -> None:
        self._site = site
        self._policy = policy
        self._live_check = live_check
        self._client = account_client(site.issuer)
        self._deeds = {
            "end": self._end,
            "disconnect": self._disconnect,
            "everywhere": self._sign_out_everywhere,
            "export": self._export,
        }

    def respond(self, http: BrowserRequest) -> Outcome:
        """The page, or after a deed the way back to it."""
        here = account_url(self._site.issuer)
        try:
            form = read_form(http) if http.method == "POST" else parse_parameters(http.query)
            if http.method != "POST":  # who wants to end something may, though Dynamic cannot be asked
                self._live_check.of_browser(http.session, http.now)
            held = self._held(http)
            if held is None:
                return Outcome(Redirect(sign_in_url(self._site.issuer, here)))
            return self._done(http, form, *held) if http.method == "POST" else self._shown(http, form, *held)
        except NotServed as why:
            return Outcome(ShowError(why, None, here))

    def erasure(self, http: BrowserRequest) -> Outcome:
        """The question whether to erase everything, and the deed: both for who has just signed in."""
        here = erasure_url(self._site.issuer)
        try:
            form = read_form(http) if http.method == "POST" else None
            held = self._held(http)
            if held is None or http.now - held[0].auth_time > RECENT:
                return Outcome(Redirect(sign_in_url(self._site.issuer, here, max_age=str(RECENT))))
            session, user = held
            purpose = _purpose(session, "erase", "")
            if form is None:
                return Outcome(ShowErasure(user, seal_of(str(http.session), *purpose)))
            self._site.check_form(http, form, http.session, *purpose)
            self._site.database.decide(lambda tx: erase_user(tx, user.sub, actor=acting_user(user.sub), now=http.now))
            environment = self._site.held_at_dynamic(session)
            gone = ShowErased() if environment is None else ShowSigningOut(None, environment, None, erased=True)
            return Outcome(gone, session="")
        except NotServed as why:
            return Outcome(ShowError(why, None, here))

    def _held(self, http: BrowserRequest) -> SignedIn | None:
        """Who is signed in, if that counts here, and lives: it does so from now on a while longer. Raises Refused."""

        def find(tx: Tx) -> SignedIn | None:
            held = sessions.find(tx, http.session, http.now)
            if held is None or not is_worth_something(self._site, held[0], self._client):
                return None
            may_act(self._client, held[1], environment_of(held[1], self._site.environments))
            return held if goes_on(tx, held[0], self._policy, http.now) else None

        return self._site.database.decide(find)

    def _shown(self, http: BrowserRequest, form: Form, session: Session, user: User) -> Outcome:
        with self._site.database.reading() as tx:
            overview = overview_of(tx, user, http.now, entries=ENTRIES)
        connections = tuple(
            replace(one, scope=self._site.selection.scope_with(one.scope, one.claims))
            for one in overview.connections
            if one.client_id != ACCOUNT
        )
        overview = replace(overview, connections=connections)
        page = ShowAccount(
            session=session,
            user=user,
            overview=overview,
            clients=self._clients(overview, http.now),
            seals=_seals(str(http.session), session, overview),
            notice=_notice(form, str(http.session), session),
            now=http.now,
        )
        return Outcome(page)

    def _clients(self, overview: Overview, now: int) -> Mapping[str, Client]:
        named = {one.client_id for one in overview.connections}
        named |= {entry.client_id for entry in overview.activity if entry.client_id is not None}
        found = (self._site.clients.find(client_id, now) for client_id in sorted(named))
        return {client.client_id: client for client in found if client is not None}

    def _done(self, http: BrowserRequest, form: Form, session: Session, user: User) -> Outcome:
        verb = self._deeds.get(form.require("do"))
        if verb is None:
            raise Refused(Reason.PARAMETER_INVALID, "do")
        target = form.get("target") or ""
        self._site.check_form(http, form, http.session, *_purpose(session, form.require("do"), target))
        return verb(_Deed(http, session, user, target))

    def _end(self, deed: _Deed) -> Outcome:
        """A session of another browser; this one ends like any that its user signs out of."""
        here = deed.target == deed.session.session_id
        cause = Cause.SIGNED_OUT if here else Cause.ENDED_BY_USER

        def end(tx: Tx) -> bool:
            found = devices.device(tx, deed.target)
            if found is None or found.session.sub != deed.user.sub or found.closed_at is not None:
                return False
            sign_out(tx, found.session, actor=deed.actor, now=deed.http.now, cause=cause)
            return True

        ended = self._site.database.decide(end)
        return self._signed_out(deed) if here else self._back(deed, "ended" if ended else "nothing")

    def _disconnect(self, deed: _Deed) -> Outcome:
        """An app: its grants, and the consent, so that it has to ask again."""
        sub, actor, now = deed.user.sub, deed.actor, deed.http.now

        def take_back(tx: Tx) -> bool:
            had = any(one.client_id == deed.target for one in devices.connections(tx, deed.user, now))
            if had:
                disconnect(tx, sub, deed.target, actor=actor, now=now)
            return had

        return self._back(deed, "disconnected" if self._site.database.decide(take_back) else "nothing")

    def _sign_out_everywhere(self, deed: _Deed) -> Outcome:
        sub, actor, now, cause = deed.user.sub, deed.actor, deed.http.now, Cause.SIGNED_OUT_EVERYWHERE
        self._site.database.decide(lambda tx: revoke_user(tx, sub, actor=actor, now=now, cause=cause))
        return self._signed_out(deed)

    def _export(self, deed: _Deed) -> Outcome:
        with self._site.database.reading() as tx:
            record = record_of(tx, deed.user)
        document = {"issuer": self._site.issuer, "exported_at": deed.http.now, **as_document(record)}
        return Outcome(Download("my-data.json", document))

    def _signed_out(self, deed: _Deed) -> Outcome:
        environment = self._site.held_at_dynamic(deed.session)
        if environment is None:
            return Outcome(Redirect(f"{self._site.issuer}/logout"), session="")
        return Outcome(ShowSigningOut(None, environment, None), session="")

    def _back(self, deed: _Deed, notice: str) -> Outcome:
        seal = seal_of(str(deed.http.session), *_purpose(deed.session, "notice", notice))
        query = urlencode({"notice": notice, "seal": seal})
        return Outcome(Redirect(f"{account_url(self._site.issuer)}?{query}"))


def _purpose(session: Session, deed: str, target: str) -> tuple[str, ...]:
    return "account", session.session_id, deed, target


def _seals(cookie: str, session: Session, overview: Overview) -> dict[tuple[str, str], str]:
    """The seal of every form on the page; that of signing out here is one for /logout."""
    deeds = [
        ("everywhere", ""),
        ("export", ""),
        *(("end", device.session.session_id) for device in overview.devices),
        *(("disconnect", one.client_id) for one in overview.connections),
    ]
    seals = {deed: seal_of(cookie, *_purpose(session, *deed)) for deed in deeds}
    return {**seals, ("logout", ""): seal_of(cookie, *purpose_of(session, None))}


def _notice(form: Form, cookie: str, session: Session) -> str | None:
    """What was just done, if it was: anybody can make a link that says so."""
    notice = form.get("notice") or ""
    was_done = fits(form.get("seal"), cookie, *_purpose(session, "notice", notice))
    return notice if was_done and notice in NOTICES else None
