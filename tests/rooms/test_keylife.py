"""The rules of a signing key's life: what is due when, one second before and after each boundary."""

import pytest

from bridge.keylife import (
    JWKS_MAX_AGE,
    KEPT,
    LEAD,
    LONGEST_TOKEN,
    MARGIN,
    READ_AGAIN,
    READ_FIRST,
    SHORTEST_ROTATION,
    KeyLife,
    steps,
)

NOW = 1_795_400_000
ROTATION = 7_776_000
ACTIVE = KeyLife("a", "RS256", "active", NOW - 100, activated_at=NOW)
PENDING = KeyLife("p", "RS256", "pending", NOW)
RETIRED = KeyLife("r", "RS256", "retired", NOW - 200, NOW - 150, retired_at=NOW, published_until=NOW + KEPT)


def test_a_key_signs_after_the_last_document_without_it_is_forgotten_everywhere() -> None:
    last_document_without_it = READ_FIRST - 1  # seconds after it was made, by the instance that reads last
    assert last_document_without_it + JWKS_MAX_AGE + MARGIN < LEAD
    assert LEAD < SHORTEST_ROTATION


def test_a_key_stays_until_the_last_token_of_the_last_instance_to_notice_has_expired() -> None:
    last_signature = READ_FIRST - 1  # seconds after it was retired
    assert last_signature + LONGEST_TOKEN + MARGIN < KEPT
    assert READ_AGAIN < READ_FIRST


@pytest.mark.parametrize(
    ("keys", "rotation", "expected"),
    [
        ([ACTIVE], ROTATION, {("prepare", "a", NOW + ROTATION)}),  # counted from its first signature
        ([ACTIVE], 0, set()),
        ([ACTIVE, PENDING], ROTATION, {("sign", "p", NOW + LEAD), ("retire", "a", NOW + LEAD)}),
        ([ACTIVE, PENDING], 0, {("sign", "p", NOW + LEAD), ("retire", "a", NOW + LEAD)}),
        ([ACTIVE, RETIRED], 0, {("remove", "r", NOW + KEPT)}),
        ([PENDING], ROTATION, set()),  # nothing to succeed: the next start makes an active key
        ([ACTIVE, KeyLife("p", "ES256", "pending", NOW)], 0, set()),  # each algorithm for itself
        ([], ROTATION, set()),
    ],
)
def test_what_happens_next(keys: list[KeyLife], rotation: int, expected: set[tuple[str, str, int]]) -> None:
    assert {(step.what, step.key.kid, step.at) for step in steps(keys, rotation)} == expected


def test_a_state_began_when_the_key_came_into_it() -> None:
    assert [key.since for key in (ACTIVE, PENDING, RETIRED)] == [NOW, NOW, NOW]
