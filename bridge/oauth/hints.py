"""id_token_hint: an ID token of ours that comes back to say of whom it speaks. It proves nothing about the sender."""

from bridge.errors import Refused
from bridge.model import Client
from bridge.oauth.site import Site
from bridge.reasons import Reason
from bridge.tokens.read import IdToken, read_id_token


def hinted_sub(site: Site, client: Client, raw: str, now: int) -> str:
    """The sub that a client's hint names (OIDC Core section 3.1.2.1). Raises Refused if the token is not its own."""
    token = read_hint(site, raw, now)
    if token is None or client.client_id not in token.audience:
        raise Refused(Reason.PARAMETER_INVALID, "id_token_hint")
    return token.sub


def read_hint(site: Site, raw: str, now: int) -> IdToken | None:
    """The ID token in a hint, expired or not; None if it is none of ours."""
    try:
        return read_id_token(raw, keyring=site.keyring, issuer=site.issuer, now=now)
    except Refused:
        return None
