"""What a stranger's value must look like before it may become a claim. Each returns the value, or None."""

import json
import re
from datetime import datetime
from typing import Any

from bridge.jose.parse import within_depth

_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]{1,256}")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_HTTPS = re.compile(
    r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#][\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*)?"
)
_USER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SESSION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MAX_MAPPED_CHARACTERS = 4096


def user_id(value: object) -> str | None:
    """A user's id at Dynamic. Lower-case UUIDs only: one person, one spelling; and never mistaken for a client_id."""
    return value if isinstance(value, str) and _USER_ID.fullmatch(value) else None


def session_id(value: object) -> str | None:
    """A session's id at Dynamic."""
    return value if isinstance(value, str) and _SESSION_ID.fullmatch(value) else None


def line(value: object) -> str | None:
    """A line of text: at most 256 characters without control, direction-changing or surrogate characters."""
    return value if isinstance(value, str) and _PRINTABLE.fullmatch(value) else None


def email(value: object) -> str | None:
    """An e-mail address in ASCII: nothing that a mail header or a look-alike of @ could hide in."""
    return value if isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value) else None


def phone(country_code: object, number: object) -> str | None:
    """A telephone number in E.164, with its plus."""
    joined = f"+{str(country_code).removeprefix('+')}{number}"
    return joined if _E164.fullmatch(joined) else None


def https_url(value: object) -> str | None:
    """An https URL without user info, of at most 2,048 characters."""
    return value if isinstance(value, str) and len(value) <= 2048 and _HTTPS.fullmatch(value) else None


def moment(value: object) -> int | None:
    """An ISO 8601 time with zone as seconds since the epoch."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return int(parsed.timestamp()) if parsed.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def is_of_type(value: Any, wanted: str) -> bool:
    """Whether a mapped value is of the rule's type, encodes as UTF-8, and is at most 4,096 characters as JSON."""
    types: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "list": list,
        "object": dict,
    }
    if not isinstance(value, types[wanted]) or (isinstance(value, bool) and wanted != "boolean"):
        return False
    try:
        encoded = json.dumps(value, ensure_ascii=False, allow_nan=False)
        encoded.encode("utf-8")  # a lone surrogate fails here, not in the database
    except (ValueError, RecursionError):
        return False
    return len(encoded) <= _MAX_MAPPED_CHARACTERS and "\\u0000" not in encoded and within_depth(value)
