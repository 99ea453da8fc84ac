"""Where an environment's public keys are: its JWKS (the default), or the endpoint that needs the API token."""

from collections.abc import Callable, Mapping

from bridge.clock import Clock
from bridge.dynamic.api import ask_json
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
    return rsa_keys(ask_json(environment, fetcher, "/sdk/{env}/.well-known/jwks", deadline=deadline))


def _from_keys_endpoint(environment: Environment, fetcher: Fetcher, deadline: float) -> Mapping[str, VerificationKey]:
    """One key: {"key": {"id", "publicKey"}}, the latter base64 of a PEM (PKCS#1 or SPKI)."""
    path = "/environments/{env}/keys"
    entry = ask_json(environment, fetcher, path, deadline=deadline, bearer=environment.api_token).get("key")
    key = rsa_key_from_pem(entry.get("id"), entry.get("publicKey")) if isinstance(entry, dict) else None
    return {key.kid: key} if key is not None else {}
