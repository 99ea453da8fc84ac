"""Log lines: one JSON object each, and no secret in any of them, whoever wrote it."""

import json
import logging
import re
import traceback

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_SECRETS = re.compile(
    r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}"  # a JWT, or the beginning of one
    r"|dob_[a-z]+_[A-Za-z0-9_-]+"  # what we hand out
    r"|dyn_[A-Za-z0-9_-]+"  # Dynamic's API tokens
    r"|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|(?i:[a-z_]*(?:secret|token|password|code)=)[^\s&\"']+"
)


def redacted(text: str) -> str:
    """The text without anything that looks like a token, a secret or a credential."""
    return _SECRETS.sub("[redacted]", text)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, redacted as a whole: message, extras and traceback alike."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the record holds: JSON escapes what could begin another (log injection)."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **{name: value for name, value in record.__dict__.items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return redacted(json.dumps(line, default=str))


def set_up(level: str) -> None:
    """Send every log of this process to stderr through the formatter."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("authlib", "urllib3", "werkzeug", "sqlalchemy", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # their debug logs hold tokens and parameters
