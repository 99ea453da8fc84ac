"""The keyring of one process: how old its knowledge may be, who reads, and what holds while the database is away."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event, Semaphore
from typing import get_args

import pytest

from bridge.errors import Refused, SealBroken, Unavailable
from bridge.jose import SigningKey, generate_signing_key, signing_key
from bridge.keylife import READ_AGAIN, READ_FIRST, KeyLife
from bridge.model import SigningAlgorithm
from bridge.reasons import Reason
from bridge.tokens.keyring import COOL_DOWN, RETRY_PAUSE, Keyring

NOW = 1_795_400_000
FIRST, SECOND, OTHER = (signing_key(alg, generate_signing_key(alg)) for alg in ("ES256", "ES256", "Ed25519"))
THREADS = 16


@dataclass
class Shelf:
    """A database of keys: what lies there, how often it was read, and whether it answers."""

    kept: list[tuple[KeyLife, SigningKey]] = field(default_factory=lambda: [active(FIRST)])
    away: Exception | None = None
    reads: int = 0
    kept_up: list[int] = field(default_factory=list)

    def load(self) -> Sequence[tuple[KeyLife, SigningKey]]:
        self.reads += 1
        if self.away is not None:
            raise self.away
        return list(self.kept)

    def keep_up(self, lives: Sequence[KeyLife], now: int) -> bool:
        assert list(lives) == [life for life, _ in self.kept]
        self.kept_up.append(now)
        return False

    def rotate(self) -> None:
        self.kept = [active(SECOND), (replace(self.kept[0][0], state="retired"), FIRST)]


def active(key: SigningKey) -> tuple[KeyLife, SigningKey]:
    return KeyLife(key.kid, key.alg, "active", NOW, NOW), key


def pending(key: SigningKey) -> tuple[KeyLife, SigningKey]:
    return KeyLife(key.kid, key.alg, "pending", NOW), key


def unavailable() -> Unavailable:
    return Unavailable(Reason.DATABASE_UNAVAILABLE, "OperationalError")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def keyring(shelf: Shelf) -> Keyring:
    return Keyring(shelf.load, shelf.keep_up, NOW)


def published(keyring: Keyring, now: int) -> list[str]:
    return [key["kid"] for key in json.loads(keyring.jwks(now))["keys"]]


def test_keys_are_read_again_after_half_a_minute(shelf: Shelf, keyring: Keyring) -> None:
    shelf.rotate()
    assert keyring.active("ES256", NOW + READ_AGAIN - 1).kid == FIRST.kid
    assert shelf.reads == 1
    assert keyring.active("ES256", NOW + READ_AGAIN).kid == SECOND.kid
    assert shelf.reads == 2
    assert keyring.active("ES256", NOW + 2 * READ_AGAIN - 1).kid == SECOND.kid
    assert shelf.reads == 2


def test_what_signs_is_published_first_and_what_verifies_is_published(shelf: Shelf, keyring: Keyring) -> None:
    shelf.kept = [pending(OTHER), (replace(active(FIRST)[0], state="retired"), FIRST), active(SECOND)]
    assert published(keyring, NOW + READ_AGAIN) == [SECOND.kid, FIRST.kid, OTHER.kid]
    for key in (FIRST, SECOND, OTHER):
        found = keyring.find(key.kid, NOW + READ_AGAIN)
        assert found is not None
        assert found.kid == key.kid


def test_a_pending_key_signs_nothing(shelf: Shelf, keyring: Keyring) -> None:
    shelf.kept.append(pending(SECOND))
    assert keyring.active("ES256", NOW + READ_AGAIN).kid == FIRST.kid
    assert published(keyring, NOW + READ_AGAIN) == [FIRST.kid, SECOND.kid]


def test_a_process_that_was_frozen_reads_before_it_signs(shelf: Shelf, keyring: Keyring) -> None:
    shelf.rotate()
    assert keyring.active("ES256", NOW + 600).kid == SECOND.kid


def test_a_clock_that_was_set_back_makes_no_knowledge_new(shelf: Shelf, keyring: Keyring) -> None:
    shelf.rotate()
    assert keyring.active("ES256", NOW - 86400).kid == SECOND.kid
    assert keyring.active("ES256", NOW - 86400 + 1).kid == SECOND.kid
    assert shelf.reads == 2


def test_due_steps_are_looked_for_at_each_reading_and_only_then(shelf: Shelf, keyring: Keyring) -> None:
    for seconds in (0, READ_AGAIN - 1, READ_AGAIN, READ_AGAIN + 1, 2 * READ_AGAIN):
        keyring.jwks(NOW + seconds)
    assert shelf.kept_up == [NOW + READ_AGAIN, NOW + 2 * READ_AGAIN]


def test_a_step_is_seen_by_the_request_that_took_it() -> None:
    shelf = Shelf()

    def keep_up(lives: Sequence[KeyLife], now: int) -> bool:
        shelf.kept.append(pending(SECOND))
        return True

    keyring = Keyring(shelf.load, keep_up, NOW)
    assert published(keyring, NOW + READ_AGAIN) == [FIRST.kid, SECOND.kid]


def test_a_step_that_fails_stops_no_request() -> None:
    shelf = Shelf()

    def keep_up(lives: Sequence[KeyLife], now: int) -> bool:
        raise unavailable()

    keyring = Keyring(shelf.load, keep_up, NOW)
    assert keyring.active("ES256", NOW + READ_AGAIN).kid == FIRST.kid
    assert keyring.active("ES256", NOW + 2 * READ_AGAIN).kid == FIRST.kid


@pytest.mark.parametrize("away", [unavailable(), SealBroken()])
def test_while_the_database_is_away_keys_verify_and_are_published_but_soon_sign_no_more(
    shelf: Shelf, keyring: Keyring, away: Exception
) -> None:
    shelf.away = away
    assert keyring.active("ES256", NOW + READ_FIRST - 1).kid == FIRST.kid
    for seconds in (READ_FIRST, 600, 86400):
        with pytest.raises(Unavailable):
            keyring.active("ES256", NOW + seconds)
        assert keyring.find(FIRST.kid, NOW + seconds) is not None
        assert published(keyring, NOW + seconds) == [FIRST.kid]
    assert shelf.kept_up == []
    shelf.away = None
    shelf.rotate()
    assert keyring.active("ES256", NOW + 86400 + RETRY_PAUSE).kid == SECOND.kid


def test_a_failed_reading_is_not_tried_by_every_request(shelf: Shelf, keyring: Keyring) -> None:
    shelf.away = unavailable()
    for seconds in range(600, 600 + RETRY_PAUSE):
        keyring.jwks(NOW + seconds)
        keyring.find("unknown", NOW + seconds)
    assert shelf.reads == 2
    keyring.jwks(NOW + 600 + RETRY_PAUSE)
    assert shelf.reads == 3


def test_an_unknown_kid_is_looked_for_once_per_cool_down(shelf: Shelf, keyring: Keyring) -> None:
    assert keyring.find(SECOND.kid, NOW) is None
    assert shelf.reads == 2
    shelf.rotate()
    for _ in range(1000):  # whoever sends junk makes nobody else pay
        assert keyring.find("unknown", NOW + 1) is None
    assert keyring.find(SECOND.kid, NOW + COOL_DOWN - 1) is None
    assert shelf.reads == 2


def test_a_key_of_a_faster_instance_is_found_at_once(shelf: Shelf, keyring: Keyring) -> None:
    shelf.rotate()
    assert keyring.find(SECOND.kid, NOW) is not None
    assert keyring.active("ES256", NOW).kid == SECOND.kid


class SlowShelf(Shelf):
    """A database that answers when told to, from the second time on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answer = Event(), Event()

    def load(self) -> Sequence[tuple[KeyLife, SigningKey]]:
        if self.reads > 0:
            self.asked.set()
            assert self.answer.wait(timeout=30)
        return super().load()


