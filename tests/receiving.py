"""A relying party's back-channel logout endpoint, and what it has to check of a logout token (section 2.6)."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from typing import Any
from urllib.parse import parse_qs

from joserfc import jws
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Receiver:
    """Answers every POST with `status`, and keeps the logout tokens; while `held`, it lets everybody wait."""

    def __init__(self) -> None:
        self.status = 200
        self.breaks_on = ""  # the sid whose token is answered with 500
        self.headers: dict[str, str] = {}
        self.tokens: list[str] = []
        self.types: list[str] = []
        self.arrived = 0
        self.news = Condition()
        self.open = Event()
        self.open.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode("ascii"))
                with receiver.news:
                    receiver.arrived += 1
                    receiver.news.notify_all()
                receiver.open.wait(timeout=30)
                (token,) = form["logout_token"]
                status = 500 if claims_in(token)["sid"] == receiver.breaks_on else receiver.status
                with receiver.news:
                    receiver.types.append(self.headers["Content-Type"])
                    receiver.tokens += [token] if status in (200, 204) else []
                    receiver.news.notify_all()
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """Who left before our answer knows it."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.uri = f"http://127.0.0.1:{self.port}/backchannel-logout"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def wait_for(self, count: int, timeout: float = 20) -> None:
        """Until so many tokens were taken."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.tokens) >= count, timeout), f"{len(self.tokens)} of {count}"

    def comes(self, count: int, *, within: float) -> bool:
        """Whether so many tokens are taken in that time."""
        with self.news:
            return self.news.wait_for(lambda: len(self.tokens) >= count, within)

    def wait_for_arrivals(self, count: int, timeout: float = 20) -> None:
        with self.news:
            assert self.news.wait_for(lambda: self.arrived >= count, timeout), f"{self.arrived} of {count}"

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


def claims_in(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    payload = token.split(".")[1]
    return dict(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def accepted(token: str, jwks: dict[str, Any], *, issuer: str, client_id: str, now: int, alg: str = "RS256") -> Any:
    """The claims of a logout token that a relying party has to accept, checked as section 2.6 says."""
    checked = jws.deserialize_compact(token, KeySet.import_key_set(jwks), registry=JWSRegistry(algorithms=[alg]))
    header, claims = checked.headers(), json.loads(checked.payload)
    assert (header["alg"], header["typ"]) == (alg, "logout+jwt")
    assert header["kid"]
    assert claims["iss"] == issuer
    assert claims["aud"] == client_id
    assert now - 60 <= claims["iat"] <= now
    assert claims["iat"] < claims["exp"] <= claims["iat"] + 120
    assert claims["events"] == {EVENT: {}}
    assert "nonce" not in claims
    assert len(claims["jti"]) >= 16
    assert claims["sub"]
    assert claims["sid"]
    assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti", "sid", "events"}
    return claims
