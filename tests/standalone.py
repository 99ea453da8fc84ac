"""One real server, as `oidc-bridge serve` runs it, on a database of its own, with the emulator as Dynamic."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from instances import ORIGIN, SCOPES, Instance
from loading import NOBODY_TOO_OFTEN, Device
from served import Command, free_port

from bridge.emulator import Emulator, NewWallet, RunningEmulator, User, run

GRANTS = ("token-exchange", "refresh_token", "authorization_code")
APP = "http://localhost:3000"
CALLBACK = f"{APP}/callback"


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
        return self.dynamic.emulator.create_user(email=f"demo{number}@example.com", wallets=[NewWallet()])

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
        environ = {
            "DYNAMIC_API_BASE_URL": dynamic.base_url,
            "BRIDGE_DEVELOPMENT": "true",
            "BRIDGE_LIMITS": NOBODY_TOO_OFTEN,
            "BRIDGE_SIGNIN_URL": dynamic.signin_url,
            "BRIDGE_DATABASE_URL": url,
            **settings,
        }
        command = Command(folder, environ)
        issuer = f"http://localhost:{port}"
        dynamic.emulator.signin_complete_url = f"{issuer}/signin/complete"
        where = ("--environment-id", dynamic.emulator.environment_id, "--issuer", issuer, "--origin", APP)
        made = command("init", *where, "--client-id", "first")
        assert made.returncode == 0, made.stderr
        words = [*(f"--scope={scope}" for scope in SCOPES), *(f"--grant={grant}" for grant in GRANTS)]
        words += [f"--redirect-uri={CALLBACK}", f"--post-logout-redirect-uri={APP}/", "--consent=skip"]
        added = command("client", "add", "app", *words, f"--assertion-origin={ORIGIN}")
        assert added.returncode == 0, added.stderr
        instance = Instance(command, port, workers)
        try:
            instance.start()
            yield Standalone(issuer, instance, dynamic, url, added.stdout.strip())
        finally:
            instance.end()


def tree_of(pid: int) -> list[int]:
    """A process and all that came of it."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]
    return [pid, *(member for child in children for member in tree_of(child))]


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
