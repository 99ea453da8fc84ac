"""What happened at Dynamic, and what follows from it here. By webhook, or from the event log after an outage.

    receive ── verify, read ─▶ take ── ask Dynamic, if it decides ─▶ one transaction: the event's id, and its effect
    sync    ── event log ────▶ take
    reread  ── how a user is now; owed (`REREAD_USER`) where an event does not tell

Every effect is the same twice and in any order: an event may come late, again, or never (threats A22, A23).
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.dynamic import webhooks
from bridge.dynamic.api import PATIENCE
from bridge.dynamic.effects import Ping, SessionRevoked, Unknown
from bridge.dynamic.management import DynamicSession, event_page, user_now
from bridge.dynamic.profile import in_token_words
from bridge.dynamic.webhooks import DynamicEvent, event_of
from bridge.errors import FetchFailed, Refused
from bridge.fetch import Fetcher
from bridge.lifecycle.dynamic_effects import Effects, Occasion
from bridge.lifecycle.dynamic_sessions import Revocation, whom_to_ask_about
from bridge.model import Environment, Json
from bridge.reasons import Reason
from bridge.store import Database, webhook_events

log = logging.getLogger(__name__)

MOST_PAGES = 10_000  # of the event log at once: an end for whoever hands out cursors without one


@dataclass(frozen=True, slots=True)
class Synced:
    """What reading the event log came to: how many entries, how many of them were news, how many we could not read."""

    entries: int
    news: int
    unreadable: int


class DynamicEvents:
    """Takes events of the configured environments. Calls Dynamic through its own fetcher, never in a transaction."""

    def __init__(
        self,
        *,
        database: Database,
        fetcher: Fetcher,
        environments: Mapping[str, Environment],
        effects: Effects,
    ) -> None:
        self._database = database
        self._fetcher = fetcher
        self._environments = environments
        self._effects = effects

    def receive(self, environment_id: str, body: bytes, signature: str | None, now: int) -> None:
        """Take a webhook message. Raises Refused, having changed nothing, and Unavailable: it has to come again."""
        environment = self._environments.get(environment_id)
        if environment is None or not environment.webhook_secrets:
            raise Refused(Reason.WEBHOOK_NOT_CONFIGURED)
        webhooks.verify(body, signature, environment.webhook_secrets)
        event = webhooks.read(body, environment_id, now)
        news = self.take(event, now)
        log.info("webhook", extra={"webhook": event.name, "event_id": event.event_id, "news": news})

    def take(self, event: DynamicEvent, now: int) -> bool:
        """Let an event have its effect, once; False if it had it already, or has none. Raises Unavailable."""
        if isinstance(event.effect, Ping | Unknown):
            return False
        environment = self._environments[event.environment_id]
        detail = {"event": event.name, "event_id": event.event_id}
        sessions = self._told_sessions(environment, event, now)
        with self._database.writing() as tx:
            if not webhook_events.take_once(tx, event.environment_id, event.event_id, now):
                return False
            self._effects.apply(tx, Occasion(environment, event.at, now, detail), event.effect, sessions)
        return True

    def sync(self, environment_id: str, *, since: int, now: int) -> Synced:
        """Take whatever the event log tells of since a moment. Raises FetchFailed, Unavailable.

        What was taken before one of those is kept; the rest is taken by the next call.
        """
        entries, read, unreadable = 0, list[DynamicEvent](), 0
        for entry in self._entries(self._environments[environment_id], since):
            entries += 1
            try:
                read.append(event_of(entry, environment_id, now))
            except Refused:
                unreadable += 1
        read.sort(key=lambda event: event.at)
        return Synced(entries, sum(self.take(event, now) for event in read), unreadable)

    def reread(self, environment_id: str, user_id: str, now: int) -> bool:
        """Bring a user up to date by asking Dynamic; False if they are not known there or here any more.

        Raises FetchFailed: ask again later; Unavailable.
        """
        environment = self._environments.get(environment_id)
        if environment is None:
            return False
        found = user_now(environment, self._fetcher, user_id, now, deadline=PATIENCE)
        if found is None:
            return False
        with self._database.writing() as tx:
            occasion = Occasion(environment, at=now, now=now, detail={"event": "reread"})
            return self._effects.bring_up_to_date(tx, occasion, user_id, in_token_words(found.document))

    def _entries(self, environment: Environment, since: int) -> Iterator[Json]:
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = event_page(environment, self._fetcher, since=since, cursor=cursor)
            yield from page.entries
            if page.cursor is None or page.cursor == cursor:
                return
            cursor = page.cursor

    def _told_sessions(
        self, environment: Environment, event: DynamicEvent, now: int
    ) -> Sequence[DynamicSession] | None:
        """What Dynamic says of the sessions that an event is about, where that decides and can be had."""
        if not isinstance(event.effect, SessionRevoked) or environment.api_token is None:
            return None
        with self._database.reading() as tx:
            revocation = Revocation(event.environment_id, event.effect, event.at)
            user_id = whom_to_ask_about(tx, revocation)
        if user_id is None:
            return None
        try:
            found = user_now(environment, self._fetcher, user_id, now)
        except FetchFailed as failed:
            log.warning("dynamic_not_asked", extra={"event_id": event.event_id, "detail": str(failed)})
            return None
        return () if found is None else found.sessions
