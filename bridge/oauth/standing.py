"""Whether somebody who is signed in counts for an authorization request: asked by every step of it alike."""

from bridge.errors import Refused
from bridge.lifecycle.gate import environment_of, may_issue
from bridge.lifecycle.signin import serves
from bridge.model import AUTHORIZATION_CODE, AuthorizationRequest, Client, Session, User
from bridge.oauth.refusals import SignInRefused
from bridge.oauth.site import Site
from bridge.signin_reasons import SignInReason
from bridge.store.requests import Progress

SignedIn = tuple[Session, User]


def counts(site: Site, request: AuthorizationRequest, progress: Progress, held: SignedIn | None) -> bool:
    """Whether the session is worth something to the client, and its user the one that is asked for.

    Raises Refused(LOGIN_REQUIRED) if somebody else than that has just signed in for this request.
    """
    if held is None:
        return False
    session, user = held
    if not is_worth_something(site, session, request.client):
        return False
    if request.wanted_sub is None or request.wanted_sub == site.subjects.shown_to(request.client, user.sub):
        return True
    if progress.signed_in_as == user.sub:
        raise Refused(SignInReason.LOGIN_REQUIRED, "signed in as somebody else")
    return False


def is_worth_something(site: Site, session: Session, client: Client) -> bool:
    """Whether the page on which the session was proven counts for this client."""
    return serves(session, client, site.signin_url(client), site.trusted_origins)


def is_recent(request: AuthorizationRequest, progress: Progress, session: Session, now: int) -> bool:
    """Whether the sign-in is as new, and as deliberate, as the request demands."""
    chosen = (progress.signed_in_as, progress.session_key) == (session.sub, session.session_key)
    if "select_account" in request.prompt and not chosen:
        return False
    return (chosen and progress.is_fresh) or not request.demands_newer(session.auth_time, now)


def check_gate(site: Site, request: AuthorizationRequest, user: User) -> None:
    """Raises SignInRefused if this user may get nothing at this client."""
    try:
        may_issue(request.client, user, environment_of(user, site.environments), AUTHORIZATION_CODE)
    except Refused as why:
        raise SignInRefused(why.reason, why.detail) from why
