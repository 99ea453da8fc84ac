"""Questions to a live Dynamic that its documentation leaves open, asked with a test account's own token."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from bridge import jose
from bridge.dynamic.api import PATIENCE, ask
from bridge.dynamic.keys import load_keys
from bridge.errors import FetchFailed, Refused
from bridge.fetch import Fetched, Fetcher
from bridge.model import Environment


def answers(environment: Environment, fetcher: Fetcher, tokens: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each question with its answer in words. `tokens` are of one sign-in (both shapes) or of two in a row.

    The answers quote header members, issuers and origins; never a token, an address or an e-mail.
    """
    yield from _keys(environment, fetcher)
    parsed = []
    for number, raw in enumerate(tokens, 1):
        try:
            parsed.append(jose.parse(raw))
        except Refused as refused:
            yield f"token {number}", f"is not a JWT: {refused.detail}"
    for number, token in enumerate(parsed, 1):
        yield from _token(f"token {number}", token, environment)
    if len(parsed) > 1:
        yield from _compared(parsed[0], parsed[1])
    for raw in tokens[:1] if parsed else ():
        yield from _sdk_calls(environment, fetcher, raw)


def _keys(environment: Environment, fetcher: Fetcher) -> Iterator[tuple[str, str]]:
    answer = _ask(environment, fetcher, "/sdk/{env}/.well-known/jwks")
    if isinstance(answer, str):
        yield "is the JWKS public?", f"no answer: {answer}"
        return
    yield "is the JWKS public?", f"status {answer.status}"
    cache = {name.lower(): value for name, value in answer.headers.items()}.get("cache-control", "none")
    yield "which Cache-Control has the JWKS?", cache
    kids = sorted(_kids(environment, fetcher, "jwks"))
    yield "how many keys?", str(len(kids))
    if environment.api_token:
        ids = _kids(environment, fetcher, "keys")
        yield "does the kid equal the id at /keys?", "yes" if ids and ids <= set(kids) else "no, or no answer"


def _kids(environment: Environment, fetcher: Fetcher, source: Literal["jwks", "keys"]) -> set[str]:
    try:
        return set(load_keys(replace(environment, key_source=source), fetcher, PATIENCE))
    except FetchFailed:
        return set()


def _token(name: str, token: jose.Unverified, environment: Environment) -> Iterator[tuple[str, str]]:
    claims = token.payload
    large = "verified_credentials" in claims
    yield f"{name}: which shape?", "large" if large else "small"
    yield f"{name}: header", ", ".join(f"{member}={value}" for member, value in token.header.items())
    yield f"{name}: iss", str(claims.get("iss"))
    accepted = claims.get("iss") in environment.accepted_issuers() if isinstance(claims.get("iss"), str) else False
    yield f"{name}: is that iss accepted here?", "yes" if accepted else "no: add it to DYNAMIC_ISSUERS"
    yield f"{name}: aud", str(claims.get("aud"))
    yield f"{name}: scope", str(claims.get("scope"))
    yield f"{name}: claims", " ".join(sorted(claims))


def _compared(first: jose.Unverified, second: jose.Unverified) -> Iterator[tuple[str, str]]:
    for claim in ("iss", "aud", "sid", "originalSid", "sub"):
        same = first.payload.get(claim) == second.payload.get(claim)
        yield f"do both tokens have one {claim}?", "yes" if same else "no"
    same_key = first.header.get("kid") == second.header.get("kid")
    yield "are both signed by one key?", "yes" if same_key else "no"


def _sdk_calls(environment: Environment, fetcher: Fetcher, raw: str) -> Iterator[tuple[str, str]]:
    ways = {"without Origin": replace(environment, request_origin=None)}
    if environment.request_origin is not None:
        ways["with Origin"] = environment
    for how, asked in ways.items():
        for path in ("session", "users", "settings"):
            answer = _ask(asked, fetcher, f"/sdk/{{env}}/{path}", bearer=raw)
            told = answer if isinstance(answer, str) else f"status {answer.status}"
            yield f"does /sdk/…/{path} answer {how}?", told


def _ask(environment: Environment, fetcher: Fetcher, path: str, bearer: str | None = None) -> Fetched | str:
    try:
        return ask(environment, fetcher, path, deadline=PATIENCE, bearer=bearer)
    except FetchFailed as failed:
        return str(failed)