def test_while_one_thread_reads_the_others_use_what_is_there() -> None:
    shelf = SlowShelf()
    keyring = Keyring(shelf.load, shelf.keep_up, NOW)
    shelf.rotate()
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(keyring.active, "ES256", NOW + READ_AGAIN)
        assert shelf.asked.wait(timeout=30)
        assert keyring.active("ES256", NOW + READ_FIRST - 1).kid == FIRST.kid
        shelf.answer.set()
        assert reader.result(timeout=30).kid == SECOND.kid
    assert shelf.reads == 2


@pytest.mark.parametrize("away", [None, unavailable()])
def test_of_sixteen_threads_with_old_knowledge_one_reads_and_all_wait(away: Exception | None) -> None:
    shelf = SlowShelf()
    keyring = Keyring(shelf.load, shelf.keep_up, NOW)
    shelf.rotate()
    shelf.away = away
    come = Semaphore(0)

    def sign() -> str | None:
        come.release()
        try:
            return keyring.active("ES256", NOW + READ_FIRST).kid
        except Unavailable:
            return None

    with ThreadPoolExecutor(THREADS) as pool:
        signed = [pool.submit(sign) for _ in range(THREADS)]
        for _ in range(THREADS):
            assert come.acquire(timeout=30)
        assert shelf.asked.wait(timeout=30)
        shelf.answer.set()
        signed_by = {future.result(timeout=30) for future in signed}
    assert signed_by == ({SECOND.kid} if away is None else {None})
    assert shelf.reads == 2


def test_the_algorithms_are_those_that_sign() -> None:
    kept = [active(signing_key(alg, generate_signing_key(alg))) for alg in reversed(get_args(SigningAlgorithm))]
    shelf = Shelf([*kept, pending(SECOND)])
    assert Keyring(shelf.load, shelf.keep_up, NOW).algorithms == get_args(SigningAlgorithm)


def test_a_token_is_genuine_for_as_long_as_its_key_is_among_ours(shelf: Shelf, keyring: Keyring) -> None:
    shelf.kept.append(active(OTHER))
    token = FIRST.sign({"sub": "s"}, "JWT")
    for _ in range(2):
        assert keyring.genuine(token, NOW).payload == {"sub": "s"}
    shelf.kept = [active(SECOND)]  # the key was withdrawn
    with pytest.raises(Refused):
        keyring.genuine(token, NOW + READ_AGAIN)


def test_a_genuine_token_vouches_for_no_other_spelling_of_it(keyring: Keyring) -> None:
    token = FIRST.sign({"sub": "s"}, "JWT")
    keyring.genuine(token, NOW)
    head, body, signature = token.split(".")
    for other in (
        f"{head}.{body}.{signature[:-2]}AA",
        f"{head}.{body}.{'A' * len(signature)}",
        f"{token}A",
        f" {token}",
    ):
        with pytest.raises(Refused):
            keyring.genuine(other, NOW)


def test_only_so_many_genuine_tokens_are_remembered(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.tokens.keyring.REMEMBERED", 3)
    for number in range(7):
        keyring.genuine(FIRST.sign({"sub": str(number)}, "JWT"), NOW)
        assert len(keyring._held.genuine) <= 3
