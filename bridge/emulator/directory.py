"""The users of an environment."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bridge.emulator.credentials import linked
from bridge.emulator.errors import UnknownCredentialError, UnknownUserError
from bridge.emulator.journal import Journal
from bridge.emulator.model import NewCredential, User, UserFields, UserState


class Directory:
    """Users by id, in the order of their creation. Not thread-safe; the emulator's lock is held around it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._users: dict[str, User] = {}

    def create(self, user_id: str | None, fields: UserFields, new: Sequence[NewCredential], now: int) -> User:
        """A user with these credentials. ValueError if the id is taken or two credentials share one."""
        chosen = str(uuid.uuid4()) if user_id is None else user_id
        if not chosen or chosen in self._users:
            raise ValueError("the user id is empty or taken")
        user = User(id=chosen, created_at=now, last_visit_at=now, **_tidy(fields))
        stored = self._store(_with_credentials(user, new, now))
        self._journal.user_created(stored)
        return stored

    def get(self, user_id: str) -> User:
        """UnknownUserError if there is none."""
        try:
            return self._users[user_id]
        except KeyError:
            raise UnknownUserError("no such user") from None

    def everyone(self) -> list[User]:
        """All users, the first created first."""
        return list(self._users.values())

    def change(
        self, user_id: str, fields: UserFields, link: Sequence[NewCredential], unlink: Sequence[str], now: int
    ) -> User:
        """All of the changes or none. UnknownUserError, UnknownCredentialError; ValueError as in `create`."""
        before = self.get(user_id)
        user = replace(before, **_tidy(fields))
        missing = set(unlink) - {credential.id for credential in user.credentials}
        if missing:
            raise UnknownCredentialError("the user has no such credential")
        kept = tuple(credential for credential in user.credentials if credential.id not in unlink)
        changed = _with_credentials(replace(user, credentials=kept), link, now)
        if link:
            changed = replace(changed, last_verified_credential_id=changed.credentials[-1].id)
        self._journal.user_changed(before, changed)
        return self._store(changed)

    def delete(self, user_id: str) -> None:
        """The user is gone. UnknownUserError."""
        self._journal.user_deleted(self.get(user_id))
        del self._users[user_id]

    def merge(self, gone_id: str, survivor_id: str) -> User:
        """One user takes over what another proved; the other is gone. ValueError if they are one, UnknownUserError."""
        gone, survivor = self.get(gone_id), self.get(survivor_id)
        if gone is survivor:
            raise ValueError("a user cannot be merged into itself")
        merged = self._store(replace(survivor, credentials=(*survivor.credentials, *gone.credentials)))
        del self._users[gone_id]
        self._journal.users_merged(merged, gone)
        return merged

    def transfer(self, giver_id: str, taker_id: str, credential_id: str) -> None:
        """A wallet goes from one user to another. UnknownUserError, UnknownCredentialError."""
        giver, taker = self.get(giver_id), self.get(taker_id)
        moved = [c for c in giver.credentials if c.id == credential_id and c.format == "blockchain"]
        if not moved or giver is taker:
            raise UnknownCredentialError("the user has no such wallet to give to another")
        self._store(replace(giver, credentials=tuple(c for c in giver.credentials if c.id != credential_id)))
        self._store(replace(taker, credentials=(*taker.credentials, *moved)))
        self._journal.wallet_transferred(moved[0], giver_id, taker_id)

    def visited(self, user: User, credential_id: str, now: int) -> User:
        """The user signed in with this credential."""
        return self._store(replace(user, last_visit_at=now, last_verified_credential_id=credential_id))

    def _store(self, user: User) -> User:
        self._users[user.id] = user
        return user


def _with_credentials(user: User, new: Sequence[NewCredential], now: int) -> User:
    credentials = (*user.credentials, *(linked(one, now) for one in new))
    if len({credential.id for credential in credentials}) < len(credentials):
        raise ValueError("two credentials of a user cannot share an id")
    return replace(user, credentials=credentials)


def _tidy(fields: UserFields) -> dict[str, Any]:
    """Fields as the frozen value wants them. TypeError on a name that is no field, ValueError on an unknown state or
    an empty password."""
    unknown = set(fields) - set(UserFields.__annotations__)
    if unknown:
        raise TypeError(f"a user has no {', '.join(sorted(unknown))}")
    tidied: dict[str, Any] = dict(fields)
    for name in ("lists", "scopes", "roles"):
        if name in tidied:
            tidied[name] = tuple(tidied[name])
    for name in ("metadata", "profile"):
        if name in tidied:
            tidied[name] = dict(tidied[name] or {})
    if tidied.get("password") == "":
        raise ValueError("a password cannot be empty; None takes it away")
    if "state" in tidied:
        tidied["state"] = UserState(tidied["state"])
    return tidied
