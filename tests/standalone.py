"""One real server, as `oidc-bridge serve` runs it, on a database of its own, with the emulator as Dynamic."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from instances import ORIGIN, SCOPES, Instance, new_user, set_up
from loading import Device
from served import free_port

from bridge.emulator import Emulator, RunningEmulator, User, run

GRANTS = ("token-exchange", "refresh_token", "authorization_code")
CALLBACK = f"{ORIGIN}/callback"


@dataclass(frozen=True)
class Standalone:
    """The server, its only client, and Dynamic."""

    issuer: str
    instance: Instance
    dynamic: RunningEmulator
    database_url: str
    client_secret: str = field(repr=False)

    @property
    def log(self) -> str:
        return self.instance.command.log()

    def user(self, number: int = 0) -> User:
        return new_user(self.dynamic.emulator, number)

    def device(self, user: User | None = None, **how: Any) -> Device:
        """A user's session at the client, with a fresh assertion."""
        assertion = self.dynamic.emulator.mint(user or self.user(), origin=ORIGIN, **how)
        return Device(self.instance.url, "app", self.client_secret, assertion)

    def signed_in(self, user: User | None = None) -> Device:
        """The same with tokens."""
        device = self.device(user)
        assert device.exchange() == 200, device.heard
        return device


@contextmanager
def standalone(
    folder: Path, *, database_url: str | None = None, workers: int = 1, world: Emulator | None = None, **settings: str
) -> Iterator[Standalone]:
    """It serves until the block ends. `database_url`: with the schema, or of SQLite; `settings`: its environment."""
    port = free_port()
    with run(world) as dynamic:
        url = database_url or f"sqlite:///{folder}/bridge.db"
        issuer = f"http://localhost:{port}"
        command = set_up(folder, dynamic, issuer, url, **settings)
        words = [*(f"--scope={scope}" for scope in SCOPES), *(f"--grant={grant}" for grant in GRANTS)]
        words += [f"--redirect-uri={CALLBACK}", f"--post-logout-redirect-uri={ORIGIN}/", "--consent=skip"]
        added = command("client", "add", "app", *words, f"--assertion-origin={ORIGIN}")
        assert added.returncode == 0, added.stderr
        instance = Instance(command, port, workers)
        try:
            instance.start()
            yield Standalone(issuer, instance, dynamic, url, added.stdout.strip())
        finally:
            instance.end()


def at_once(devices: Sequence[Device], verb: str) -> list[int]:
    """What each hears, all asking at the same moment."""
    with ThreadPoolExecutor(len(devices)) as pool:
        return list(pool.map(lambda device: getattr(device, verb)(), devices))


def watched(device: Device, paths: Sequence[str], *, seconds: float) -> float:
    """The longest that any of these documents took in that time, in seconds; each has to be answered with 200."""
    ends_at, longest = time.monotonic() + seconds, 0.0
    while time.monotonic() < ends_at:
        for path in paths:
            assert device.get(path) == 200, device.heard[-1]
            longest = max(longest, device.heard[-1].took)
        time.sleep(0.01)
    return longest
