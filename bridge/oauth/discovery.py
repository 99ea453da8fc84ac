"""What we say of ourselves: made of what is registered, so that it cannot promise more (RFC 8414, OIDC Discovery)."""

import json
from collections.abc import Mapping, Sequence

from bridge.model import OFFLINE_ACCESS, REFRESH_TOKEN
from bridge.oauth.authorization_request import ACR, PROMPTS, RESPONSE_MODES
from bridge.oauth.client_auth import METHODS
from bridge.tokens.claims import ClaimSelection

TOKEN_CLAIMS = ("sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "session_expiry")


def discovery_document(
    *,
    issuer: str,
    endpoints: Mapping[str, str],
    grant_types: Sequence[str],
    algorithms: Sequence[str],
    selection: ClaimSelection,
) -> bytes:
    """The document, as bytes to be served unchanged. `endpoints` maps metadata names to URLs."""
    offline = [OFFLINE_ACCESS] if REFRESH_TOKEN in grant_types else []
    document = {
        "issuer": issuer,
        **endpoints,
        "scopes_supported": ["openid", *selection.scopes, *offline],
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": list(PROMPTS),
        "acr_values_supported": [ACR],
        "authorization_response_iss_parameter_supported": True,
        "grant_types_supported": list(grant_types),
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": list(algorithms),
        "token_endpoint_auth_methods_supported": list(METHODS),
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "introspection_endpoint_auth_methods_supported": [method for method in METHODS if method != "none"],
        "claim_types_supported": ["normal"],
        "claims_supported": [*TOKEN_CLAIMS, *selection.supported],
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }
    return json.dumps(document, indent=1).encode("ascii")
