"""A page of an app, as far as the emulator sees one: a stock HTTP client in the place of Dynamic's SDK."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from joserfc import jwt
from joserfc.jwa import ESAlgorithm
from joserfc.jwk import ECKey, KeySet

from bridge.emulator import Emulator, RunningEmulator, run

NOW = 1_800_000_000
ORIGIN = "http://localhost:3210"
EMAIL = "demo@example.com"


@dataclass
class Hand:
    """A clock that moves when it is told to."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


class Device:
    """A browser's key, and the headers that prove it."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256")

    def point(self) -> str:
        numbers = self.key.as_dict(private=False)
        x, y = (base64.urlsafe_b64decode(str(numbers[name]) + "=") for name in ("x", "y"))
        return f"0{2 + y[-1] % 2}{x.hex()}"

    def proof(self, nonce: str) -> dict[str, str]:
        signature = ESAlgorithm("ES256", "P-256", 256).sign(nonce.encode(), self.key)
        return {
            "x-dynamic-device-publickey": self.point(),
            "x-dynamic-device-nonce": nonce,
            "x-dynamic-device-signed-nonce": signature.hex(),
        }


@dataclass
class Page:
    """A page of the app, as far as the emulator sees one."""

    running: RunningEmulator
    clock: Hand
    origin: str = ORIGIN

    @property
    def emulator(self) -> Emulator:
        return self.running.emulator

    def call(self, method: str, path: str, *, token: str = "", headers: Any = None, **more: Any) -> requests.Response:
        own = {"Origin": self.origin, **({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        url = f"{self.running.base_url}/sdk/{self.emulator.environment_id}{path}"
        with requests.Session() as wire:
            wire.trust_env = False
            return wire.request(method, url, headers=own, timeout=10, **more)

    def begin(self, email: str = EMAIL) -> str:
        answer = self.call("POST", "/emailVerifications/create", json={"email": email})
        assert answer.json()["email"] == email
        return str(answer.json()["verificationUUID"])

    def finish(self, verification: str, code: str, headers: Any = None) -> requests.Response:
        body = {"verificationUUID": verification, "verificationToken": code}
        return self.call("POST", "/emailVerifications/signin", json=body, headers=headers)

    def sign_in(self, email: str = EMAIL, headers: Any = None) -> dict[str, Any]:
        answer = self.finish(self.begin(email), self.emulator.email_codes.latest(email), headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def claims(self, token: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(self.call("GET", "/.well-known/jwks").json())
        return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)

    def nonce(self) -> str:
        return str(self.call("GET", "/nonces?count=1").json()["nonces"][0])

    def admin(self, path: str) -> Any:
        return requests.get(f"{self.running.origin}/admin{path}", timeout=10).json()


@contextmanager
def opened_page(emulator: Emulator | None = None) -> Iterator[Page]:
    """A page beside a fresh emulator, both of which a hand holds the clock of."""
    clock = Hand()
    world = Emulator() if emulator is None else emulator
    world.clock = clock
    with run(world) as running:
        yield Page(running, clock)
    running.emulator.release_keys()
