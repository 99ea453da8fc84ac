"""One call of Dynamic's API, sent as the environment demands. Every call to Dynamic goes out here."""

import json
from typing import Any

from bridge.errors import AnsweredOtherwise, FetchFailed
from bridge.fetch import Fetched, Fetcher
from bridge.model import Environment, Json

PATIENCE = 5.0  # seconds, where nobody is waiting for an answer of ours


def ask(
    environment: Environment, fetcher: Fetcher, path: str, *, deadline: float, bearer: str | None = None
) -> Fetched:
    """The answer of any status at `path`, in which {env} stands for the environment's id. Raises FetchFailed."""
    return fetcher.get(_url(environment, path), deadline=deadline, headers=_headers(environment, bearer))


def tell(
    environment: Environment, fetcher: Fetcher, path: str, body: Json, *, deadline: float, bearer: str | None
) -> Fetched:
    """The answer of any status to a POST of a JSON object at `path`. Raises FetchFailed."""
    headers = {**_headers(environment, bearer), "Content-Type": "application/json"}
    sent = json.dumps(body).encode("utf-8")
    return fetcher.post(_url(environment, path), sent, deadline=deadline, headers=headers)


def ask_json(
    environment: Environment, fetcher: Fetcher, path: str, *, deadline: float, bearer: str | None = None
) -> dict[str, Any]:
    """The JSON object that `path` answers with status 200. Raises FetchFailed."""
    return json_of(ask(environment, fetcher, path, deadline=deadline, bearer=bearer), 200)


def json_of(answer: Fetched, *statuses: int) -> dict[str, Any]:
    """The JSON object in an answer of one of these statuses. Raises FetchFailed."""
    if answer.status not in statuses:
        raise AnsweredOtherwise(answer.status, answer.retry_after)
    document = answer.json()
    if not isinstance(document, dict):
        raise FetchFailed("answer is no JSON object")
    return document


def _url(environment: Environment, path: str) -> str:
    return environment.api_base_url + path.format(env=environment.environment_id)


def _headers(environment: Environment, bearer: str | None) -> dict[str, str]:
    headers = {}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    if environment.request_origin is not None:
        headers["Origin"] = environment.request_origin
    return headers
