"""Webhooks: who is told of which events, and every message to them with what became of it.

    event ─▶ a message per webhook, queued
    deliver() ─▶ POST, signed; anything but 2xx is tried again after each of `schedule`, then never, and the webhook
                 is switched off
    hold()    ─▶ nothing goes out by itself any more; send() lets out which one wants, in which order, how often

The thread of `run` calls `deliver` as time passes; a test may call it itself.
"""

import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event as Signal
from threading import RLock

from bridge.emulator.errors import UnknownMessageError, UnknownWebhookError
from bridge.emulator.journal import Event, Journal
from bridge.emulator.webhook_post import Transport, check_url, message_body, post, signature

LIVE = (15, 60, 600, 3600, 86400)
SANDBOX = (15, 45)
"""Seconds before each further try, in the two kinds of environment (the sandbox's are only said to fit a minute)."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registered address. `events` are the names that it wants; empty: all of them."""

    webhook_id: str
    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...]
    created_at: int
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """One event to one webhook. `next_at` is when it is due; None once it was taken, dropped or given up."""

    message_id: str
    webhook_id: str
    event: Event
    next_at: int | None
    attempts: int = 0
    status: int | None = None  # of the last answer; None: none came, or not tried yet


class Webhooks:
    """The webhooks of an environment and their messages, in the order in which they were made. Thread-safe."""

    def __init__(self, lock: RLock, journal: Journal) -> None:
        self.schedule: Sequence[int] = LIVE
        self.transport: Transport = post
        self.due = Signal()
        """Set when a message has been queued."""
        self._lock = lock
        self._sending = RLock()  # one sender at a time: what is in order stays in order
        self._journal = journal
        self._clock = journal.clock
        self._held = False
        self._hooks: dict[str, Webhook] = {}
        self._messages: dict[str, Message] = {}
        journal.listener = self._queue

    def register(self, url: str, *, secret: str | None = None, events: Iterable[str] = (), enabled: bool = True) -> str:
        """The id of a new webhook, which a `ping` is sent to. ValueError unless the URL is http on this machine."""
        check_url(url)
        hook = Webhook(str(uuid.uuid4()), url, secret or new_secret(), tuple(events), self._clock(), enabled)
        with self._lock:
            self._hooks[hook.webhook_id] = hook
            self._enqueue(hook, self._journal.ping())
        return hook.webhook_id

    def change(self, webhook_id: str, *, url: str, events: Iterable[str], enabled: bool) -> Webhook:
        """Another address, other events, on or off. UnknownWebhookError, ValueError."""
        check_url(url)
        with self._lock:
            changed = replace(self.get(webhook_id), url=url, events=tuple(events), is_enabled=enabled)
            self._hooks[webhook_id] = changed
            return changed

    def remove(self, webhook_id: str) -> None:
        """Forget a webhook with its messages. UnknownWebhookError."""
        with self._lock:
            self.get(webhook_id)
            del self._hooks[webhook_id]
            self._messages = {i: m for i, m in self._messages.items() if m.webhook_id != webhook_id}

    def get(self, webhook_id: str) -> Webhook:
        """The webhook as of now. UnknownWebhookError."""
        with self._lock:
            if webhook_id not in self._hooks:
                raise UnknownWebhookError("no such webhook")
            return self._hooks[webhook_id]

    def every(self) -> list[Webhook]:
        """All webhooks, the first registered first."""
        with self._lock:
            return list(self._hooks.values())

    def messages(self, webhook_id: str | None = None) -> list[Message]:
        """All messages, or those of one webhook, the first made first."""
        with self._lock:
            return [m for m in self._messages.values() if webhook_id in (None, m.webhook_id)]

    def hold(self) -> None:
        """From now on nothing goes out but what `send` lets out."""
        with self._sending, self._lock:
            self._held = True

    def release(self) -> None:
        """Messages go out by themselves again, those that were held too."""
        with self._lock:
            self._held = False
        self.due.set()

    def deliver(self) -> list[tuple[Message, int | None]]:
        """Send every message that is due, unless they are held; each with its answer's status (None: no answer)."""
        with self._sending:
            now = self._clock()
            with self._lock:
                due = [] if self._held else [m for m in self._messages.values() if m.next_at and m.next_at <= now]
            return [(message, self._send(message)) for message in due]

    def send(
        self, message_ids: Iterable[str] | None = None, *, reverse: bool = False, copies: int = 1
    ) -> list[tuple[Message, int | None]]:
        """Send these messages now (None: all that wait), held or not, in the order given or in reverse, each `copies`
        times. UnknownMessageError."""
        with self._sending:
            with self._lock:
                waiting = [m.message_id for m in self._messages.values() if m.next_at is not None]
                chosen = [self._message(i) for i in (waiting if message_ids is None else message_ids)]
            ordered = reversed(chosen) if reverse else chosen
            return [(message, self._send(message)) for message in ordered for _ in range(copies)]

    def drop(self, message_ids: Iterable[str] | None = None) -> int:
        """Lose these messages, or all that wait: they are never sent by themselves. UnknownMessageError."""
        with self._lock:
            lost = [self._message(i) for i in message_ids] if message_ids is not None else self.messages()
            waiting = [message for message in lost if message.next_at is not None]
            for message in waiting:
                self._messages[message.message_id] = replace(message, next_at=None)
            return len(waiting)

    def redeliver(self, message_id: str) -> int | None:
        """Send a message again as Dynamic does by hand, days later if need be. UnknownMessageError."""
        with self._sending:
            with self._lock:
                message = self._message(message_id)
            return self._send(message, redelivery=True)

    def _queue(self, event: Event) -> None:
        for hook in self._hooks.values():
            if hook.is_enabled and (not hook.events or event.name in hook.events):
                self._enqueue(hook, event)

    def _enqueue(self, hook: Webhook, event: Event) -> None:
        message = Message(str(uuid.uuid4()), hook.webhook_id, event, next_at=event.at)
        self._messages[message.message_id] = message
        self.due.set()

    def _message(self, message_id: str) -> Message:
        if message_id not in self._messages:
            raise UnknownMessageError("no such message")
        return self._messages[message_id]

    def _send(self, message: Message, *, redelivery: bool = False) -> int | None:
        """Outside the emulator's lock: the receiver may call the emulator before it answers."""
        hook = self._hooks.get(message.webhook_id)
        if hook is None:  # forgotten meanwhile
            return None
        body = message_body(
            message.event.envelope(self._journal.environment_id), message.message_id, hook.webhook_id, redelivery
        )
        headers = {"Content-Type": "application/json", "x-dynamic-signature-256": signature(body, hook.secret)}
        status = self.transport(hook.url, body, headers)
        with self._lock:
            self._note(message.message_id, status)
        return status

    def _note(self, message_id: str, status: int | None) -> None:
        message = self._messages.get(message_id)
        if message is None:
            return
        attempts, next_at = message.attempts + 1, None
        if (status is None or not 200 <= status < 300) and message.next_at is not None:
            if attempts <= len(self.schedule):
                next_at = self._clock() + self.schedule[attempts - 1]
            else:
                self._hooks[message.webhook_id] = replace(self._hooks[message.webhook_id], is_enabled=False)
        self._messages[message_id] = replace(message, attempts=attempts, status=status, next_at=next_at)


def new_secret() -> str:
    """A webhook's secret, of the form that Dynamic gives them."""
    return "dyn_" + secrets.token_hex(28)
