"""Honest clients at work: they exchange, refresh, ask for userinfo, read the documents, and remember every answer."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode, urlsplit

from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE

JWT = "urn:ietf:params:oauth:token-type:jwt"
PATIENCE = 60  # seconds that a client waits for an answer, longer than any server may take


@dataclass(frozen=True)
class Heard:
    """One answer: when it was asked for, how long it took (seconds), its status; 0 if there was none."""

    what: str
    began: float
    took: float
    status: int
    error: str = ""


@dataclass
class Device:
    """One user's session at an app. Its refresh token is the last that it was given."""

    url: str
    client_id: str
    client_secret: str
    assertion: str
    heard: list[Heard] = field(default_factory=list)
    refresh_token: str | None = None
    access_token: str | None = None
    grants: list[str] = field(default_factory=list)  # the refresh tokens of those that were left behind

    def work(self, ended: Event, pause: float) -> None:
        """One round after the other."""
        while not ended.is_set():
            self.round()
            ended.wait(pause)

    def round(self) -> None:
        self.exchange()
        for _ in range(3):
            self.refresh()
            self.userinfo()
        self.get("/.well-known/openid-configuration")
        self.get("/jwks")

    def exchange(self) -> int:
        form = {"subject_token": self.assertion, "subject_token_type": JWT, "scope": "openid email offline_access"}
        status, answer = self._token("exchange", grant_type=TOKEN_EXCHANGE, **form)
        if status == 200:
            self.grants += [self.refresh_token] if self.refresh_token else []
            self.access_token, self.refresh_token = answer["access_token"], answer["refresh_token"]
        return status

    def refresh(self) -> int:
        """With the token that it has; one that got no answer it uses again."""
        if self.refresh_token is None:
            return 0
        status, answer = self._token("refresh", grant_type=REFRESH_TOKEN, refresh_token=self.refresh_token)
        if status == 200:
            self.access_token, self.refresh_token = answer["access_token"], answer["refresh_token"]
        return status

    def userinfo(self) -> int:
        if self.access_token is None:
            return 0
        return self.ask("userinfo", "GET", "/userinfo", {"Authorization": f"Bearer {self.access_token}"})[0]

    def get(self, path: str) -> int:
        return self.ask(path, "GET", path, {})[0]

    def _token(self, what: str, **form: str) -> tuple[int, dict[str, Any]]:
        signed = {"client_id": self.client_id, "client_secret": self.client_secret, **form}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask(what, "POST", "/token", kind, urlencode(signed))

    def ask(self, what: str, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, Any]:
        began = time.monotonic()
        wire = HTTPConnection("127.0.0.1", urlsplit(self.url).port or 80, timeout=PATIENCE)
        status, answer, error = 0, None, ""
        try:
            wire.request(method, path, body or None, {**headers, "Connection": "close"})
            got = wire.getresponse()
            status, text = got.status, got.read()
            answer = json.loads(text) if text else None
            error = "" if status == 200 else text.decode("utf-8", "replace")[:200]
        except (OSError, HTTPException, ValueError) as fault:
            status, error = 0, repr(fault)
        finally:
            wire.close()
        self.heard.append(Heard(what, began, time.monotonic() - began, status, error))
        return status, answer


@contextmanager
def under_load(devices: Sequence[Device], *, pause: float = 0.01) -> Iterator[None]:
    """They work, each on a thread of its own, until the block ends."""
    ended = Event()
    threads = [Thread(target=device.work, args=(ended, pause)) for device in devices]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def heard_by(devices: Sequence[Device]) -> list[Heard]:
    return sorted((heard for device in devices for heard in device.heard), key=lambda heard: heard.began)


def statuses(heard: Sequence[Heard]) -> Counter[int]:
    return Counter(one.status for one in heard)


def until(holds: Callable[[], object], *, within: float = 30) -> None:
    """Wait until something holds."""
    give_up_at = time.monotonic() + within
    while not holds():
        assert time.monotonic() < give_up_at, "it never came to hold"
        time.sleep(0.02)
