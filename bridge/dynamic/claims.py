"""Dynamic's words → OIDC's words. Pure: claims in, Identity out.

What Dynamic has not proven is left out rather than marked unverified: relying parties link accounts by e-mail.
Nothing here can fail a sign-in; an optional claim of a bad form is dropped (threats A12).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.dynamic import text
from bridge.dynamic.verify import BLOCKING_SCOPES, COMPLETE_SCOPE, scope_words
from bridge.dynamic.wallets import wallets_of, with_primary
from bridge.model import Assertion, ClaimRule, Identity, Json

_SORTED = json.JSONEncoder(sort_keys=True).encode
# RFC 8176 where it has a word; `fed` for a social account, as others write it.
_AMR = {"email": "otp", "phoneNumber": "sms", "blockchain": "swk", "oauth": "fed", "passkey": "pop"}


def identity_of(assertion: Assertion, rules: Sequence[ClaimRule]) -> Identity:
    """The identity that a token proves by itself: complete for a large token, almost bare for a small one."""
    complete = assertion.shape == "large"
    return _identity(assertion, assertion.claims, rules, complete=complete, told_at=assertion.issued_at)


def identity_with_profile(assertion: Assertion, profile: Json, rules: Sequence[ClaimRule], now: int) -> Identity:
    """The identity of a small token together with the profile that Dynamic tells of its user now."""
    return _identity(assertion, {**assertion.claims, **profile}, rules, complete=True, told_at=now)


def identity_of_user(
    environment_id: str, user_id: str, profile: Json, rules: Sequence[ClaimRule], *, told_at: int, known: Json
) -> Identity:
    """The identity that Dynamic tells of a user when nobody signs in: by a webhook, or asked with the API token.

    It does not know which credential signed in, so what that one chose among several (e-mail, first wallet) stays as
    it is `known`, as long as it is proven still.
    """
    credentials = _credentials(profile)
    claims = _claims(profile, credentials, {})
    if known.get("email") in _proven_emails(credentials):
        claims |= {"email": known["email"], "email_verified": True}
    return Identity(
        environment_id=environment_id,
        user_id=user_id,
        claims={**claims, **with_primary(claims, known.get("wallet_address")), **dict(_mapped(profile, rules))},
        complete=True,
        told_at=told_at,
    )


def _identity(
    assertion: Assertion, source: Json, rules: Sequence[ClaimRule], *, complete: bool, told_at: int
) -> Identity:
    credentials = _credentials(source)
    signin_id = source.get("signin_credential_id")
    signin = next((c for c in credentials if isinstance(signin_id, str) and c.get("id") == signin_id), {})
    method = _AMR.get(str(signin.get("format")))
    return Identity(
        environment_id=assertion.environment.environment_id,
        user_id=assertion.user_id,
        claims={**_claims(source, credentials, signin), **dict(_mapped(source, rules))},
        complete=complete,
        told_at=told_at,
        amr=(method,) if method else (),
        credentials_digest=credentials_digest(assertion),
    )


def _credentials(source: Json) -> Sequence[Json]:
    return [entry for entry in source.get("verified_credentials", []) if isinstance(entry, dict)]


def _claims(source: Json, credentials: Sequence[Json], signin: Json) -> dict[str, Any]:
    return {
        **dict(_profile(source, credentials, signin)),
        **_email(source, credentials, signin),
        **_phone(credentials),
        **_address(source),
        **_groups(source),
        **wallets_of(credentials, source),
    }


def credentials_digest(assertion: Assertion) -> str:
    """Changes whenever the user's credentials do: over Dynamic's own hashes of them, which both tokens carry."""
    hashes = assertion.claims.get("verifiedCredentialsHashes")
    if not isinstance(hashes, dict) or not hashes:
        return ""
    return hashlib.sha256(_SORTED(hashes).encode("ascii")).hexdigest()


def _profile(source: Json, credentials: Sequence[Json], signin: Json) -> Iterator[tuple[str, str]]:
    """Self-asserted profile claims (OIDC Core section 5.1), each from the best place that has it."""
    given, family, alias = (text.line(source.get(name)) for name in ("given_name", "family_name", "alias"))
    username = text.line(source.get("username"))
    services = [c["name_service"] for c in credentials if isinstance(c.get("name_service"), dict)]
    service_name = next((name for s in services if (name := text.line(s.get("name")))), None)
    ordered = [signin, *credentials]
    pictures = [*(s.get("avatar") for s in services), *(photo for c in ordered for photo in _photos(c))]
    candidates: Mapping[str, str | None] = {
        "name": " ".join(filter(None, (given, family)))
        or text.line(signin.get("oauth_display_name"))
        or alias
        or username
        or service_name,
        "given_name": given,
        "family_name": family,
        "nickname": alias,
        "preferred_username": username or service_name or alias,
        "picture": next((url for picture in pictures if (url := text.https_url(picture))), None),
    }
    yield from ((claim, value) for claim, value in candidates.items() if value)


def _photos(credential: Json) -> Sequence[Any]:
    photos = credential.get("oauth_account_photos")
    return photos if isinstance(photos, list) else []


def _email(source: Json, credentials: Sequence[Json], signin: Json) -> Json:
    """The one address that is proven, else nothing.

    Proof is a verified credential; the top-level e-mail is only a wish among the proven ones. A linked Google
    account lends its address only to those who signed in with it, unless there is no other (account takeover).
    """
    own = [address for c in credentials if c.get("format") == "email" and (address := _proven_email(c))]
    lent = [address for c in credentials if c.get("format") == "oauth" and (address := _proven_email(c))]
    wished = source.get("email")
    email = _proven_email(signin) or (wished if wished in own else None) or next(iter([*own, *lent]), None)
    return {"email": email, "email_verified": True} if email else {}


def _proven_emails(credentials: Sequence[Json]) -> Sequence[str]:
    return [address for credential in credentials if (address := _proven_email(credential))]


def _proven_email(credential: Json) -> str | None:
    if credential.get("format") == "email":
        return text.email(credential.get("email")) if _is_proven(credential) else None
    if credential.get("format") == "oauth" and credential.get("oauth_provider") == "google":
        emails = credential.get("oauth_emails")
        return text.email(emails[0]) if isinstance(emails, list) and len(emails) == 1 else None
    return None


def _is_proven(credential: Json) -> bool:
    return credential.get("signInEnabled") is True or bool(credential.get("verifiedAt"))


def _phone(credentials: Sequence[Json]) -> Json:
    for credential in credentials:
        if credential.get("format") == "phoneNumber" and _is_proven(credential):
            number = text.phone(credential.get("phoneCountryCode"), credential.get("phoneNumber"))
            if number is not None:
                return {"phone_number": number, "phone_number_verified": True}
    return {}


def _address(source: Json) -> Json:
    country = text.line(source.get("country"))
    return {"address": {"country": country}} if country else {}


def _groups(source: Json) -> Json:
    """Access lists and the words that the customer's own gates put into scope; never Dynamic's own words."""
    lists = source.get("lists")
    words = scope_words(source.get("scope")) - BLOCKING_SCOPES.keys() - {COMPLETE_SCOPE}
    names = [*(lists if isinstance(lists, list) else []), *sorted(words)]
    groups = list(dict.fromkeys(name for item in names if (name := text.line(item))))
    return {"groups": groups} if groups else {}


def _mapped(source: Json, rules: Sequence[ClaimRule]) -> Iterator[tuple[str, Any]]:
    """The operator's claim mapping; a value that is absent, an empty string or of another type yields no claim."""
    for rule in rules:
        value: Any = source
        for member in rule.source.split("."):
            if isinstance(value, dict):
                value = value.get(member)
            elif isinstance(value, list) and member.isdecimal() and int(member) < len(value):
                value = value[int(member)]
            else:
                value = None
        if value != "" and text.is_of_type(value, rule.type):  # never empty (OIDC Core section 5.3.2)
            yield rule.claim, value
