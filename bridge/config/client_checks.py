"""What is wrong with a client's settings: the same rules for bridge.toml and for the command line."""

import hashlib
import re
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from bridge.config.settings import Fault
from bridge.config.urls import (
    HOST,
    is_loopback,
    is_private_address,
    origin_problem,
    page_problem,
    redirect_uri_problem,
)
from bridge.keylife import LONGEST_TOKEN
from bridge.model import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, GRANT_TYPES, Client
from bridge.oauth.account_client import ACCOUNT
from bridge.oauth.rules import is_scope_word

_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TARGET = re.compile(r"[\x21-\x7e]{1,512}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SHA256_OF_NOTHING = hashlib.sha256().hexdigest()
_SHA256 = re.compile(r"[0-9a-f]{64}")


def client_faults(
    client: Client, *, environments: Collection[str], needs_secret: bool, development: bool = False
) -> Iterator[Fault]:
    """Every fault of a client. `environments`: the configured ones; `needs_secret`: unless one is made right after.

    `development` allows what we call ourselves to be on this machine.
    """
    where = f"client {client.client_id}"
    for rule in (_identifier, _origins, _pages, _targets, _lifetimes):
        for setting, problem, mend in rule(client):
            yield Fault(f"{where}, {setting}", problem, mend)
    for setting, problem, mend in _called(client, development=development):
        yield Fault(f"{where}, {setting}", problem, mend)
    for setting, problem, mend in _secrets(client, needs_secret=needs_secret):
        yield Fault(f"{where}, {setting}", problem, mend)
    for environment_id in client.environments:
        if environment_id not in environments:
            yield Fault(f"{where}, environments", f"{environment_id} is not configured", "Add it, or remove it here.")


_Problems = Iterator[tuple[str, str, str]]


def _identifier(client: Client) -> _Problems:
    if not _CLIENT_ID.fullmatch(client.client_id):
        yield "client_id", "is not 1 to 64 of A-Z a-z 0-9 _ -", "Choose another id."
    if _UUID.fullmatch(client.client_id):
        yield "client_id", "looks like a user's id", "Choose one that is not a UUID (RFC 9700 section 4.15)."
    if client.client_id == ACCOUNT:
        yield "client_id", "is that of the users' own page", "Choose another id."
    for grant in client.grants:
        if grant not in GRANT_TYPES.values():
            yield "grants", f"{grant!r} is unknown", f"Use {' or '.join(GRANT_TYPES)}."
    if client.public and CLIENT_CREDENTIALS in client.grants:
        yield "grants", "a public client has no credentials", "Drop client_credentials, or make it confidential."
    for word in client.scopes:
        if not is_scope_word(word):
            yield "scopes", f"{word!r} is no scope word", "Use words without spaces and quotes."


def _secrets(client: Client, *, needs_secret: bool) -> _Problems:
    if client.public and client.secrets:
        yield "secret_sha256", "a public client has no secret", "Remove it, or set public = false."
    if needs_secret and not client.public and not client.secrets:
        yield "secret_sha256", "is missing", "Make secret and digest with: oidc-bridge client new-secret"
    if len(client.secrets) > 2:
        yield "secret_sha256", "holds more than two", "Keep the current one and the next."
    if any(secret.sha256 == _SHA256_OF_NOTHING for secret in client.secrets):
        yield (
            "secret_sha256",
            "is that of an empty secret",
            "Make secret and digest with: oidc-bridge client new-secret",
        )
    if not all(_SHA256.fullmatch(secret.sha256) for secret in client.secrets):
        yield "secret_sha256", "is not a SHA-256 in hex", "Make secret and digest with: oidc-bridge client new-secret"


def _origins(client: Client) -> _Problems:
    for setting, origins in (("assertion_origins", client.assertion_origins), ("cors_origins", client.cors_origins)):
        for origin in origins:
            problem = origin_problem(origin)
            if problem is not None:
                yield setting, f"{origin!r} {problem}", "Write it like https://app.example.com"


def _pages(client: Client) -> _Problems:
    for setting, uris in (
        ("redirect_uris", client.redirect_uris),
        ("post_logout_redirect_uris", client.post_logout_redirect_uris),
    ):
        for uri in uris:
            if (problem := redirect_uri_problem(uri)) is not None:
                yield setting, f"{uri!r} {problem}", "Write it like https://app.example.com/callback"
    if client.redirect_uris and AUTHORIZATION_CODE not in client.grants:
        yield "redirect_uris", "are of no use without the grant", "Add authorization_code to its grants."
    for setting in ("signin_url", "client_uri", "logo_uri", "policy_uri", "tos_uri"):
        url = getattr(client, setting)
        if url is not None and (problem := page_problem(url)) is not None:
            yield setting, problem, "Write it like https://app.example.com/page"


def _called(client: Client, *, development: bool) -> _Problems:
    """What the bridge itself calls: on the public Internet, whatever a name may resolve to later (threats O18)."""
    url, mend = client.backchannel_logout_uri, "Write it like https://app.example.com/backchannel-logout"
    if url is None:
        return
    if (problem := page_problem(url)) is not None:
        yield "backchannel_logout_uri", problem, mend
        return
    host = urlsplit(url).hostname or ""
    if is_loopback(host):
        if not development:
            yield "backchannel_logout_uri", "is on this machine (for BRIDGE_DEVELOPMENT=true alone)", mend
    elif is_private_address(host):
        yield "backchannel_logout_uri", "is not on the public Internet", mend


def _targets(client: Client) -> _Problems:
    for setting, targets in (("audiences", client.audiences), ("serves", client.serves)):
        for target in targets:
            if not _TARGET.fullmatch(target):
                yield setting, f"{target!r} is no audience", "Use an absolute URI, or a name without spaces."
    if client.sector_identifier is not None and not HOST.fullmatch(client.sector_identifier):
        yield "sector_identifier", "is no host name", "Write it like example.com"
    if client.public and client.serves:
        yield "serves", "a public client cannot introspect", "Make it confidential."


def _lifetimes(client: Client) -> _Problems:
    for setting, value, least, most in (
        ("access_token_ttl", client.access_token_ttl, 30, LONGEST_TOKEN),
        ("id_token_ttl", client.id_token_ttl, 30, LONGEST_TOKEN),
        ("assertion_max_age", client.assertion_max_age, 30, 30 * 86400),
        ("refresh_grace", client.refresh_grace, 0, 300),
        ("refresh_retry_ttl", client.refresh_retry_ttl, 0, 7 * 86400),
        ("refresh_idle_ttl", client.refresh_idle_ttl, 600, 400 * 86400),
        ("refresh_absolute_ttl", client.refresh_absolute_ttl, 600, 400 * 86400),
    ):
        if not least <= value <= most:
            yield setting, f"is not between {least} and {most} seconds", "Choose a value in that range."
    if client.public and not client.refresh_rotation:
        yield "refresh_rotation", "a public client's refresh tokens have to rotate", "Set it to true (RFC 9700)."
