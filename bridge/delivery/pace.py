"""When to try again, and when to stop trying."""

FIRST = 5  # seconds after the first failure
PROBES = 120  # seconds between probes of a receiver at most: it hears of everything soon after it is back
LONGEST_RETRY_AFTER = 3600  # seconds that a receiver may ask to be left alone
ALONE = 3600  # seconds between attempts at most for a message that fails where others do not
PATIENCE = 3 * 86400  # seconds that a receiver may be away before what waits for it is given up
REFUSALS = 12  # attempts at what a receiver refuses: some two hours and a half
ATTEMPTS = 84  # attempts at a message that fails where others do not: some three days
STRAY = 3  # failures more than its receiver's that a message may have without being at fault: a carrier may have died


def delay(failures: int, chance: float, *, longest: int) -> int:
    """Seconds until the next attempt after so many failures.

    Twice as long each time, up to `longest`; `chance`, from 0 to 1, spreads it by a fifth either way, so that what
    failed together does not come back together.
    """
    full = min(longest, FIRST << min(max(failures, 1) - 1, 16))
    return max(1, round(full * (0.8 + 0.4 * chance)))


def is_its_own_trouble(attempts: int, failures: int) -> bool:
    """Whether a message has failed clearly more often than its receiver did."""
    return attempts > failures + STRAY
