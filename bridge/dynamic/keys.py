"""Where an environment's public keys are: its JWKS (the default), or the endpoint that needs the API token."""

from collections.abc import Callable, Mapping

from bridge.clock import Clock
from bridge.errors import FetchFailed
from bridge.fetch import Fetcher
from bridge.jose import VerificationKey, rsa_key_from_pem, rsa_keys
from bridge.jwks import KeySet
from bridge.model import Environment


def key_set(environment: Environment, fetcher: Fetcher, clock: Clock) -> KeySet:
    """The key set of a Dynamic environment, not fetched yet."""
    sources: Mapping[str, Callable[[Environment, Fetcher, float], Mapping[str, VerificationKey]]] = {
        "jwks": _from_jwks,
        "keys": _from_keys_endpoint,
    }
    source = sources[environment.key_source]
    return KeySet(
        lambda deadline: source(environment, fetcher, deadline), clock, any_kid=environment.key_source == "keys"
    )


def _from_jwks(environment: Environment, fetcher: Fetcher, deadline: float) -> Mapping[str, VerificationKey]:
    url = f"{environment.api_base_url}/sdk/{environment.environment_id}/.well-known/jwks"
    return _usable(rsa_keys(_document(fetcher, url, deadline, {})))


def _from_keys_endpoint(environment: Environment, fetcher: Fetcher, deadline: float) -> Mapping[str, VerificationKey]:
    """One key: {"key": {"id", "publicKey"}}, the latter base64 of a PEM (PKCS#1 or SPKI)."""
    url = f"{environment.api_base_url}/environments/{environment.environment_id}/keys"
    document = _document(fetcher, url, deadline, {"Authorization": f"Bearer {environment.api_token}"})
    entry = document.get("key") if isinstance(document, dict) else None
    key = rsa_key_from_pem(entry.get("id"), entry.get("publicKey")) if isinstance(entry, dict) else None
    return _usable({key.kid: key} if key is not None else {})


def _document(fetcher: Fetcher, url: str, deadline: float, headers: Mapping[str, str]) -> object:
    answer = fetcher.get(url, deadline=deadline, headers=headers)
    if answer.status != 200:
        raise FetchFailed(f"status {answer.status}")
    document: object = answer.json()
    return document


def _usable(keys: Mapping[str, VerificationKey]) -> Mapping[str, VerificationKey]:
    # An answer without a usable key never replaces good ones (A6).
    if not keys:
        raise FetchFailed("no usable key in the answer")
    return keys
