"""What a client may ask for: scope and target. Asked too much is refused, never silently narrowed."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from bridge.errors import Refused
from bridge.model import OFFLINE_ACCESS, REFRESH_TOKEN, Client, Grant
from bridge.oauth.request import Form
from bridge.reasons import Reason
from bridge.tokens.claims import SCOPE_CLAIMS

USER_SCOPES = frozenset({"openid", OFFLINE_ACCESS, *SCOPE_CLAIMS})
"""Scopes that say something of a person, which a client acting for itself cannot have."""

_SCOPE_WORD = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")


def is_scope_word(word: str) -> bool:
    """Whether a word can stand in a scope (RFC 6749 section 3.3)."""
    return _SCOPE_WORD.fullmatch(word) is not None


def may_be_kept(client: Client) -> bool:
    """Whether an assertion may give the client a refresh token.

    A public client would hold a bearer token that renews itself, and nothing that proves whose it is.
    """
    return not client.public and OFFLINE_ACCESS in client.scopes and REFRESH_TOKEN in client.grants


def granted_scope(form: Form, client: Client, *, grantable: frozenset[str]) -> tuple[str, ...]:
    """The scope to grant: what was asked for, in the client's order, else all that it may have but offline_access.

    `grantable` are the client's scopes that this grant type can give at all. offline_access has to be asked for, and
    is passed over where it cannot be granted (OIDC Core section 11); the answer's scope says so.
    Raises Refused(SCOPE_NOT_ALLOWED).
    """
    words = _asked_scope(form)
    if words is None:
        words = grantable - {OFFLINE_ACCESS}
    words -= {OFFLINE_ACCESS} - grantable
    if not words <= grantable:
        raise Refused(Reason.SCOPE_NOT_ALLOWED)
    return tuple(word for word in client.scopes if word in words)


def narrowed_scope(form: Form, grant: Grant) -> tuple[str, ...]:
    """The scope of one refresh: what was asked for of the grant's, else all of it, as far as the client still may.

    Raises Refused(SCOPE_NOT_ALLOWED) if more is asked for (RFC 6749 section 6).
    """
    words = _asked_scope(form)
    if words is not None and not words <= frozenset(grant.scope):
        raise Refused(Reason.SCOPE_NOT_ALLOWED, "more than the grant")
    return tuple(word for word in grant.scope if word in grant.client.scopes and (words is None or word in words))


def narrowed_audience(form: Form, grant: Grant, scope: Sequence[str], *, issuer: str) -> tuple[str, ...]:
    """Whom the access token of one refresh is for (RFC 8707 section 2.2): targets of the grant, and by no way more.

    Raises Refused(TARGET_NOT_ALLOWED) if another is asked for, or the client may ask for none of them any more.
    """
    allowed = tuple(target for target in grant.audience if target == issuer or target in grant.client.audiences)
    targets = _asked_targets(form) or tuple(target for target in allowed if target != issuer)
    if not set(targets) <= set(allowed) or (not targets and grant.audience != (issuer,)):
        raise Refused(Reason.TARGET_NOT_ALLOWED, "not of the grant")
    return _with_ourselves(targets, issuer, openid="openid" in scope)


def granted_audience(form: Form, client: Client, *, issuer: str, openid: bool) -> tuple[str, ...]:
    """Whom the access token is for: the targets asked for, and ourselves with openid or where none is named.

    Raises Refused(TARGET_NOT_ALLOWED): a resource that is no absolute URI or has a fragment (RFC 8707 section 2), or
    a target that the client does not list.
    """
    targets = _asked_targets(form)
    if not all(target in client.audiences for target in targets):
        raise Refused(Reason.TARGET_NOT_ALLOWED)
    return _with_ourselves(targets, issuer, openid=openid)


def _asked_scope(form: Form) -> frozenset[str] | None:
    asked = form.get("scope")
    if asked is None:
        return None
    words = asked.split(" ")
    if not all(map(is_scope_word, words)):
        raise Refused(Reason.SCOPE_NOT_ALLOWED, "malformed")
    return frozenset(words)


def _asked_targets(form: Form) -> tuple[str, ...]:
    if any(not _is_resource(resource) for resource in form.every("resource")):
        raise Refused(Reason.TARGET_NOT_ALLOWED, "resource is no absolute URI")
    return tuple(dict.fromkeys([*form.every("resource"), *form.every("audience")]))


def _with_ourselves(targets: tuple[str, ...], issuer: str, *, openid: bool) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*targets, *([issuer] if openid or not targets else [])]))


def _is_resource(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and "#" not in value
