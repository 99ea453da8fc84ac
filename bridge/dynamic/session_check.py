"""Asks Dynamic whether a session goes on, for somebody who is waiting: briefly, once for all, and not too often.

    the answer            what it means
    200, not revoked      it goes on
    200, revoked          the user's sessions are asked for: one may have taken its place (lifecycle/dynamic_sessions)
    404                   the same; a user who is unknown too has none
    401, 403              our API token is refused, which says nothing of the session: no answer
    429                   no answer, and no question for as long as Retry-After says
    another id, 5xx, no JSON, none in 1.5 s: no answer
    200, revoked a while ago, and the list of the user's sessions is too large, or no answer of ours: it has ended

After no answer nobody asks for some seconds, so that a slow Dynamic costs few requests their time (threats A24). Of
that session nobody asks again for as long as an answer would hold: no client that tries again and again uses up what
all others may ask.
"""

import logging
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock

from bridge.dynamic.allowance import Allowance
from bridge.dynamic.management import IN_A_REQUEST, DynamicSession, session_state, user_now
from bridge.errors import AnsweredOtherwise, FetchFailed, NoAnswer, NotCalled
from bridge.fetch import Fetcher
from bridge.model import Environment
from bridge.waiting import about_to_wait

log = logging.getLogger(__name__)

PAUSE, PAUSE_REFUSED, LONGEST_PAUSE = 5, 30, 60  # seconds without a question: after no answer, a bad token, at most
SETTLED = 10  # seconds after which a revoked session whose successor cannot be had has none: a refresh takes two
MOST_REMEMBERED = 10_000  # sessions of which there was no answer
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
        self._unanswered_at: dict[tuple[str, str], int] = {}  # by environment and sid
        self._places = BoundedSemaphore(MOST_WAITING)
        self._lock = Lock()

    def ask(self, environment: Environment, user_id: str, sid: str, now: int) -> Told:
        """What has become of the session. Raises FetchFailed: nobody can say, now."""
        about_to_wait()  # for Dynamic, or for who asks it already; before a place or a question is used up
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
        self._check_allowed(environment, sid, now)
        try:
            return self._told(environment, user_id, sid, now)
        except FetchFailed as failed:
            self._remember_unanswered((environment.environment_id, sid), now)
            pause = _pause_after(failed)
            if pause:
                self._paused_until[environment.environment_id] = now + pause
            log.warning("live check", extra={"cause": str(failed), "paused": pause})
            raise

    def _remember_unanswered(self, key: tuple[str, str], now: int) -> None:
        with self._lock:
            self._unanswered_at.pop(key, None)
            while len(self._unanswered_at) >= MOST_REMEMBERED:
                del self._unanswered_at[next(iter(self._unanswered_at))]  # the oldest
            self._unanswered_at[key] = now

    def _check_allowed(self, environment: Environment, sid: str, now: int) -> None:
        unanswered_at = self._unanswered_at.get((environment.environment_id, sid))
        if unanswered_at is not None and 0 <= now - unanswered_at < environment.live_check_ttl:
            raise FetchFailed("no answer about this session a moment ago")
        left = self._paused_until.get(environment.environment_id, 0) - now
        if 0 < left <= LONGEST_PAUSE:
            raise FetchFailed("lately no answer")
        if not self._allowance.take(now):
            raise FetchFailed("more questions than Dynamic allows")

    def _told(self, environment: Environment, user_id: str, sid: str, now: int) -> Told:
        give_up_at = time.monotonic() + IN_A_REQUEST
        found = session_state(environment, self._fetcher, user_id, sid, now)
        if found is not None and found.is_alive:
            return Told(is_alive=True)
        if not self._allowance.take(now):
            raise FetchFailed("more questions than Dynamic allows")
        left = max(0.05, give_up_at - time.monotonic())
        try:
            user = user_now(environment, self._fetcher, user_id, now, deadline=left)
        except FetchFailed as failed:
            if found is None or not _has_settled(found, now) or isinstance(failed, AnsweredOtherwise | NotCalled):
                raise
            # Who opens so many sessions that the list cannot be read must not keep a revoked one alive by that.
            return Told(is_alive=False, sessions=(found,))
        listed = () if user is None else user.sessions
        unlisted = () if found is None or any(session.sid == sid for session in listed) else (found,)
        return Told(is_alive=False, sessions=(*listed, *unlisted))


def _has_settled(session: DynamicSession, now: int) -> bool:
    return session.revoked_at is not None and now - session.revoked_at >= SETTLED


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
