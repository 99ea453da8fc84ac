"""An authorization request, read: first whom an answer may be sent to, then all the rest (OIDC Core section 3.1.2)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from bridge.errors import Refused
from bridge.lifecycle.gate import may_issue
from bridge.model import AUTHORIZATION_CODE, OFFLINE_ACCESS, REFRESH_TOKEN, AuthorizationRequest, Client
from bridge.oauth.request import Form
from bridge.oauth.rules import granted_audience
from bridge.reasons import Reason
from bridge.signin_reasons import SignInReason
from bridge.store.clients import Clients
from bridge.tokens.claims import ClaimSelection

PROMPTS = ("none", "login", "consent", "select_account")
RESPONSE_MODES = ("query", "form_post")
ACR = "urn:dynamic:sign-in"
"""The one authentication context that we can vouch for: the user signed in with Dynamic."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([0-9]{1,5}))?([/?][^#]*)?")
_POSTABLE = ("https://", "http://")
_LONGEST = 2048  # characters of state, nonce and the like, which we have to carry


@dataclass(frozen=True, slots=True)
class _WantedClaims:
    id_token: Mapping[str, Any]
    userinfo: Mapping[str, Any]


def find_client(form: Form, clients: Clients, now: int) -> Client:
    """The client that a request names. Raises Refused; there is nowhere to redirect to."""
    client_id = None if form.repeats("client_id") else form.get("client_id")
    client = clients.find(client_id, now) if client_id is not None else None
    if client is None:
        raise Refused(SignInReason.CLIENT_UNKNOWN)
    if client.disabled:
        raise Refused(Reason.CLIENT_DISABLED)
    return client


def find_redirect_uri(form: Form, client: Client) -> str:
    """The registered URI to answer at (threats O1, O2). Raises Refused; there is nowhere to redirect to.

    Compared byte by byte. Of a loopback address alone the port is free (RFC 8252 section 7.3).
    """
    uri = None if form.repeats("redirect_uri") else form.get("redirect_uri")
    if uri is None:
        raise Refused(SignInReason.REDIRECT_URI_NOT_REGISTERED, "none or several")
    if uri in client.redirect_uris:
        return uri
    without_port = _without_port(uri)
    if without_port is not None and without_port in map(_without_port, client.redirect_uris):
        return uri
    raise Refused(SignInReason.REDIRECT_URI_NOT_REGISTERED)


def bare_request(form: Form, client: Client, redirect_uri: str) -> AuthorizationRequest:
    """As much of a request as an error can be answered with, whatever else is wrong with it."""
    posts = form.get("response_mode") == "form_post" and redirect_uri.startswith(_POSTABLE)
    mode: Literal["query", "form_post"] = "form_post" if posts else "query"
    state = form.get("state")
    readable = state is not None and not form.repeats("state") and len(state) <= _LONGEST
    return AuthorizationRequest(client, redirect_uri, mode, state if readable else None, (), ())


def read_request(
    form: Form, bare: AuthorizationRequest, *, issuer: str, selection: ClaimSelection
) -> AuthorizationRequest:
    """The whole request, as far as its client may ask. Raises Refused, to be answered as `bare` says."""
    client = bare.client
    _check_form(form, bare)
    may_issue(client, None, None, AUTHORIZATION_CODE)
    scope = _scope(form, client)
    wanted = _wanted_claims(form)
    max_age = _max_age(form)
    id_token_claims = selection.askable(wanted.id_token, client.scopes)
    userinfo_claims = selection.askable(wanted.userinfo, client.scopes)
    return replace(
        bare,
        scope=scope,
        audience=granted_audience(form, client, issuer=issuer, openid="openid" in scope),
        nonce=form.get("nonce"),
        code_challenge=_code_challenge(form, client),
        prompt=_prompt(form) | ({"login"} if max_age == 0 else set()),  # they mean the same (OIDC Core 3.1.2.1)
        max_age=max_age,
        login_hint=form.get("login_hint"),
        ui_locales=form.get("ui_locales"),
        acr=_acr(form, wanted),
        wanted_sub=_wanted_sub(wanted),
        id_token_claims=id_token_claims,
        userinfo_claims=userinfo_claims,
        consent_scope=selection.scope_with(scope, {*id_token_claims, *userinfo_claims}),
    )


