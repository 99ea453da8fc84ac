"""What several endpoints answer with: a JSON document that nobody keeps; and what the log says of a refusal."""

import logging
import secrets
from collections.abc import Mapping

from flask import Response, jsonify, request

from bridge.errors import NotServed, Unavailable

log = logging.getLogger(__name__)


def uncached(document: Mapping[str, object], status: int) -> Response:
    """A JSON document of this moment."""
    response = jsonify(document)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def log_refusal(why: NotServed) -> str:
    """Log why the answer is no; the id under which the caller can ask about it."""
    request_id = secrets.token_hex(8)
    level = logging.WARNING if isinstance(why, Unavailable) else logging.INFO
    log.log(
        level,
        "unavailable" if isinstance(why, Unavailable) else "refused",
        extra={
            "request_id": request_id,
            "path": request.path,
            "reason": why.reason.code,
            "detail": why.detail,
            "peer": request.remote_addr,
        },
    )
    return request_id
