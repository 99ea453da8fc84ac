"""What a customer's server or an admin does to the environment, and the event log that they read."""

from threading import RLock

from bridge.emulator.directory import Directory
from bridge.emulator.errors import UnknownSessionError
from bridge.emulator.journal import Event, Journal
from bridge.emulator.model import Session, User
from bridge.emulator.sessions import Sessions


class Management:
    """The verbs behind Dynamic's management API. Thread-safe. Times are Unix seconds."""

    def __init__(self, lock: RLock, journal: Journal, directory: Directory, sessions: Sessions) -> None:
        self._lock = lock
        self._journal = journal
        self._directory = directory
        self._sessions = sessions

    def delete_user(self, user_id: str) -> None:
        """The user is gone, and with them their sessions. UnknownUserError."""
        with self._lock:
            self._directory.delete(user_id)
            self._sessions.end_silently(user_id, self._journal.clock())

    def merge_users(self, gone_id: str, survivor_id: str) -> User:
        """One user becomes part of another. UnknownUserError; ValueError if they are one."""
        with self._lock:
            merged = self._directory.merge(gone_id, survivor_id)
            self._sessions.end_silently(gone_id, self._journal.clock())
            return merged

    def transfer_wallet(self, giver_id: str, taker_id: str, credential_id: str) -> None:
        """A wallet changes its owner. UnknownUserError, UnknownCredentialError."""
        with self._lock:
            self._directory.transfer(giver_id, taker_id, credential_id)

    def revoke_session(self, sid: str) -> Session:
        """An admin ends a session. UnknownSessionError."""
        with self._lock:
            return self._sessions.revoke(self._sessions.find(sid), self._journal.clock(), by_admin=True)

    def revoke_sessions(self, user_id: str) -> None:
        """An admin ends every session of a user. UnknownUserError."""
        with self._lock:
            self._directory.get(user_id)
            for session in self._sessions.of_user(user_id):
                self._sessions.revoke(session, self._journal.clock(), by_admin=True)

    def sessions(self, user_id: str) -> list[Session]:
        """Every session the user had, the first opened first."""
        with self._lock:
            return self._sessions.of_user(user_id)

    def session(self, user_id: str, sid: str) -> Session:
        """A session of that user. UnknownSessionError."""
        with self._lock:
            session = self._sessions.find(sid)
            if session.user_id != user_id:
                raise UnknownSessionError("no such session")
            return session

    def events(self) -> list[Event]:
        """The event log, oldest first."""
        with self._lock:
            return self._journal.events()
