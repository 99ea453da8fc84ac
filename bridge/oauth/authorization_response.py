"""An authorization response (OIDC Core section 3.1.2.5): a code, or an error, at the client's redirect_uri."""

from collections.abc import Mapping

from bridge.errors import NotServed, Refused
from bridge.history import AuditEntry, Event, acting_user
from bridge.model import OFFLINE_ACCESS, AuthorizationRequest, Grant, Session, User
from bridge.oauth.refusals import SignInRefused, error_document
from bridge.oauth.steps import PostForm, Redirect, Step, with_query
from bridge.store import Tx, audit, codes, grants
from bridge.store.grants import Ground
from bridge.subjects import client_session


def to_client(request: AuthorizationRequest, issuer: str, answer: Mapping[str, str]) -> Step:
    """The answer, in the mode that was asked for, always with state and iss (RFC 9207)."""
    parameters = {**answer, **({} if request.state is None else {"state": request.state}), "iss": issuer}
    if request.response_mode == "form_post":
        return PostForm(request.redirect_uri, request.client, parameters)
    return Redirect(with_query(request.redirect_uri, parameters))


def error_to_client(request: AuthorizationRequest, issuer: str, why: NotServed, reasons_url: str) -> Step:
    """An error response (OIDC Core section 3.1.2.6)."""
    return to_client(request, issuer, error_document(why, reasons_url))


def code_for(tx: Tx, request: AuthorizationRequest, session: Session, user: User, now: int) -> str:
    """A code, which stands for a grant that is kept from now on and ends with the session. Raises Refused."""
    client = request.client
    grant = Grant(
        client=client,
        user=user,
        scope=request.scope,
        audience=request.audience,
        sid=client_session(session.environment_id, session.session_key, client.client_id),
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
    ends_at = session.expires_at
    if OFFLINE_ACCESS in request.scope:
        ends_at = min(ends_at, now + client.refresh_absolute_ttl)
    try:
        kept = grants.open_grant(tx, grant, ground, expires_at=ends_at, now=now)
    except Refused as why:  # signed out everywhere in this very moment
        raise SignInRefused(why.reason, why.detail) from why
    entry = AuditEntry(
        at=now,
        event=Event.CODE_ISSUED,
        actor=acting_user(user.sub),
        client_id=client.client_id,
        sub=user.sub,
        sid=kept.sid,
        grant_id=kept.grant_id,
        detail={"scope": " ".join(request.scope)},
    )
    audit.record(tx, entry)
    return codes.hand_out(tx, str(kept.grant_id), request, ends_at=ends_at, now=now)
