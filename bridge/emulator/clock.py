"""Time, as the emulator takes it and as Dynamic writes it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Answers the time now: whole seconds since 1970, UTC."""


def system_clock() -> int:
    """The machine's time. Nothing else in this package reads it."""
    return int(time.time())


def iso(at: int) -> str:
    """`at` (Unix seconds) as Dynamic writes instants: ISO 8601 in UTC, with milliseconds and a Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
