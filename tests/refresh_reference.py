"""What becomes of a family of refresh tokens, told a second time and from the decision's words alone.

    Presenting T (by its own client, the grant being open):
    (1) unspent: it is spent, and its successor issued;
    (2) spent at most `grace` ago: the newest token, even if the direct successor was used meanwhile (0: never);
    (3) later, but the direct successor was never used, by a confidential client, at most `retry` ago: that successor;
    (4) else the grant is closed.
    Presented by another client: refused, and nothing changes.

Knows no database and no cryptography: a token is its place in the family.
"""

from dataclasses import dataclass, field

from bridge.model import Client

KEPT_AFTER_EXPIRY = 7200

INVALID, ENDED, EXPIRED, REUSED = (
    "refresh_token_invalid",
    "grant_ended",
    "refresh_token_expired",
    "refresh_token_reused",
)

Outcome = int | str
"""The place of the token that a presentation leads to, or the reason why it is refused."""


@dataclass
class Handle:
    """A token of a family."""

    expires_at: int
    spent_at: int | None = None
    forgotten: bool = False


@dataclass
class Family:
    """A grant and its tokens, in the order in which they were issued."""

    client: Client
    opened_at: int
    ends_at: int
    handles: list[Handle] = field(default_factory=list)
    closed: bool = False
    taken_back_at: int | None = None
    forgotten: bool = False

    def __post_init__(self) -> None:
        self._issue(self.opened_at)

    def present(self, place: int, now: int) -> Outcome:
        """What its own client gets for the token at a place."""
        handle = self.handles[place]
        if handle.forgotten:
            return INVALID
        if self.is_over(now):
            return ENDED
        if self.handles[-1].forgotten:
            return EXPIRED
        if handle.spent_at is None:
            return EXPIRED if handle.expires_at <= now else self._move(handle, now)
        age = now - handle.spent_at
        if self.client.refresh_grace > 0 and age <= self.client.refresh_grace:
            return self._led_from(place, now)
        may_retry = (
            not self.client.public and self.client.refresh_retry_ttl > 0 and age <= self.client.refresh_retry_ttl
        )
        if may_retry and not self.was_followed(place):
            return self._led_from(place, now)
        self.closed = True
        return REUSED

    def was_followed(self, place: int) -> bool:
        """Whether the successor of a token was used."""
        return place + 1 < len(self.handles) and self.handles[place + 1].spent_at is not None

    def is_over(self, now: int) -> bool:
        taken_back = self.taken_back_at is not None and self.opened_at <= self.taken_back_at
        return self.closed or taken_back or now >= self.ends_at

    def close(self) -> None:
        self.closed = True

    def take_back(self, now: int) -> None:
        """Its user is signed out: it ends, and stays so."""
        self.closed = self.closed or (not self.forgotten and now < self.ends_at)
        self.taken_back_at = max(now, self.taken_back_at or now)

    def sweep(self, now: int) -> None:
        self.forgotten = self.forgotten or self.ends_at < now - KEPT_AFTER_EXPIRY
        for handle in self.handles:
            handle.forgotten = handle.forgotten or handle.expires_at < now - KEPT_AFTER_EXPIRY

    def _move(self, handle: Handle, now: int) -> Outcome:
        if not self.client.refresh_rotation and not self.client.public:
            handle.expires_at = self._idle_at(now)
            return self.handles.index(handle)
        handle.spent_at = now
        self._issue(now)
        return len(self.handles) - 1

    def _led_from(self, place: int, now: int) -> Outcome:
        broken = any(handle.forgotten for handle in self.handles[place:])
        return EXPIRED if broken or self.handles[-1].expires_at <= now else len(self.handles) - 1

    def _issue(self, now: int) -> None:
        self.handles.append(Handle(self._idle_at(now)))

    def _idle_at(self, now: int) -> int:
        return min(now + self.client.refresh_idle_ttl, self.ends_at)