def _check_form(form: Form, bare: AuthorizationRequest) -> None:
    if form.repeated():
        raise Refused(Reason.PARAMETER_REPEATED)
    if form.get("request") is not None:
        raise Refused(SignInReason.REQUEST_OBJECT_UNSUPPORTED)
    if form.get("request_uri") is not None:
        raise Refused(SignInReason.REQUEST_URI_UNSUPPORTED)
    if form.require("response_type") != "code":
        raise Refused(SignInReason.RESPONSE_TYPE_UNSUPPORTED)
    if form.get("response_mode") not in (None, bare.response_mode):  # nothing can be posted to a private-use scheme
        raise Refused(Reason.PARAMETER_INVALID, "response_mode")
    for name in ("state", "nonce", "login_hint", "ui_locales"):
        if len(form.get(name) or "") > _LONGEST:
            raise Refused(Reason.PARAMETER_INVALID, f"{name} is too long")


def _scope(form: Form, client: Client) -> tuple[str, ...]:
    """What may be granted; unknown words and such as the client may not have are passed over (OIDC Core 3.1.2.1)."""
    asked = form.require("scope").split()
    grantable = set(client.scopes) if REFRESH_TOKEN in client.grants else set(client.scopes) - {OFFLINE_ACCESS}
    scope = tuple(word for word in client.scopes if word in grantable and word in asked)
    if not scope:
        raise Refused(Reason.SCOPE_NOT_ALLOWED)
    return scope


def _code_challenge(form: Form, client: Client) -> str | None:
    """RFC 7636 with S256 alone: an omitted method would mean plain, which protects nobody who can read a request."""
    challenge, method = form.get("code_challenge"), form.get("code_challenge_method")
    if challenge is None and method is None:
        if client.public or client.require_pkce:
            raise Refused(SignInReason.PKCE_REQUIRED)
        return None
    if challenge is None or method != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise Refused(SignInReason.PKCE_REQUIRED, "not S256")
    return challenge


def _prompt(form: Form) -> frozenset[str]:
    words = frozenset((form.get("prompt") or "").split())
    if not words <= set(PROMPTS) or ("none" in words and len(words) > 1):
        raise Refused(Reason.PARAMETER_INVALID, "prompt")
    return words


def _max_age(form: Form) -> int | None:
    value = form.get("max_age")
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", value):
        raise Refused(Reason.PARAMETER_INVALID, "max_age")
    return int(value)


def _wanted_claims(form: Form) -> _WantedClaims:
    """The claims parameter (OIDC Core section 5.5). Unknown members are passed over, as it says."""
    raw = form.get("claims")
    if raw is None:
        return _WantedClaims({}, {})
    try:
        document = json.loads(raw)
        members = [document.get(name) or {} for name in ("id_token", "userinfo")]
    except (ValueError, RecursionError, AttributeError) as error:
        raise Refused(Reason.PARAMETER_INVALID, "claims") from error
    if not all(isinstance(member, dict) for member in members):
        raise Refused(Reason.PARAMETER_INVALID, "claims")
    return _WantedClaims(*members)


def _wanted_sub(wanted: _WantedClaims) -> str | None:
    detail = wanted.id_token.get("sub")
    value = detail.get("value") if isinstance(detail, dict) else None
    return value if isinstance(value, str) else None


def _acr(form: Form, wanted: _WantedClaims) -> str | None:
    """What the acr claim will be, if it was asked for. Raises Refused if one is essential that we cannot reach."""
    detail = wanted.id_token.get("acr")
    if isinstance(detail, dict) and detail.get("essential") is True:
        values = detail.get("values", [detail["value"]] if "value" in detail else [ACR])
        if not isinstance(values, list) or ACR not in values:
            raise Refused(SignInReason.ACR_UNMET)
    return ACR if "acr" in wanted.id_token or form.get("acr_values") is not None else None


def _without_port(uri: str) -> str | None:
    """A loopback URI without its port; None for any other."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None or int(found[2] or 0) > 65535:
        return None
    return found[1] + (found[3] or "")
