"""The setting BRIDGE_LIMITS: which of the rate limits are others than by default."""

import re
from collections.abc import Mapping

from bridge.config.settings import DEFAULT_LIMITS, Fault

OFF = "off"

_RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour)")


def limits_of(written: object, faults: list[Fault]) -> Mapping[str, str]:
    """The limits that hold, by name. `written`: a table, or "source=600/minute, user=off", or off; what it does not
    name has its default. Adds to `faults` what it does not understand.
    """
    if written == OFF:
        return {}
    said = written if isinstance(written, dict) else _listed(str(written))
    for name, rate in said.items():
        if name not in DEFAULT_LIMITS:
            faults.append(Fault(f"BRIDGE_LIMITS, {name}", "is no limit", f"Use {', '.join(DEFAULT_LIMITS)}."))
        elif rate != OFF and not _RATE.fullmatch(str(rate)):
            faults.append(Fault(f"BRIDGE_LIMITS, {name}", "is no rate", "Write it like 600/minute, or off."))
    held = {**DEFAULT_LIMITS, **said}
    return {name: rate for name, rate in held.items() if name in DEFAULT_LIMITS and rate != OFF}


def _listed(written: str) -> Mapping[str, str]:
    entries = (entry.partition("=") for entry in written.split(",") if entry.strip())
    return {name.strip(): rate.strip() for name, _, rate in entries}
