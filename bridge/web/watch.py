"""What is told of each request: one line in the log, and a few counts. Both doors begin and end here.

A line takes some ten microseconds: its values are safe by what they are (our own words, numbers, ids of a fixed form),
so that only what comes from elsewhere, an address and a refusal's detail, has to be looked through for secrets.
"""

import logging
import re
import secrets
from collections.abc import Callable
from time import perf_counter
from typing import Any

from bridge.logs import redacted, write_plain
from bridge.oauth.notes import Notes

REQUEST_ID = "X-Request-Id"
NOTES = "bridge.notes"  # where WSGI's environ has them
QUIET = frozenset({"healthz", "readyz", "metrics"})
"""Asked every few seconds by machines of the operator's: told at DEBUG alone."""

log = logging.getLogger("bridge.requests")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_GIVEN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{0,45}")

Count = Callable[[Notes, int, float], None]
"""Counts a request by its status and the seconds that it took (web/counts.py)."""


class Watch:
    """Sees each request in and out. `count`: None where nobody asks for metrics.

    `behind_proxy`: one of ours stands before this server, and X-Request-Id is its word; a client's own is not taken.
    """

    def __init__(self, count: Count | None, *, behind_proxy: bool) -> None:
        self._count = count
        self._behind_proxy = behind_proxy

    def begin(self, method: str, peer: str, given_id: str | None, traceparent: str | None) -> Notes:
        """A request has come. `traceparent`: as W3C Trace Context has it; nothing is kept of a malformed one."""
        notes = Notes(method=method, peer=peer, began=perf_counter())
        known = self._behind_proxy and given_id is not None and _may_be_told(given_id)
        notes.request_id = str(given_id) if known else secrets.token_hex(8)
        if traceparent is not None:
            notes.trace_id = _trace_id(traceparent)
        return notes

    def end(self, notes: Notes, status: int) -> None:
        """It was answered."""
        seconds = perf_counter() - notes.began
        if self._count is not None:
            self._count(notes, status, seconds)
        level = logging.DEBUG if notes.endpoint in QUIET else logging.WARNING if status >= 500 else logging.INFO
        if log.isEnabledFor(level):
            write_plain(log, level, "request", _told(notes, status, seconds))


def _may_be_told(given_id: str) -> bool:
    return _GIVEN_ID.fullmatch(given_id) is not None and redacted(given_id) == given_id


def _trace_id(traceparent: str) -> str | None:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (found[2] is not None and traceparent.startswith("00")):  # version 00 ends there
        return None
    return found[1]


def _told(notes: Notes, status: int, seconds: float) -> dict[str, Any]:
    method, peer = notes.method, notes.peer
    told: dict[str, Any] = {
        "request_id": notes.request_id,
        "method": method if method in _METHODS else "other",
        "endpoint": notes.endpoint,
        "status": status,
        "ms": round(seconds * 1000, 2),
        "peer": peer if _ADDRESS.fullmatch(peer) else redacted(peer)[:64],
    }
    if notes.trace_id is not None:
        told["trace_id"] = notes.trace_id
    if notes.client_id is not None:
        told["client_id"] = notes.client_id
    if notes.grant_type is not None:
        told["grant_type"] = notes.grant_type
    why = notes.why
    if why is not None:
        told["reason"] = why.reason.code
        if why.detail:
            told["detail"] = redacted(why.detail)
    return told
