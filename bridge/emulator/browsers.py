"""Who is signed in in which browser: what Dynamic's SDK keeps in the page, kept here behind a cookie."""

import secrets
from threading import Lock

from bridge.emulator.accounts import check_password, find
from bridge.emulator.errors import SessionEndedError
from bridge.emulator.model import Session
from bridge.emulator.world import Emulator


class Browsers:
    """A browser's cookie leads to the session it holds, one at a time. Thread-safe."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._lock = Lock()
        self._sids: dict[str, str] = {}

    def sign_in(self, cookie: str, name: str, password: str, origin: str) -> tuple[str, Session]:
        """A new session from a page at `origin`, and the cookie it goes by; what the browser held has ended. Never the
        cookie that came: somebody else could have planted that one. UnknownUserError, WrongPasswordError."""
        user, credential_id = find(self._emulator.users(), name)
        check_password(user, password)
        with self._lock:
            self._end(cookie)
            session = self._emulator.sign_in(user.id, origin=origin, credential_id=credential_id)
            return self._remember(secrets.token_urlsafe(32), session)

    def carry_on(self, cookie: str) -> Session | None:
        """The browser's session, refreshed without the user; None if it holds none that lives."""
        with self._lock:  # two tabs at once: the second carries on what the first has made
            sid = self._sids.get(cookie)
            if sid is None:
                return None
            try:
                return self._remember(cookie, self._emulator.refresh(sid))[1]
            except SessionEndedError:
                del self._sids[cookie]
                return None

    def sign_out(self, cookie: str) -> None:
        """End what the browser holds, if anything."""
        with self._lock:
            self._end(cookie)

    def _remember(self, cookie: str, session: Session) -> tuple[str, Session]:
        self._sids[cookie] = session.sid
        return cookie, session

    def _end(self, cookie: str) -> None:
        sid = self._sids.pop(cookie, None)
        if sid is not None:
            self._emulator.revoke(sid)
