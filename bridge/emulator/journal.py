"""What happened in the environment: the event log, and whoever listens to it."""

import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bridge.emulator.clock import Clock, iso
from bridge.emulator.model import Credential, Session, User
from bridge.emulator.server_views import email_view, session_view, social_view, user_view, wallet_view
from bridge.emulator.switches import Switches

KEPT = 10_000

EVENT_TYPES = (
    "ping",
    "user.created",
    "user.updated",
    "user.deleted",
    "user.merged",
    "user.session.created",
    "user.session.revoked",
    "admin.user.session.revoked",
    "user.social.linked",
    "user.social.unlinked",
    "user.email.unlinked",
    "wallet.linked",
    "wallet.unlinked",
    "wallet.transferred",
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened `at` a moment (Unix seconds). `user_id` is who did it; None if an API token did."""

    event_id: str
    name: str
    at: int
    user_id: str | None
    data: Mapping[str, Any]

    def envelope(self, environment_id: str) -> dict[str, Any]:
        """What a message and the event log have in common."""
        who = {} if self.user_id is None else {"userId": self.user_id}
        return {
            "eventId": self.event_id,
            "eventName": self.name,
            "timestamp": iso(self.at),
            "environmentId": environment_id,
            "environmentName": "sandbox",
            **who,
            "data": self.data,
        }


class Journal:
    """The latest events, oldest first. Not thread-safe; the emulator's lock is held around it."""

    def __init__(self, environment_id: str, clock: Clock, switches: Callable[[], Switches]) -> None:
        self.environment_id = environment_id
        self.clock = clock
        self._switches = switches
        self._events: deque[Event] = deque(maxlen=KEPT)
        self.listener: Callable[[Event], None] = lambda _: None
        """Told of every event as it happens, under the emulator's lock."""

    def events(self) -> list[Event]:
        """All that are kept."""
        return list(self._events)

    def ping(self) -> Event:
        """A test message for one webhook: no event of the environment, so that no other hears of it."""
        return Event(str(uuid.uuid4()), "ping", self.clock(), None, {})

    def note(self, name: str, data: Mapping[str, Any], user_id: str | None) -> None:
        """Something happened now."""
        event = Event(str(uuid.uuid4()), name, self.clock(), user_id, data)
        self._events.append(event)
        self.listener(event)

    def user_created(self, user: User) -> None:
        """A user is new."""
        self.note("user.created", self._user(user), user.id)

    def user_changed(self, before: User, after: User) -> None:
        """Fields of a user changed, or credentials came or went: an event each, none of which fires another."""
        old, new = ({c.id: c for c in user.credentials} for user in (before, after))
        for credential_id in old.keys() - new.keys():
            self._credential(old[credential_id], after.id, "unlinked")
        for credential_id in new.keys() - old.keys():
            self._credential(new[credential_id], after.id, "linked")
        if _profile(before) != _profile(after):
            self.note("user.updated", self._user(after), after.id)

    def user_deleted(self, user: User) -> None:
        """A user is gone."""
        self.note("user.deleted", self._user(user), None)

    def users_merged(self, survivor: User, gone: User) -> None:
        """Two users became one. That the merged-away id is called `mergedUserId` is a guess of ours."""
        self.note("user.merged", {**self._user(survivor), "mergedUserId": gone.id}, survivor.id)

    def wallet_transferred(self, wallet: Credential, giver: str, taker: str) -> None:
        """A wallet changed its owner. The name of the giver's id is a guess of ours."""
        self.note("wallet.transferred", {**wallet_view(wallet, taker), "previousUserId": giver}, taker)

    def session_created(self, session: Session, user: User) -> None:
        """Somebody signed in."""
        credentials = self._user(user)["verifiedCredentials"]
        data = {**session_view(session, self.environment_id), "verifiedCredentials": credentials}
        self.note("user.session.created", data, user.id)

    def session_revoked(self, session: Session, *, by_admin: bool = False) -> None:
        """A session ended, by its user or by the customer."""
        name = "admin.user.session.revoked" if by_admin else "user.session.revoked"
        self.note(name, session_view(session, self.environment_id), None if by_admin else session.user_id)

    def _credential(self, credential: Credential, user_id: str, what: str) -> None:
        match credential.format:
            case "blockchain":
                self.note(f"wallet.{what}", wallet_view(credential, user_id), user_id)
            case "oauth":
                self.note(f"user.social.{what}", social_view(credential, user_id), user_id)
            case "email" if what == "unlinked":
                self.note("user.email.unlinked", email_view(credential, user_id), user_id)

    def _user(self, user: User) -> dict[str, Any]:
        return user_view(user, self._switches(), self.environment_id)


def _profile(user: User) -> User:
    """What `user.updated` tells of: visits and credentials have events of their own."""
    return replace(user, credentials=(), last_visit_at=0, last_verified_credential_id=None)
