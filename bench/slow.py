"""Dynamic answers in four seconds, and fifty requests that have to ask it are under way: how everybody else fares.

The fifty are small tokens whose profile is asked for, tokens signed by a key that is not known, refreshes that ask
whether the session at Dynamic goes on, and webhooks that ask what has become of it. Each is sent again a second later.
"""

import hmac
import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import quantiles
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlencode

from bench import BenchFailed
from bench.load import Connection, Request, get
from bench.postgresql import own_postgresql
from bench.stage import APP_ORIGIN, HOST, Stage, staged
from bridge.emulator import NewWallet, RunningEmulator, Session, run
from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE

ANSWERS_IN = 4.0  # seconds
EACH = {"profile": 20, "unknown key": 10, "live check": 10, "webhook": 10}
AGAIN = 1.0  # seconds from one request of a sender to its next at least
WEBHOOK_SECRET, API_TOKEN = "dyn_webhook-secret-of-the-benchmark", "dyn_" + "0" * 56
SETTINGS = {
    "DYNAMIC_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "DYNAMIC_API_TOKEN": API_TOKEN,
    "DYNAMIC_LIVE_CHECK": "open",
    "DYNAMIC_LIVE_CHECK_TTL": "3600",
}
BARS_MS = {"discovery": 100, "health": 100, "refresh": 300}
_JWT = "urn:ietf:params:oauth:token-type:jwt"


@dataclass(slots=True)
class Waits:
    """What was heard meanwhile: how long each answer took, in seconds, and what the fifty were answered."""

    taken: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in BARS_MS})
    slow: Counter[tuple[str, int]] = field(default_factory=Counter)

    def p99_ms(self, name: str) -> float:
        """The latency that 99 of 100 answers stay below."""
        return quantiles(self.taken[name], n=100, method="inclusive")[98] * 1000


def as_text(found: Sequence[tuple[str, Waits]]) -> str:
    """A line for each database."""
    lines = [f"Dynamic answers in {ANSWERS_IN:.0f} s, {sum(EACH.values())} requests that ask it under way; p99 in ms:"]
    for database, waits in found:
        cells = ", ".join(f"{name} {waits.p99_ms(name):.1f} (asked for: {bar})" for name, bar in BARS_MS.items())
        lines.append(f"  {database}, one worker: {cells}")
    return "\n".join(lines)


def as_document(found: Sequence[tuple[str, Waits]]) -> dict[str, Any]:
    """The same figures for a JSON document, by database."""
    return {
        database: {
            name: {"requests": len(waits.taken[name]), "p99_ms": waits.p99_ms(name), "asked_for_ms": bar}
            for name, bar in BARS_MS.items()
        }
        for database, waits in found
    }


def on_both(say: Callable[[str], None], *, seconds: float) -> list[tuple[str, Waits]]:
    """What it comes to on SQLite, and on a PostgreSQL of our own. Raises BenchFailed."""
    found = []
    with ExitStack() as held:
        dynamic = held.enter_context(run())
        urls: dict[str, str | None] = {"SQLite": None}
        if (server := own_postgresql(held, say)) is not None:
            urls["PostgreSQL"] = server.new_database()
        for name, url in urls.items():
            say(f"a slow Dynamic, {name}")
            with slow_stage(dynamic, url) as stage:
                found.append((name, measure(stage, seconds=seconds)))
    return found


@contextmanager
def slow_stage(dynamic: RunningEmulator, database_url: str | None = None) -> Iterator[Stage]:
    """A bridge that has reasons to ask Dynamic."""
    with staged(dynamic, database_url=database_url, settings=SETTINGS) as stage:
        yield stage


def measure(stage: Stage, *, seconds: float) -> Waits:
    """Ask for discovery, health and refreshes while the fifty wait. Raises BenchFailed on a wrong answer to those."""
    world, waits, ended = stage.dynamic.emulator, Waits(), Event()
    world.api_token = API_TOKEN
    with Connection(stage.port) as connection:
        honest = _Honest(stage, connection)
        senders = _senders(stage, connection, waits, ended)
        world.faults.set("/", "slow", delay=ANSWERS_IN)
        threads = [Thread(target=send) for send in senders]
        try:
            for thread in threads:
                thread.start()
            ends_at = time.monotonic() + seconds
            while time.monotonic() < ends_at:
                honest.ask(waits)
        finally:
            ended.set()
            world.faults.clear()
            for thread in threads:
                thread.join()
    return waits


