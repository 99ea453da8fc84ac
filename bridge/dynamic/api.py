"""One question to Dynamic's API, sent as the environment demands. Every call to Dynamic goes out here."""

from typing import Any

from bridge.errors import FetchFailed
from bridge.fetch import Fetched, Fetcher
from bridge.model import Environment

PATIENCE = 5.0  # seconds, where nobody is waiting for an answer of ours


def ask(
    environment: Environment, fetcher: Fetcher, path: str, *, deadline: float, bearer: str | None = None
) -> Fetched:
    """The answer of any status at `path`, in which {env} stands for the environment's id. Raises FetchFailed."""
    headers = {}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    if environment.request_origin is not None:
        headers["Origin"] = environment.request_origin
    url = environment.api_base_url + path.format(env=environment.environment_id)
    return fetcher.get(url, deadline=deadline, headers=headers)


def ask_json(
    environment: Environment, fetcher: Fetcher, path: str, *, deadline: float, bearer: str | None = None
) -> dict[str, Any]:
    """The JSON object that `path` answers with status 200. Raises FetchFailed."""
    answer = ask(environment, fetcher, path, deadline=deadline, bearer=bearer)
    if answer.status != 200:
        raise FetchFailed(f"status {answer.status}")
    document = answer.json()
    if not isinstance(document, dict):
        raise FetchFailed("answer is no JSON object")
    return document
