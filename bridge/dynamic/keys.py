"""Where an environment's public keys are: its JWKS (the default), or the endpoint that needs the API token."""

from collections.abc import Callable, Mapping

from bridge.clock import Clock
from bridge.errors import FetchFailed
from bridge.fetch import Fetcher
from bridge.jose import VerificationKey, rsa_key_from_pem, rsa_keys
from bridge.jwks import KeySet
from bridge.model import Environment

LoadKeys = Callable[[Environment, Fetcher, float], Mapping[str, VerificationKey]]
"""Where keys come from: `load_keys`, or a stand-in for explanations offline. Raises FetchFailed."""


def key_set(environment: Environment, fetcher: Fetcher, clock: Clock, load: LoadKeys) -> KeySet:
    """The key set of a Dynamic environment, not fetched yet."""
    any_kid = environment.key_source == "keys"
    return KeySet(lambda deadline: load(environment, fetcher, deadline), clock, any_kid=any_kid)


def load_keys(environment: Environment, fetcher: Fetcher, deadline: float) -> Mapping[str, VerificationKey]:
    """The environment's keys by kid, fetched now within `deadline` seconds; at least one. Raises FetchFailed."""
    source = _from_keys_endpoint if environment.key_source == "keys" else _from_jwks
    keys = source(environment, fetcher, deadline)
    if not keys:  # an answer without a usable key never replaces good ones (threats A6)
        raise FetchFailed("no usable key in the answer")
    return keys


def _from_jwks(environment: Environment, fetcher: Fetcher, deadline: float) -> Mapping[str, VerificationKey]:
    url = f"{environment.api_base_url}/sdk/{environment.environment_id}/.well-known/jwks"
    return rsa_keys(_document(fetcher, url, deadline, {}))


def _from_keys_endpoint(environment: Environment, fetcher: Fetcher, deadline: float) -> Mapping[str, VerificationKey]:
    """One key: {"key": {"id", "publicKey"}}, the latter base64 of a PEM (PKCS#1 or SPKI)."""
    url = f"{environment.api_base_url}/environments/{environment.environment_id}/keys"
    document = _document(fetcher, url, deadline, {"Authorization": f"Bearer {environment.api_token}"})
    entry = document.get("key") if isinstance(document, dict) else None
    key = rsa_key_from_pem(entry.get("id"), entry.get("publicKey")) if isinstance(entry, dict) else None
    return {key.kid: key} if key is not None else {}


def _document(fetcher: Fetcher, url: str, deadline: float, headers: Mapping[str, str]) -> object:
    answer = fetcher.get(url, deadline=deadline, headers=headers)
    if answer.status != 200:
        raise FetchFailed(f"status {answer.status}")
    document: object = answer.json()
    return document
