"""Dynamic's API for a customer's server, which needs the API token: sessions, users, the event log, webhooks.

Ids go into paths: only those of a form that cannot lead elsewhere do. Every answer about another user or environment
than the one that was asked for is no answer (threats A24).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from bridge.dynamic import text
from bridge.dynamic.api import PATIENCE, ask, json_of, tell
from bridge.errors import FetchFailed
from bridge.fetch import Fetcher
from bridge.model import Environment, Json

IN_A_REQUEST = 1.5  # seconds; the caller is waiting

_PATH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,127}")


@dataclass(frozen=True, slots=True)
class DynamicSession:
    """A session as Dynamic knows it now. Times in seconds by its clock; `created_at` is None if it did not tell."""

    sid: str
    created_at: int | None
    revoked_at: int | None

    @property
    def is_alive(self) -> bool:
        """Whether it goes on."""
        return self.revoked_at is None


@dataclass(frozen=True, slots=True)
class DynamicUser:
    """A user as Dynamic knows them now, in the words of its API, and their sessions."""

    document: Json = field(repr=False)
    sessions: tuple[DynamicSession, ...]


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some entries of the event log, and the cursor of the next page; None if this is the last."""

    entries: Sequence[Json]
    cursor: str | None


def session_state(
    environment: Environment, fetcher: Fetcher, user_id: str, sid: str, now: int
) -> DynamicSession | None:
    """The session of a user as it is `now`; None if Dynamic knows none. Raises FetchFailed."""
    path = f"/users/{_id(user_id)}/sessions/{_id(sid)}"
    answer = ask(environment, fetcher, path, deadline=IN_A_REQUEST, bearer=_token(environment))
    if answer.status == 404:
        return None
    document = json_of(answer, 200)
    session = _session(document, now)
    if session is None or session.sid != sid or document.get("userId", user_id) != user_id:
        raise FetchFailed("another session in the answer")
    return session


def user_now(
    environment: Environment, fetcher: Fetcher, user_id: str, now: int, *, deadline: float = IN_A_REQUEST
) -> DynamicUser | None:
    """A user with their sessions as they are `now`; None if Dynamic knows none. Raises FetchFailed."""
    path = f"/environments/{{env}}/users/{_id(user_id)}?includeSessions=true"
    answer = ask(environment, fetcher, path, deadline=deadline, bearer=_token(environment))
    if answer.status == 404:
        return None
    user = json_of(answer, 200).get("user")
    if not isinstance(user, dict) or user.get("id") != user_id:
        raise FetchFailed("another user in the answer")
    if user.get("projectEnvironmentId", environment.environment_id) != environment.environment_id:
        raise FetchFailed("user of another environment")
    listed = user.get("sessions")
    sessions = [_session(entry, now) for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return DynamicUser(user, tuple(session for session in sessions if session is not None))


def event_page(environment: Environment, fetcher: Fetcher, *, since: int, cursor: str | None = None) -> EventPage:
    """A page of what happened since a moment (seconds), in no order that one may count on. Raises FetchFailed."""
    query = {"startDate": datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")}
    if cursor is not None:
        query["cursor"] = cursor
    path = f"/environments/{{env}}/events?{urlencode(query)}"
    document = json_of(ask(environment, fetcher, path, deadline=PATIENCE, bearer=_token(environment)), 200)
    data, following = document.get("data"), document.get("cursor")
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    return EventPage(entries, following if isinstance(following, str) and following and entries else None)


def webhooks(environment: Environment, fetcher: Fetcher) -> Sequence[Json]:
    """The environment's webhooks: webhookId, url, events, isEnabled. Raises FetchFailed."""
    path = "/environments/{env}/webhooks"
    data = json_of(ask(environment, fetcher, path, deadline=PATIENCE, bearer=_token(environment)), 200).get("data")
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def create_webhook(environment: Environment, fetcher: Fetcher, url: str, events: Sequence[str]) -> tuple[str, str]:
    """The id and the secret of a new webhook of the environment. Raises FetchFailed."""
    body = {"url": url, "isEnabled": True, "events": list(events)}
    path, bearer = "/environments/{env}/webhooks", _token(environment)
    made = json_of(tell(environment, fetcher, path, body, deadline=PATIENCE, bearer=bearer), 200, 201)
    webhook_id = _id(made.get("webhookId"))
    shown = f"{path}/{webhook_id}?includeSecret=true"
    secret = json_of(ask(environment, fetcher, shown, deadline=PATIENCE, bearer=bearer), 200).get("secret")
    if not isinstance(secret, str) or not secret:
        raise FetchFailed("no secret in the answer")
    return webhook_id, secret


def _token(environment: Environment) -> str:
    if environment.api_token is None:
        raise FetchFailed("no API token is configured")
    return environment.api_token


def _id(value: Any) -> str:
    if not isinstance(value, str) or not _PATH_ID.fullmatch(value):
        raise FetchFailed("not an id")
    return value


def _session(entry: Json, now: int) -> DynamicSession | None:
    sid, revoked = text.session_id(entry.get("id")), entry.get("revokedAt")
    if sid is None:
        return None
    # A time that we cannot read still says that it was revoked: by now.
    revoked_at = None if revoked is None else text.moment(revoked) or now
    return DynamicSession(sid, text.moment(entry.get("createdAt")), revoked_at)
