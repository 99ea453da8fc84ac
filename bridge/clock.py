"""The only reader of the wall clock. Everything else is handed `now`, read once per request."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Seconds since the Unix epoch, UTC."""

CLOCKS_DIFFER = 60
"""Seconds by which the clocks of two servers may differ, or one may be set back, with no harm done."""


def system_clock() -> int:
    """The present moment, in whole seconds."""
    return int(time.time())
