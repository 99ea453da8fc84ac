"""Whoever has proven something: the user it belongs to signs in, a new one is made, or a signed-in one links it."""

from collections.abc import Iterable
from threading import Lock
from typing import Unpack

from bridge.emulator.credentials import proves
from bridge.emulator.errors import LinkedElsewhereError
from bridge.emulator.model import Credential, NewCredential, Session, User, UserFields
from bridge.emulator.world import Emulator


class Arrivals:
    """Two pages at once with the same proof are one user. Thread-safe."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._lock = Lock()  # the second finds the user that the first has made

    def sign_in(self, proven: NewCredential, origin: str, **fields: Unpack[UserFields]) -> Session:
        """A session of the user whose credential this is, from a page at `origin`. A user nobody knew is made with
        these `fields`, in the state that the switch `new_user_state` names."""
        with self._lock:
            found = owner(self._emulator.users(), proven)
            if found is None:
                fields["state"] = self._emulator.switches.new_user_state
                user = self._emulator.create_user(email_verified=False, credentials=[proven], **fields)
                found = user, user.credentials[0]
        user, credential = found
        return self._emulator.sign_in(user.id, origin=origin, credential_id=credential.id)

    def link(self, proven: NewCredential, session: Session) -> Session:
        """The session, whose user now has this credential too. LinkedElsewhereError if another user has it."""
        with self._lock:
            found = owner(self._emulator.users(), proven)
            if found is None:
                self._emulator.link(session.user_id, proven)
            elif found[0].id != session.user_id:
                raise LinkedElsewhereError("another user has this credential")
        return session


def owner(users: Iterable[User], proven: NewCredential) -> tuple[User, Credential] | None:
    """Who may sign in by this, and the credential of theirs that it proves. The first of several."""
    for user in users:
        for credential in user.credentials:
            if credential.sign_in and proves(proven, credential):
                return user, credential
    return None
