"""Moments as people read them. Pages run no script, so nobody knows the reader's time zone: near ones are relative."""

from dataclasses import dataclass
from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment for a <time> element: its words, and the same for machines."""

    words: str
    iso: str


def ago(at: int, now: int) -> Moment:
    """How long ago that was, or its day if it is longer than a week."""
    return Moment(_distance(at, max(0, now - at)), _iso(at))


def exactly(at: int) -> Moment:
    """The day and the minute, UTC."""
    time = datetime.fromtimestamp(at, UTC)
    return Moment(f"{_day(time)}, {time:%H:%M} UTC", _iso(at))


def _distance(at: int, seconds: int) -> str:
    if seconds < _MINUTE:
        return "just now"
    for unit, length, limit in (("minute", _MINUTE, _HOUR), ("hour", _HOUR, _DAY), ("day", _DAY, 7 * _DAY)):
        if seconds < limit:
            count = seconds // length
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return f"on {_day(datetime.fromtimestamp(at, UTC))}"


def _day(time: datetime) -> str:
    return f"{time.day} {_MONTHS[time.month - 1]} {time.year}"


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
