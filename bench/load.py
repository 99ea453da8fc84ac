"""Requests one after the other over one keep-alive connection. An answer that is not the right one ends the run."""

import http.client
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from bench import BenchFailed
from bench.stage import HOST


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and a piece of text that the right answer holds."""

    method: str
    path: str
    expects: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


def get(path: str, *, expects: bytes, bearer: str | None = None) -> Request:
    """A GET request, with an access token if one is given."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
    return Request("GET", path, expects, headers)


def post(path: str, form: Mapping[str, str], *, expects: bytes) -> Request:
    """A POST request with a form."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Request("POST", path, expects, headers, urlencode(form).encode("ascii"))


class Connection:
    """A connection to the server."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection(HOST, port, timeout=30)

    def send(self, request: Request) -> bytes:
        """The body of the answer. Raises BenchFailed if it is another answer than expected, or none."""
        try:
            self._http.request(request.method, request.path, request.body, dict(request.headers))
            answer = self._http.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise BenchFailed(f"{request.path}: {error!r}") from error
        if answer.status != 200 or request.expects not in body:
            raise BenchFailed(f"{request.path} answered {answer.status}: {body[:500]!r}")
        return body

    def send_in_turn(self, requests: Sequence[Request], count: int) -> list[float]:
        """Send `count` requests, going round in `requests`; how long each took, in seconds."""
        taken = []
        for request in itertools.islice(itertools.cycle(requests), count):
            began_at = time.perf_counter()
            self.send(request)
            taken.append(time.perf_counter() - began_at)
        return taken

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()
