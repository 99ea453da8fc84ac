"""Log lines: one JSON object each, and no secret in any of them, whoever wrote it."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_REDACTED = "[redacted]"
_ENCODE = json.JSONEncoder().encode
_SECRET_NAME = (
    r"(?:secret|token|password|assertion|verifier|code|cookie|proof|seal|session|request_uri|authorization)(?:_keys?)?"
)
_SECRET_NAMES = re.compile(rf"{_SECRET_NAME}$", re.IGNORECASE)
_SECRETS = re.compile(
    r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}"  # a JWT, or the beginning of one
    r"|dob_[a-z]+_[A-Za-z0-9_-]+"  # what we hand out
    r"|bridge-(?:browser|session)-[a-z0-9]+=[^;\s]+"  # our cookies
    r"|dyn_[A-Za-z0-9_-]+"  # Dynamic's API tokens
    r"|(?i:(?:authorization:\s*)?(?:bearer|basic))\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password of a URL
    rf"|(?i:{_SECRET_NAME}['\"]?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s&\"',}}]+)"  # name=value, "name": "value"
)


def redacted(text: str) -> str:
    """The text without anything that looks like a token, a secret or a credential."""
    return _SECRETS.sub(_REDACTED, text)


class _Plain(logging.LogRecord):
    """A record whose fields were made safe by whoever wrote it, which saves looking through them."""

    fields: Mapping[str, Any]


def write_plain(log: logging.Logger, level: int, event: str, fields: Mapping[str, Any]) -> None:
    """Log values that are known to hold no secret: numbers, our own words, and what was redacted already.

    `log` has been asked whether the level is on.
    """
    record = _Plain(log.name, level, "", 0, event, None, None)
    record.fields = fields
    log.handle(record)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, every text of it redacted: message, extras by name and by look, traceback."""

    def __init__(self) -> None:
        super().__init__()
        self._moment = (0, "")

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the record holds: JSON escapes what could begin another (log injection)."""
        if type(record) is _Plain:
            name, level = record.name, record.levelname.lower()
            line = {"time": self._at(record), "level": level, "logger": name, "event": record.msg, **record.fields}
            return _ENCODE(line)
        line = {
            "time": self._at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redacted(record.getMessage()),
            **_clean({name: value for name, value in record.__dict__.items() if name not in _STANDARD}),
        }
        if record.exc_info:
            line["traceback"] = redacted("".join(traceback.format_exception(*record.exc_info)))
        return _ENCODE(line)

    def _at(self, record: logging.LogRecord) -> str:
        """The second of a record; many fall into one."""
        second, text = self._moment
        if int(record.created) != second:
            text = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
            self._moment = (int(record.created), text)
        return text


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            str(name): _REDACTED if _SECRET_NAMES.search(str(name)) else _clean(item) for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redacted(str(value))


def print_audit(entries: Iterable[Mapping[str, Any]]) -> None:
    """Entries of the audit log on stdout, a line of JSON each; written at once, so that no other comes in between."""
    lines = (json.dumps({"log": "audit", **entry}) for entry in entries)
    try:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    except (OSError, ValueError) as error:  # nobody reads any more: what they tell of has happened all the same
        logging.getLogger(__name__).warning("audit lines lost", extra={"cause": type(error).__name__})


def set_up(level: str) -> None:
    """Send every log of this process to stderr through the formatter."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("authlib", "urllib3", "werkzeug", "sqlalchemy", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # their debug logs hold tokens and parameters
