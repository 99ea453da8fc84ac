"""A minute of every kind of honest use at once. `make soak` is the same for ten."""

from pathlib import Path

import pytest
from soaking import soak, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.both_databases]

KINDS = {"exchange", "refresh", "userinfo", "sign-in", "logout", "webhook", "/introspect", "/revoke"}


def test_nobody_is_turned_away_nothing_is_lost_and_no_memory_grows(
    tmp_path: Path, backend: str, database_url: str
) -> None:
    ledger = soak(tmp_path, seconds=60, database_url=database_url if backend == "postgresql" else None)
    assert ledger.wrong == [], told(ledger)
    assert {what for (what, status), count in ledger.answers.items() if status == 200 and count > 10} >= KINDS
