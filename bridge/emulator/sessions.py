"""The sessions of an environment: opened by a sign-in, carried on by refreshes, ended by a revocation."""

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.emulator.errors import NotAuthenticatedError, SessionEndedError, UnknownSessionError
from bridge.emulator.journal import Journal
from bridge.emulator.model import Session, User
from bridge.emulator.switches import Switches

REFRESH_WINDOW = 30 * 24 * 3600
"""Seconds from the first sign-in after which a refresh is refused."""


class Sessions:
    """Sessions by sid. Not thread-safe; the emulator's lock is held around it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._sessions: dict[str, Session] = {}
        self._small_sids: dict[str, str] = {}

    def open(self, user: User, origin: str, credential_id: str, now: int) -> Session:
        """A first sign-in; `new_user` if the user never had a session before."""
        sid = str(uuid.uuid4())
        session = Session(
            sid=sid,
            original_sid=sid,
            user_id=user.id,
            origin=origin,
            created_at=now,
            valid_from=now,
            refresh_expires_at=now + REFRESH_WINDOW,
            signin_credential_id=credential_id,
            session_public_key=secrets.choice(("02", "03")) + secrets.token_hex(32),
            new_user=all(known.user_id != user.id for known in self._sessions.values()),
        )
        self._journal.session_created(session, user)
        return self._store(session)

    def find(self, sid: object) -> Session:
        """The session of this sid, be it the large token's or the small one's. UnknownSessionError if there is none."""
        known = self._small_sids.get(sid, sid) if isinstance(sid, str) else None
        if known not in self._sessions:
            raise UnknownSessionError("no such session")
        return self._sessions[known]

    def everyone(self) -> list[Session]:
        """All of them, the first opened first."""
        return list(self._sessions.values())

    def small_sid(self, session: Session) -> str:
        """The sid that the small token carries when it has one of its own: fixed for a session."""
        own = str(uuid.uuid5(uuid.UUID(session.sid), "small"))
        self._small_sids[own] = session.sid
        return own

    def refresh(self, session: Session, switches: Switches, now: int) -> Session:
        """The session that carries on. SessionEndedError if it was revoked or `now` is past its refresh window."""
        if session.revoked_at is not None or now >= session.refresh_expires_at:
            raise SessionEndedError("the session has ended")
        valid_from = now if switches.old_token_ends_on_refresh else session.valid_from
        if not switches.sid_changes_on_refresh:
            return self._store(replace(session, valid_from=valid_from, new_user=False))
        if switches.old_token_ends_on_refresh:
            self._store(replace(session, revoked_at=now))
        if switches.revokes_old_sid_on_refresh:
            self._journal.session_revoked(replace(session, revoked_at=now))
        return self._store(
            replace(session, sid=str(uuid.uuid4()), created_at=now, valid_from=valid_from, new_user=False)
        )

    def revoke(self, session: Session, now: int, *, by_admin: bool = False) -> Session:
        """End the session. Ending it twice keeps the first time."""
        if session.revoked_at is not None:
            return session
        ended = self._store(replace(session, revoked_at=now))
        self._journal.session_revoked(ended, by_admin=by_admin)
        return ended

    def end_silently(self, user_id: str, now: int) -> None:
        """The user is no more, and no event tells of each session."""
        for session in self.of_user(user_id):
            self._store(replace(session, revoked_at=session.revoked_at or now))

    def of_user(self, user_id: str) -> list[Session]:
        """The user's sessions, the first opened first, ended ones too."""
        return [session for session in self._sessions.values() if session.user_id == user_id]

    def accept(self, claims: Mapping[str, Any], now: int) -> Session:
        """The live session that these (verified) claims speak of. NotAuthenticatedError if the token has expired or
        was superseded, or the session has ended or never was."""
        issued_at, expires_at = claims.get("iat"), claims.get("exp")
        if not isinstance(issued_at, int) or not isinstance(expires_at, int) or expires_at <= now:
            raise NotAuthenticatedError("the token has expired")
        try:
            session = self.find(claims.get("sid"))
        except UnknownSessionError:
            raise NotAuthenticatedError("no such session") from None
        if claims.get("sub") != session.user_id or session.revoked_at is not None or issued_at < session.valid_from:
            raise NotAuthenticatedError("the session has ended")
        return session

    def _store(self, session: Session) -> Session:
        self._sessions[session.sid] = session
        return session
