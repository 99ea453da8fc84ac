"""Our own sign-in page, for clients whose users have none of the client's to sign in on (docs/sign-in-page.md).

It knows a request by its id alone, and takes nothing: what the user does there arrives at /signin/complete, by the same
form that every other page sends (oauth/signin.py).
"""

from bridge.errors import NotServed, Refused
from bridge.model import Client
from bridge.oauth.request import BrowserRequest, parse_parameters
from bridge.oauth.site import Site
from bridge.oauth.steps import Outcome, Redirect, ShowError, ShowSignIn
from bridge.signin_reasons import SignInReason
from bridge.store.requests import StoredRequest


class OwnPage:
    """Answers GET /signin."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def respond(self, http: BrowserRequest) -> Outcome:
        """The page; back to /authorize if the request is over, or its client's users sign in elsewhere."""
        site = self._site
        try:
            form = parse_parameters(http.query)
            stored = site.stored(form.require("request"))
            client = site.clients.find(stored.client_id, http.now)
            if client is None:
                raise Refused(SignInReason.SIGN_IN_EXPIRED)
            if stored.is_over(http.now) or not site.signs_in_here(client):
                return Outcome(Redirect(site.authorize_url(client.client_id, stored.request_id)))
            restart = client.client_uri or self._elsewhere(client, stored, http)
        except NotServed as why:
            return Outcome(ShowError(why))
        page = ShowSignIn(
            client=client,
            environment=site.environment_for(client),
            request_id=stored.request_id,
            prompt=form.get("prompt"),
            login_hint=form.get("login_hint"),
            restart=restart,
        )
        return Outcome(page)

    def _elsewhere(self, client: Client, stored: StoredRequest, http: BrowserRequest) -> str:
        """Where the same begins in another browser, under an id that is good for nothing in this one (threats A17).

        Wallets' makers get to see that URL.
        """
        with self._site.database.writing() as tx:
            request_id = self._site.begin(tx, client.client_id, stored.query, None, http)
        return self._site.authorize_url(client.client_id, request_id)
