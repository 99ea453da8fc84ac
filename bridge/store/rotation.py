"""What keeps the signing keys moving: their making, their steps when due, their early end. Safe on many instances."""

import logging
from collections.abc import Sequence

from bridge.history import BRIDGE, AuditEntry, Event
from bridge.jose import SigningKey, signing_key
from bridge.keylife import KEY_STATES, KeyLife, Step, steps
from bridge.model import SIGNING_ALGORITHMS
from bridge.store import audit, keys
from bridge.store.database import Database, Tx
from bridge.store.seal import Sealer

log = logging.getLogger(__name__)


class _TakenByAnother(Exception):
    """Another instance has taken the step; what this one did of it is rolled back."""


class Rotation:
    """The signing keys of one database. `interval`: seconds between rotations, 0 if only by command."""

    def __init__(self, database: Database, sealer: Sealer, *, interval: int) -> None:
        self._database = database
        self._sealer = sealer
        self._interval = interval
        self._opened: dict[str, SigningKey] = {}

    def make_missing(self, now: int) -> None:
        """One active key for each algorithm; whoever comes second finds it there. Raises Unavailable."""
        present = {life.alg for life in self.lives() if life.state == "active"}
        made = [keys.new_key(alg, self._sealer) for alg in SIGNING_ALGORITHMS if alg not in present]
        if made:
            with self._database.writing() as tx:
                for new in made:
                    if keys.add_active(tx, new, now):
                        _record(tx, Event.KEY_ADDED, actor=BRIDGE, now=now, kid=new.kid, alg=new.alg)

    def lives(self) -> list[KeyLife]:
        """Where every key stands. Raises Unavailable."""
        with self._database.reading() as tx:
            return [life for life, _ in keys.every(tx)]

    def load(self) -> Sequence[tuple[KeyLife, SigningKey]]:
        """Every key, ready to sign. One small statement; a key is unsealed and parsed when it is first seen.

        Raises SealBroken if one was sealed under other secret keys, and Unavailable. One thread at a time.
        """
        with self._database.reading() as tx:
            rows = keys.every(tx)
        rows = [(life, sealed) for life, sealed in rows if _is_known(life)]
        self._opened = {life.kid: self._opened.get(life.kid) or self._open(life, sealed) for life, sealed in rows}
        return [(life, self._opened[life.kid]) for life, _ in rows]

    def keep_up(self, lives: Sequence[KeyLife], now: int) -> bool:
        """Take every step that is due; whether anything may have changed. Raises Unavailable.

        Each step is a transaction of its own, and harmless if others take it at the same moment.
        """
        due = [step for step in steps(lives, self._interval) if step.what != "retire" and step.at <= now]
        for step in due:
            if self._take(step, now):
                log.info("signing key", extra={"step": step.what, "kid": step.key.kid, "alg": step.key.alg})
        return bool(due)

    def prepare(self, active: KeyLife, now: int, *, actor: str) -> bool:
        """A pending key to follow an active one; False if there is one, or it is active no more. Raises Unavailable."""
        new = keys.new_key(active.alg, self._sealer)
        with self._database.writing() as tx:
            added = keys.add_successor(tx, new, active.kid, now)
            if added:
                _record(tx, Event.KEY_ADDED, actor=actor, now=now, kid=new.kid, alg=new.alg)
        return added

    def withdraw(self, life: KeyLife, now: int, *, actor: str) -> tuple[KeyLife, str | None] | None:
        """As keys.withdraw. Raises Unavailable."""
        spare = keys.new_key(life.alg, self._sealer)
        with self._database.writing() as tx:
            withdrawn = keys.withdraw(tx, life.kid, spare, now)
            if withdrawn is not None:
                _record(
                    tx, Event.KEY_WITHDRAWN, actor=actor, now=now, kid=life.kid, alg=life.alg, successor=withdrawn[1]
                )
        return withdrawn

    def _open(self, life: KeyLife, sealed: str) -> SigningKey:
        return signing_key(life.alg, self._sealer.open(sealed))

    def _take(self, step: Step, now: int) -> bool:
        if step.what == "prepare":
            return self.prepare(step.key, now, actor=BRIDGE)
        if step.what == "remove":
            with self._database.writing() as tx:
                return keys.remove(tx, step.key.kid, now)
        return self._succeed(step, now)

    def _succeed(self, step: Step, now: int) -> bool:
        try:
            with self._database.writing() as tx:
                _succeed(tx, step, now)
        except _TakenByAnother:
            return False
        return True


def _is_known(life: KeyLife) -> bool:
    """Whether this version knows what the key is: a newer one may have made others already (rolling upgrades)."""
    return life.alg in SIGNING_ALGORITHMS and life.state in KEY_STATES


def _succeed(tx: Tx, step: Step, now: int) -> None:
    """The pending key takes the active one's place: both statements count one row, or nothing happened.

    The old key comes first: whoever else is at it waits there for the first one's commit, and then finds no row.
    """
    if step.other is None or not keys.retire(tx, step.other.kid, now) or not keys.activate(tx, step.key.kid, now):
        raise _TakenByAnother
    _record(tx, Event.KEY_ACTIVATED, actor=BRIDGE, now=now, kid=step.key.kid, alg=step.key.alg, retired=step.other.kid)


def _record(tx: Tx, event: Event, *, actor: str, now: int, **detail: str | None) -> None:
    audit.record(tx, AuditEntry(at=now, event=event, actor=actor, detail=detail))
