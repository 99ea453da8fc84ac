"""The live check: before a session is used silently, Dynamic is asked whether it goes on there.

What it says is kept for all instances, and holds for `ttl` seconds. What has ended there ends here, with all that rests
on it. If Dynamic cannot say: `open` believes what was known, `closed` lets everybody try again (threats A22).
"""

from collections.abc import Mapping
from functools import partial

from bridge.dynamic.session_check import SessionCheck, Told
from bridge.errors import FetchFailed, Unavailable
from bridge.history import DYNAMIC, Cause
from bridge.lifecycle.closing import Ending
from bridge.lifecycle.dynamic_sessions import goes_on_as
from bridge.lifecycle.endings import KEPT, end_dynamic_session
from bridge.model import Client, Environment
from bridge.reasons import Reason
from bridge.store import Database, Tx, liveness, sessions, upstream
from bridge.store.liveness import Upstream
from bridge.store.session_times import REFRESH_TAKES, certain_end


class LiveCheck:
    """Asked before a silent use. Calls Dynamic, so never from within a transaction."""

    def __init__(self, database: Database, environments: Mapping[str, Environment], check: SessionCheck) -> None:
        self._database = database
        self._checked = {
            environment_id: environment
            for environment_id, environment in environments.items()
            if environment.live_check != "off" and not environment.disabled
        }
        self._check = check

    def of_refresh_token(self, token: str, client: Client, now: int) -> None:
        """Bring up to date what is known of the session behind a client's refresh token. Raises Unavailable."""
        if self._checked:
            with self._database.reading() as tx:
                known = liveness.behind_refresh_token(tx, token, client.client_id)
            self._bring_up_to_date(known, now)

    def of_browser(self, cookie: str | None, now: int) -> None:
        """Bring up to date what is known of the session behind a browser's cookie. Raises Unavailable."""
        if self._checked and cookie is not None:
            with self._database.reading() as tx:
                held = sessions.find(tx, cookie, now)
                known = None if held is None else liveness.behind_session(tx, held[0])
            self._bring_up_to_date(known, now)

    def _bring_up_to_date(self, known: Upstream | None, now: int) -> None:
        environment = None if known is None else self._checked.get(known.environment_id)
        if known is None or environment is None:
            return
        if known.alive_at is not None and 0 <= now - known.alive_at < environment.live_check_ttl:
            return
        try:
            told = self._check.ask(environment, known.user_id, known.sid, now)
        except FetchFailed as failed:
            if environment.live_check == "closed":
                raise Unavailable(Reason.LIVE_CHECK_UNAVAILABLE, str(failed)) from failed
            return
        self._database.decide(partial(_settle, known=known, told=told, now=now, ttl=environment.live_check_ttl))


def _settle(tx: Tx, *, known: Upstream, told: Told, now: int, ttl: int) -> None:
    """Keep what Dynamic said. Whatever became known while it was asked is newer, and stays."""
    environment_id, key = known.environment_id, known.session_key
    if told.is_alive:
        liveness.is_alive(tx, known, now)
        return
    if upstream.newest_sid(tx, environment_id, key) != known.sid:
        return
    # It ended after Dynamic said that it goes on: a session that began much later is another.
    began = range(0) if known.alive_at is None else range(known.alive_at - REFRESH_TAKES, known.alive_at + ttl + 1)
    current = goes_on_as(known.sid, told.sessions, _sids_of_others(tx, known), began=began)
    if current is None:
        _end(tx, known, told, now)
        return
    if current != known.sid:
        created_at = next((session.created_at for session in told.sessions if session.sid == current), None)
        upstream.succeed(tx, environment_id, current, key, created_at or now, kept_until=now + KEPT)
    liveness.is_alive(tx, known, now)


def _sids_of_others(tx: Tx, known: Upstream) -> set[str]:
    """The sids of the user's other sessions: none of them is this one under a new name."""
    opened = upstream.open_of_user(tx, known.environment_id, known.user_id)
    return {sid for other in opened if other.session_key != known.session_key for sid in other.sids}


def _end(tx: Tx, known: Upstream, told: Told, now: int) -> None:
    revoked_at = next((session.revoked_at for session in told.sessions if session.sid == known.sid), None)
    end_dynamic_session(
        tx,
        known.environment_id,
        known.session_key,
        user_id=known.user_id,
        ended_at=certain_end(now if revoked_at is None else revoked_at),
        ending=Ending(Cause.DYNAMIC_SESSION_ENDED, DYNAMIC, now, {"event": "live_check"}),
    )
