"""One message on its way: its bytes, their signature, and the POST, which goes to this machine alone."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from bridge.emulator.loopback import is_loopback

TIMEOUT = 5.0  # seconds; Dynamic's own is not published

Transport = Callable[[str, bytes, Mapping[str, str]], int | None]
"""Posts a body with headers to a URL: the answer's status, or None if there was no answer."""


def check_url(url: str) -> None:
    """ValueError unless this is an http URL of this machine, without user information or fragment."""
    parts = urlsplit(url)
    plain = url.isascii() and url.isprintable() and " " not in url and "#" not in url and "@" not in parts.netloc
    if parts.scheme != "http" or not plain or not is_loopback(parts.hostname or ""):
        raise ValueError("a webhook's URL is http, and of this machine")


def message_body(envelope: Mapping[str, Any], message_id: str, webhook_id: str, redelivery: bool) -> bytes:
    """The message as it is sent: compact JSON, as JavaScript writes it."""
    members = {"messageId": message_id, "webhookId": webhook_id, **envelope, "redelivery": redelivery}
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def signature(body: bytes, secret: str) -> str:
    """The value of x-dynamic-signature-256: HMAC-SHA256 over the body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
    """The status of the answer; None if there was none in time."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body=body, headers=dict(headers))
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
