"""Each client against OAuth 2.1, RFC 9700 (the security BCP) and OpenID Connect. Every rule yields what it found."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from bridge.cli.doctor.findings import Finding, advice, error, warning
from bridge.config.settings import Config
from bridge.lifecycle.signin import origin_of
from bridge.model import AUTHORIZATION_CODE, JWT_BEARER, OFFLINE_ACCESS, REFRESH_TOKEN, TOKEN_EXCHANGE, Client

HOUR, DAY = 3600, 86400

_Judge = Callable[[str, str, str, str], Finding]
_Said = Iterator[tuple[_Judge, str, str, str]]


def client_findings(config: Config, client: Client, *, declared: bool) -> Iterator[Finding]:
    """What is to be said of one client. `declared`: it stands in bridge.toml, and is changed there."""
    if client.disabled:
        return
    for rule in (_codes, _redirects, _assertions, _tokens, _refresh, _logout):
        for judge, what, why, mend in rule(config, client):
            yield judge(f"client {client.client_id}", what, why, _spelt(client, mend, declared=declared))


def _spelt(client: Client, mend: str, *, declared: bool) -> str:
    """A mend that is an option of `client update` as the command, or as what to change in bridge.toml."""
    if not mend.startswith("--"):
        return mend
    if declared:
        return f"Change it in bridge.toml; a client of the database would take {mend}"
    return f"oidc-bridge client update {client.client_id} {mend}"


def _codes(_: Config, client: Client) -> _Said:
    if AUTHORIZATION_CODE not in client.grants:
        return
    if not client.redirect_uris:
        yield error, "has no redirect URI", "every authorization request of it is refused", "--redirect-uri URL"
    if not client.require_pkce and not client.public:
        why = "OAuth 2.1 section 4.1.1, RFC 9700 section 2.1.1: a code without PKCE can be injected"
        yield warning, "may leave PKCE out", why, "--require-pkce"


def _redirects(config: Config, client: Client) -> _Said:
    for uri in client.redirect_uris:
        parts = urlsplit(uri)
        if parts.scheme == "http" and not client.public and not config.development:
            why = "RFC 8252 section 8.3: any program on the user's machine may listen there"
            yield warning, "is confidential and waits at a loopback address", why, "--redirect-uri https://…"
        elif parts.scheme not in ("http", "https"):
            why = "RFC 8252 sections 7.1 and 8.6: another app can claim the scheme; a claimed https URL it cannot"
            yield advice, f"uses the custom scheme {parts.scheme}:", why, "--redirect-uri https://…"
    if client.consent == "skip" and any(not uri.startswith("https://") for uri in client.redirect_uris):
        why = "RFC 8252 section 8.6: an app that poses as this one would get tokens without the user seeing anything"
        yield warning, "skips consent at an address that others can claim", why, "--consent ask"
    if any(origin_of(uri) == origin_of(config.issuer) for uri in client.redirect_uris if uri.startswith("http")):
        why = "RFC 9700 section 4.11: scripts of either can act as the other"
        yield warning, "lives on the bridge's own origin", why, "Give the bridge a host of its own."


def _assertions(config: Config, client: Client) -> _Said:
    takes = [grant for grant in (TOKEN_EXCHANGE, JWT_BEARER) if grant in client.grants]
    if takes and not client.assertion_origins:
        why = "the list is empty, so each of its assertions is refused (audience_not_listed)"
        yield error, "may exchange Dynamic JWTs of no page", why, "--assertion-origin https://app.example.com"
    for origin in client.assertion_origins:
        if origin.startswith("http://") and not config.development:
            why = "whoever can change that page in transit signs in as its visitors"
            yield warning, f"trusts sign-ins of {origin}", why, "--assertion-origin https://…"
    if takes and client.assertion_max_age > 2 * HOUR and not client.assertion_once:
        why = "a JWT that leaked is good here for as long, again and again"
        yield warning, f"takes assertions that are {client.assertion_max_age} s old", why, "--assertion-max-age 7200"


def _tokens(_: Config, client: Client) -> _Said:
    if client.access_token_ttl > HOUR:
        why = "RFC 9700 section 2.2: a resource server that does not introspect honours it that long after a sign-out"
        yield warning, f"has access tokens for {client.access_token_ttl} s", why, "--access-token-ttl 600"
    if client.id_token_ttl > HOUR:
        why = "an ID token says that somebody has just signed in; nothing needs it for longer"
        yield advice, f"has ID tokens for {client.id_token_ttl} s", why, "--id-token-ttl 600"
    if len(client.secrets) > 1 and any(secret.not_after is None for secret in client.secrets[:-1]):
        why = "two secrets that never end are two that can leak"
        mend = f"oidc-bridge client rotate-secret {client.client_id} --overlap 0"
        yield advice, "has two secrets without an end", why, mend


def _refresh(_: Config, client: Client) -> _Said:
    if REFRESH_TOKEN not in client.grants:
        return
    if OFFLINE_ACCESS not in client.scopes:
        why = "it can ask for no refresh token without the scope"
        yield advice, "may refresh, but has not the scope offline_access", why, "--scope offline_access --scope …"
    if not client.refresh_rotation:
        why = "RFC 9700 section 4.14.2: a copy of its refresh token is never noticed"
        yield warning, "does not rotate refresh tokens", why, "--refresh-rotation"
    if client.refresh_grace > 120:
        why = "a thief who comes within it is not noticed until later; parallel requests need seconds"
        yield advice, f"has a grace of {client.refresh_grace} s", why, "--refresh-grace 30"
    if client.refresh_absolute_ttl > 90 * DAY:
        why = "nobody has to prove anything anew for that long"
        yield advice, "may refresh for more than 90 days", why, "--refresh-absolute-ttl 2592000"


def _logout(_: Config, client: Client) -> _Said:
    if AUTHORIZATION_CODE not in client.grants or client.public:
        return
    if client.backchannel_logout_uri is None:
        why = "it is not told when a user signs out elsewhere or is revoked; its own session goes on"
        yield advice, "has no back-channel logout URI", why, "--backchannel-logout-uri https://app.example.com/…"
