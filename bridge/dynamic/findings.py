"""What is found out about an environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about an environment: whether it works (`ok`), may surprise (`note`) or does not work (`fault`)."""

    level: Literal["ok", "note", "fault"]
    what: str
    mend: str = ""


def member(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of some settings; empty if it is none."""
    value = settings.get(name)
    return value if isinstance(value, dict) else {}
