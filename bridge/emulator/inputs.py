"""Checks for what comes in at the admin API: JSON from outside becomes typed values, or a BadInputError saying why."""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NoReturn

Check = Callable[[str, Any], Any]

DEEPEST = 64
LATEST = 253_402_300_799  # the last second of the year 9999, the last one that ISO 8601 writes in four digits


class BadInputError(ValueError):
    """What was sent is not what is taken; the message is for the sender."""


def body_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in a request's body; an empty body is an empty object. BadInputError."""
    if not raw:
        return {}
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadInputError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise BadInputError("the body must be a JSON object")
    if _is_deep(value):
        raise BadInputError(f"the body nests deeper than {DEEPEST} levels")
    return value


def members(value: Mapping[str, Any], checks: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Each member as its check returns it. BadInputError on one without a check, a missing one, or a wrong one."""
    unknown = sorted(set(value) - set(checks))
    if unknown:
        raise BadInputError(f"unknown: {', '.join(unknown)}; there are: {', '.join(checks)}")
    missing = [name for name in required if name not in value]
    if missing:
        raise BadInputError(f"missing: {', '.join(missing)}")
    return {name: checks[name](name, given) for name, given in value.items()}


def text(name: str, value: Any) -> str:
    """A string."""
    return value if isinstance(value, str) else wrong(name, "a string")


def texts_of(body: Mapping[str, Any], *names: str) -> list[str]:
    """These members, all of them strings; there may be others."""
    return [text(name, body.get(name)) for name in names]


def texts(name: str, value: Any) -> list[str]:
    """A list of strings."""
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return value
    return wrong(name, "a list of strings")


def flag(name: str, value: Any) -> bool:
    """True or false."""
    return value if isinstance(value, bool) else wrong(name, "true or false")


def mapping(name: str, value: Any) -> dict[str, Any]:
    """A JSON object."""
    return value if isinstance(value, dict) else wrong(name, "an object")


def number(name: str, value: Any) -> float:
    """A number; a fault checks its range."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else wrong(name, "a number")


def whole(name: str, value: Any) -> int:
    """A whole number of at most 53 bits, which is what JSON can carry."""
    if type(value) is int and abs(value) < 2**53:
        return value
    return wrong(name, "a whole number")


def instant(name: str, value: Any) -> int:
    """Unix seconds."""
    at = whole(name, value)
    return at if 0 <= at <= LATEST else wrong(name, "Unix seconds")


def one_of(kind: type[StrEnum]) -> Check:
    """A member of an enumeration."""

    def check(name: str, value: Any) -> StrEnum:
        allowed = [member.value for member in kind]
        return kind(value) if isinstance(value, str) and value in allowed else wrong(name, f"of {', '.join(allowed)}")

    return check


def optional(check: Check) -> Check:
    """What `check` takes, or null."""
    return lambda name, value: None if value is None else check(name, value)


def list_of(build: Callable[[dict[str, Any]], Any]) -> Check:
    """A list of objects, each built into a value."""

    def check(name: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            wrong(name, "a list of objects")
        return [build(mapping(name, entry)) for entry in value]

    return check


def wrong(name: str, wanted: str) -> NoReturn:
    """Refuse a member for not being what is wanted."""
    raise BadInputError(f"{name} must be {wanted}")


def _no_constant(_constant: str) -> NoReturn:
    raise BadInputError("the body is not JSON")


def _is_deep(value: object) -> bool:
    """Whether lists and objects nest deeper than we can copy and write again."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
