"""What keeps a client from the FAPI 2.0 Security Profile: for those who need it, not for everybody."""

from collections.abc import Iterator

from bridge.cli.doctor.findings import Finding, warning
from bridge.config.settings import Config
from bridge.model import Client

OFFERED_LATER = "This bridge does not offer it yet."


def fapi_findings(_: Config, client: Client) -> Iterator[Finding]:
    """The items of FAPI 2.0 Security Profile section 5.3 that a client does not meet."""
    where, update = f"client {client.client_id}", f"oidc-bridge client update {client.client_id}"
    if client.disabled:
        return
    if client.public:
        yield warning(where, "is public", "FAPI 2.0 section 5.3.2.1: confidential clients only", "Register another.")
    else:
        why = "FAPI 2.0 section 5.3.2.1: private_key_jwt or mutual TLS"
        yield warning(where, "authenticates by a shared secret", why, OFFERED_LATER)
    why = "FAPI 2.0 section 5.3.2.1: tokens bound to a key (DPoP or mutual TLS)"
    yield warning(where, "gets bearer tokens", why, OFFERED_LATER)
    if client.redirect_uris:
        why = "FAPI 2.0 section 5.3.2.2: pushed authorization requests (RFC 9126)"
        yield warning(where, "sends its authorization requests through the browser", why, OFFERED_LATER)
        if not client.require_pkce:
            yield warning(where, "may leave PKCE out", "FAPI 2.0 section 5.3.2.2", f"{update} --require-pkce")
        if any(not uri.startswith("https://") for uri in client.redirect_uris):
            why = "FAPI 2.0 section 5.3.2.2: https redirect URIs only"
            yield warning(where, "has a redirect URI that is not https", why, f"{update} --redirect-uri https://…")
    for option, alg in (("--id-token-alg", client.id_token_alg), ("--access-token-alg", client.access_token_alg)):
        if alg == "RS256":
            why = "FAPI 2.0 section 5.4.1: PS256, ES256 or EdDSA"
            yield warning(where, f"has tokens signed with RS256 ({option})", why, f"{update} {option} ES256")
