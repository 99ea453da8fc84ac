"""What a client may ask for: scope and target. Asked too much is refused, never silently narrowed."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from bridge.errors import Refused
from bridge.model import Client
from bridge.oauth.request import Form
from bridge.reasons import Reason
from bridge.tokens.claims import SCOPE_CLAIMS

OFFLINE_ACCESS = "offline_access"
USER_SCOPES = frozenset({"openid", OFFLINE_ACCESS, *SCOPE_CLAIMS})
"""Scopes that say something of a person, which a client acting for itself cannot have."""

_SCOPE_WORD = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")


def is_scope_word(word: str) -> bool:
    """Whether a word can stand in a scope (RFC 6749 section 3.3)."""
    return _SCOPE_WORD.fullmatch(word) is not None


def granted_scope(form: Form, client: Client, *, grantable: frozenset[str]) -> tuple[str, ...]:
    """The scope to grant: what was asked for, in the client's order, else everything the client may have.

    `grantable` are the client's scopes that this grant type can give at all. offline_access is passed over where it
    cannot be granted (OIDC Core section 11); the answer's scope says so. Raises Refused(SCOPE_NOT_ALLOWED).
    """
    asked = form.get("scope")
    if asked is None:
        return tuple(word for word in client.scopes if word in grantable)
    asked_words = asked.split(" ")
    if not all(map(is_scope_word, asked_words)):
        raise Refused(Reason.SCOPE_NOT_ALLOWED, "malformed")
    words = frozenset(asked_words) - ({OFFLINE_ACCESS} - grantable)
    if not words <= grantable:
        raise Refused(Reason.SCOPE_NOT_ALLOWED)
    return tuple(word for word in client.scopes if word in words)


def granted_audience(form: Form, client: Client, *, issuer: str, openid: bool) -> tuple[str, ...]:
    """Whom the access token is for: the targets asked for, and ourselves with openid or where none is named.

    Raises Refused(TARGET_NOT_ALLOWED): a resource that is no absolute URI or has a fragment (RFC 8707 section 2), or
    a target that the client does not list.
    """
    targets: Sequence[str] = tuple(dict.fromkeys([*form.every("resource"), *form.every("audience")]))
    if any(not _is_resource(resource) for resource in form.every("resource")):
        raise Refused(Reason.TARGET_NOT_ALLOWED, "resource is no absolute URI")
    if not all(target in client.audiences for target in targets):
        raise Refused(Reason.TARGET_NOT_ALLOWED)
    return tuple(dict.fromkeys([*targets, *([issuer] if openid or not targets else [])]))


def _is_resource(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and "#" not in value
