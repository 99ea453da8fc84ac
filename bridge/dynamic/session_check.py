"""Asks Dynamic whether a session goes on, for somebody who is waiting: briefly, once for all, and not too often.

    the answer            what it means
    200, not revoked      it goes on
    200, revoked          the user's sessions are asked for: one may have taken its place (lifecycle/dynamic_sessions)
    404                   the same; a user who is unknown too has none
    401, 403              our API token is refused, which says nothing of the session: no answer
    429                   no answer, and no question for as long as Retry-After says
    another id, 5xx, no JSON, none in 1.5 s: no answer

After no answer nobody asks for some seconds, so that a slow Dynamic costs few requests their time (threats A24).
"""

import logging
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock

from bridge.dynamic.allowance import Allowance
from bridge.dynamic.management import IN_A_REQUEST, DynamicSession, session_state, user_now
from bridge.errors import AnsweredOtherwise, FetchFailed, NoAnswer
from bridge.fetch import Fetcher
from bridge.model import Environment

log = logging.getLogger(__name__)

PAUSE, PAUSE_REFUSED, LONGEST_PAUSE = 5, 30, 60  # seconds without a question: after no answer, a bad token, at most
MOST_WAITING = 8  # threads that wait for Dynamic at once; whoever comes then has no answer


@dataclass(frozen=True, slots=True)
class Told:
    """What Dynamic says: the session goes on as it was asked for, or else these are the user's sessions now."""

    is_alive: bool
    sessions: tuple[DynamicSession, ...] = ()


class SessionCheck:
    """The questions of one process, by any number of threads. Who asks what is being asked waits for that answer."""

    def __init__(self, fetcher: Fetcher, allowance: Allowance) -> None:
        self._fetcher = fetcher
        self._allowance = allowance
        self._under_way: dict[tuple[str, str], Future[Told]] = {}
        self._paused_until: dict[str, int] = {}  # by environment
        self._places = BoundedSemaphore(MOST_WAITING)
        self._lock = Lock()

    def ask(self, environment: Environment, user_id: str, sid: str, now: int) -> Told:
        """What has become of the session. Raises FetchFailed: nobody can say, now."""
        if not self._places.acquire(blocking=False):
            raise FetchFailed("too many are waiting")
        try:
            key = (environment.environment_id, sid)
            mine: Future[Told] = Future()
            with self._lock:
                first = self._under_way.setdefault(key, mine)
            if first is not mine:
                return _awaited(first)
            return self._answered(mine, key, environment, user_id, now)
        finally:
            self._places.release()

    def _answered(
        self, mine: Future[Told], key: tuple[str, str], environment: Environment, user_id: str, now: int
    ) -> Told:
        try:
            told = self._asked(environment, user_id, key[1], now)
        except FetchFailed as failed:
            mine.set_exception(failed)
            raise
        except BaseException:
            mine.set_exception(FetchFailed("broken off"))
            raise
        else:
            mine.set_result(told)
            return told
        finally:
            with self._lock:
                del self._under_way[key]

    def _asked(self, environment: Environment, user_id: str, sid: str, now: int) -> Told:
        self._check_allowed(environment, now)
        try:
            return self._told(environment, user_id, sid, now)
        except FetchFailed as failed:
            pause = _pause_after(failed)
            if pause:
                self._paused_until[environment.environment_id] = now + pause
            log.warning("live check", extra={"cause": str(failed), "paused": pause})
            raise

    def _check_allowed(self, environment: Environment, now: int) -> None:
        left = self._paused_until.get(environment.environment_id, 0) - now
        if 0 < left <= LONGEST_PAUSE:
            raise FetchFailed("lately no answer")
        if not self._allowance.take(now):
            raise FetchFailed("more questions than Dynamic allows")

    def _told(self, environment: Environment, user_id: str, sid: str, now: int) -> Told:
        give_up_at = time.monotonic() + IN_A_REQUEST
        found = session_state(environment, self._fetcher, user_id, sid)
        if found is not None and found.is_alive:
            return Told(is_alive=True)
        if not self._allowance.take(now):
            raise FetchFailed("more questions than Dynamic allows")
        left = max(0.05, give_up_at - time.monotonic())
        user = user_now(environment, self._fetcher, user_id, deadline=left)
        listed = () if user is None else user.sessions
        unlisted = () if found is None or any(session.sid == sid for session in listed) else (found,)
        return Told(is_alive=False, sessions=(*listed, *unlisted))


def _awaited(running: Future[Told]) -> Told:
    try:
        return running.result(timeout=IN_A_REQUEST)
    except FutureTimeout as error:
        raise FetchFailed("who asked first has no answer yet") from error


def _pause_after(failed: FetchFailed) -> int:
    """Seconds; none after an answer that makes no sense, which says nothing of the next one."""
    if isinstance(failed, AnsweredOtherwise):
        return PAUSE_REFUSED if failed.status in (401, 403) else min(LONGEST_PAUSE, failed.retry_after or PAUSE)
    return PAUSE if isinstance(failed, NoAnswer) else 0