class _Honest:
    """Somebody who has nothing to do with Dynamic now."""

    def __init__(self, stage: Stage, connection: Connection) -> None:
        self._stage = stage
        self._connection = connection
        self._token = _kept(stage, connection, _signed_in(stage))
        self._refresh()  # whether the session goes on is known from here on

    def ask(self, waits: Waits) -> None:
        discovery = get("/.well-known/openid-configuration", expects=b'"issuer"')
        for name, act in (
            ("discovery", lambda: self._connection.send(discovery)),
            ("health", lambda: self._connection.send(get("/healthz", expects=b"ok"))),
            ("refresh", self._refresh),
        ):
            began_at = time.perf_counter()
            act()
            waits.taken[name].append(time.perf_counter() - began_at)
        time.sleep(0.005)

    def _refresh(self) -> bytes:
        form = {"grant_type": REFRESH_TOKEN, "refresh_token": self._token}
        answer = self._connection.send(_token_request(self._stage, form, expects=b'"refresh_token":'))
        self._token = json.loads(answer)["refresh_token"]
        return answer


def _senders(stage: Stage, connection: Connection, waits: Waits, ended: Event) -> list[Callable[[], None]]:
    """One for each of the fifty; what they send is made before Dynamic gets slow."""
    lock, world = Lock(), stage.dynamic.emulator

    def sender(kind: str, request: Callable[[], Request]) -> Callable[[], None]:
        def send() -> None:
            while not ended.is_set():
                again_at = time.monotonic() + AGAIN
                status = _status(stage.port, request())
                with lock:
                    waits.slow[kind, status] += 1
                ended.wait(max(0.0, again_at - time.monotonic()))

        return send

    def exchanging(assertion: str) -> Callable[[], Request]:
        return lambda: _token_request(stage, _exchange(assertion), expects=b"")

    small = [world.mint(_signed_in(stage), origin=APP_ORIGIN, shape="small") for _ in range(EACH["profile"])]
    user = _signed_in(stage)
    unknown = [
        world.mint(user, origin=APP_ORIGIN, header={"kid": f"unknown-{number}"})
        for number in range(EACH["unknown key"])
    ]
    kept = [_kept(stage, connection, _signed_in(stage)) for _ in range(EACH["live check"])]
    told = [_signed_in(stage) for _ in range(EACH["webhook"])]
    for session in told:
        _kept(stage, connection, session)
    return [
        *(sender("profile", exchanging(assertion)) for assertion in small),
        *(sender("unknown key", exchanging(assertion)) for assertion in unknown),
        *(sender("live check", _refreshing(stage, token)) for token in kept),
        *(sender("webhook", lambda session=session: _revocation(stage, session)) for session in told),  # type: ignore[misc]
    ]


def _refreshing(stage: Stage, token: str) -> Callable[[], Request]:
    """The same token each time: within its grace it leads to the newest, and the session is asked for."""
    form = {"grant_type": REFRESH_TOKEN, "refresh_token": token}
    return lambda: _token_request(stage, form, expects=b"")


def _signed_in(stage: Stage) -> Session:
    user = stage.dynamic.emulator.create_user(email="slow@example.com", wallets=[NewWallet()])
    return stage.dynamic.emulator.sign_in(user.id, origin=APP_ORIGIN)


def _kept(stage: Stage, connection: Connection, session: Session) -> str:
    """The refresh token of a session's exchange."""
    form = {**_exchange(stage.dynamic.emulator.mint(session, origin=APP_ORIGIN)), "scope": "openid offline_access"}
    return str(json.loads(connection.send(_token_request(stage, form, expects=b'"refresh_token":')))["refresh_token"])


def _exchange(assertion: str) -> dict[str, str]:
    return {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": assertion,
        "subject_token_type": _JWT,
        "scope": "openid profile email wallets",
    }


def _token_request(stage: Stage, form: dict[str, str], *, expects: bytes) -> Request:
    body = urlencode({**form, "client_id": stage.rs256.client_id, "client_secret": stage.rs256.secret}).encode("ascii")
    return Request("POST", "/token", expects, {"Content-Type": "application/x-www-form-urlencoded"}, body)


def _revocation(stage: Stage, session: Session) -> Request:
    """A new event each time: Dynamic is asked whether it is the last word."""
    environment_id, moment = stage.dynamic.emulator.environment_id, datetime.now(UTC).isoformat()
    event = {
        "eventId": f"{session.sid}:{time.monotonic_ns()}",
        "eventName": "user.session.revoked",
        "environmentId": environment_id,
        "timestamp": moment,
        "data": {"id": session.sid, "userId": session.user_id, "revokedAt": moment},
    }
    body = json.dumps(event).encode("ascii")
    signature = f"sha256={hmac.digest(WEBHOOK_SECRET.encode(), body, 'sha256').hex()}"
    headers = {"Content-Type": "application/json", "x-dynamic-signature-256": signature}
    return Request("POST", f"/webhooks/dynamic/{environment_id}", b"", headers, body)


def _status(port: int, request: Request) -> int:
    wire = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        wire.request(request.method, request.path, request.body, dict(request.headers))
        answer = wire.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchFailed(f"{request.path}: {error!r}") from error
    finally:
        wire.close()
    return answer.status
