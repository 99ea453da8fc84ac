"""Where Dynamic's webhooks arrive: a thin door, since who knocks is told by the signature alone."""

from collections.abc import Callable, Collection, Mapping

from flask import Blueprint, Response, request

from bridge.clock import Clock
from bridge.dynamic.webhooks import MAX_BODY_BYTES, PATH, SIGNATURE_HEADER
from bridge.errors import NotServed, Refused, Unavailable
from bridge.oauth.request import json_answer
from bridge.ratelimit import RateLimits
from bridge.reasons import Explained, Reason
from bridge.web.answers import response_of
from bridge.web.edge import refused

Receive = Callable[[str, bytes, str | None, int], None]
"""Takes the environment's id, the body, its signature and the time. Raises Refused, Unavailable."""

_STATUSES: Mapping[Explained, int] = {
    Reason.WEBHOOK_NOT_CONFIGURED: 404,
    Reason.WEBHOOK_SIGNATURE_INVALID: 401,
    Reason.WEBHOOK_MALFORMED: 400,
    Reason.BODY_TOO_LARGE: 413,
    Reason.TOO_MANY_REQUESTS: 429,
}


_FORGED = (Reason.WEBHOOK_NOT_CONFIGURED, Reason.WEBHOOK_SIGNATURE_INVALID, Reason.BODY_TOO_LARGE)


def hook_blueprint(receive: Receive, *, environments: Collection[str], limits: RateLimits, clock: Clock) -> Blueprint:
    """POST /webhooks/dynamic/<environment>: 200 once an event's effect is committed, also for one that has none.

    401 for a bad signature, with nothing changed; 404 where no secret is configured; 413 over 64 kB; 503 while the
    database is away, and Dynamic comes again. 429 for one forgery too many from an address to the environment: what is
    genuine passes whatever else comes from there.
    """
    blueprint = Blueprint("hooks", __name__)

    def too_often(at: str, peer: str) -> Refused | None:
        try:
            limits.forged(at, peer)
        except Refused as why:
            return why
        return None

    @blueprint.post(f"{PATH}/<environment>", endpoint="webhook")
    def dynamic(environment: str) -> Response:
        at = environment if environment in environments else ""  # else anybody could invent one for each message
        peer = request.remote_addr or ""
        try:
            body = request.stream.read(MAX_BODY_BYTES + 1)
            if len(body) > MAX_BODY_BYTES:
                raise Refused(Reason.BODY_TOO_LARGE)
            receive(environment, body, request.headers.get(SIGNATURE_HEADER), clock())
        except NotServed as why:
            return _refusal(too_often(at, peer) or why if why.reason in _FORGED else why)
        return response_of(json_answer(200, {"status": "ok"}))

    return blueprint


def _refusal(why: NotServed) -> Response:
    status = 503 if isinstance(why, Unavailable) else _STATUSES.get(why.reason, 400)
    answer = response_of(json_answer(status, {"error": why.reason.code, "error_description": why.reason.means}))
    refused(why)
    if why.retry_after is not None:
        answer.headers["Retry-After"] = str(why.retry_after)
    return answer
