"""What operators and load balancers ask: do you answer, can you work, how is it going?"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256

from bridge.oauth.request import Answer, HttpRequest, json_answer
from bridge.waiting import about_to_wait
from bridge.web.endpoints import Route, error_answer

_GET = frozenset({"GET"})


@dataclass(frozen=True, slots=True)
class Check:
    """How one part is. `problem`: at a moment, in fixed words; None if there is none.

    `needed`: without it nobody should be sent here. What others have to mend, or a request does not need, is only told.
    """

    part: str
    problem: Callable[[int], str | None] = field(repr=False)
    needed: bool = True


class Readiness:
    """Whether requests should come here: as long as every part that is needed does its work."""

    def __init__(self, *checks: Check) -> None:
        self._checks = checks

    def add(self, check: Check) -> None:
        """Ask about one more part."""
        self._checks = (*self._checks, check)

    def respond(self, http: HttpRequest) -> Answer:
        """200 if ready, else 503; either way how each part is, in fixed words."""
        found = [(check, check.problem(http.now)) for check in self._checks]
        ready = not any(problem for check, problem in found if check.needed)
        parts = {check.part: problem or "ok" for check, problem in found}
        return json_answer(200 if ready else 503, {"status": "ready" if ready else "not ready", "parts": parts})


@dataclass(frozen=True, slots=True)
class Scrape:
    """What /metrics says, and to whom. `token_digest`: SHA-256 of the token."""

    token_digest: bytes = field(repr=False)
    body: Callable[[int], bytes] = field(repr=False)
    content_type: str

    def respond(self, http: HttpRequest) -> Answer:
        """The metrics, to whoever brings the token; 401 to anybody else (RFC 6750 section 3)."""
        scheme, _, token = http.headers.get("authorization", "").partition(" ")
        given = sha256(token.strip().encode("utf-8", "surrogatepass")).digest()
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self.token_digest):
            answer = error_answer(401)
            return replace(answer, headers={**answer.headers, "WWW-Authenticate": "Bearer"})
        about_to_wait()  # for the database, and for other scrapes
        headers = {"Content-Type": self.content_type, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Answer(200, headers, self.body(http.now))


def ops_routes(readiness: Readiness, scrape: Scrape | None) -> tuple[Route, ...]:
    """/healthz, which waits for nobody; /readyz; /metrics, which is not there unless it was given a token."""
    metrics = (lambda _: error_answer(404)) if scrape is None else scrape.respond
    return (
        Route("healthz", "/healthz", _GET, lambda _: json_answer(200, {"status": "ok"}), quick=True),
        Route("readyz", "/readyz", _GET, readiness.respond),
        Route("metrics", "/metrics", _GET, metrics, quick=True),
    )
