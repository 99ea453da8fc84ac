"""The profile that the small token lacks: GET /sdk/<environment>/users with the user's own token."""

import re
from typing import Any

from bridge.dynamic.api import ask_json
from bridge.errors import FetchFailed
from bridge.fetch import Fetcher
from bridge.model import Assertion, Json

DEADLINE = 1.5  # seconds; the caller is waiting, and next-auth v4 gives up after 3.5

# Where the API's name is not the token's in another spelling.
_TOKEN_NAMES = {"firstName": "given_name", "lastName": "family_name"}

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def fetch_profile(raw: str, assertion: Assertion, fetcher: Fetcher) -> Json:
    """The user's profile in the words of the large token (snake_case), credentials included.

    Raises FetchFailed: no answer in time, or an answer about another user or environment (threats A24).
    """
    environment = assertion.environment
    document = ask_json(environment, fetcher, "/sdk/{env}/users", deadline=DEADLINE, bearer=raw)
    if not isinstance(document.get("verifiedCredentials"), list):
        raise FetchFailed("no profile in the answer")
    if document.get("id") != assertion.user_id or document.get("projectEnvironmentId") != environment.environment_id:
        raise FetchFailed("profile of another user")
    return in_token_words(document)


def in_token_words(user: Json) -> Json:
    """A user of Dynamic's API (SdkUser, User) under the names that the large token has; credentials, if it has any."""
    profile = {_TOKEN_NAMES.get(name, _snake(name)): value for name, value in user.items()}
    credentials = user.get("verifiedCredentials")
    profile["verified_credentials"] = [_entry(entry) for entry in credentials] if isinstance(credentials, list) else []
    return profile


def _entry(entry: Any) -> Any:
    """A credential under the token's names, which mix both spellings; unknown members are kept under both."""
    if not isinstance(entry, dict):
        return entry
    return {**{_snake(name): value for name, value in entry.items()}, **entry}


def _snake(name: str) -> str:
    return _CAPITAL.sub(lambda match: "_" + match.group(1).lower(), name)
