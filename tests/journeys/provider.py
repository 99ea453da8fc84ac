"""A whole provider on this machine: the real server in a process, and the emulator as Dynamic and as sign-in page.

The bridge is at localhost and the sign-in page at 127.0.0.1: two sites, as in life.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from served import Command, free_port
from tls import running_proxy

from bridge.emulator import Emulator, NewWallet, RunningEmulator, User, run
from bridge.emulator.webhooks import new_secret

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
SCOPES = ("openid", "profile", "email", "wallets", "offline_access")


@dataclass(frozen=True)
class Provider:
    """Where it is, and a user of Dynamic's who has no password."""

    issuer: str
    dynamic: RunningEmulator
    command: Command
    user: User

    def add_client(self, client_id: str, *words: str) -> str:
        """Register a client as an operator does; its secret, empty if it is public."""
        grants = ("--grant=authorization_code", "--grant=refresh_token", "--consent=skip")
        scopes = (f"--scope={scope}" for scope in SCOPES)
        added = self.command("client", "add", client_id, *grants, *scopes, *words)
        assert added.returncode == 0, added.stderr
        return added.stdout.strip()


@contextmanager
def running_provider(folder: Path, *, path: str = "") -> Iterator[Provider]:
    """A provider whose issuer has `path`."""
    port = free_port()
    with _running(folder, f"http://localhost:{port}{path}", port) as provider:
        yield provider


@contextmanager
def running_provider_with_webhooks(folder: Path) -> Iterator[Provider]:
    """A provider that Dynamic tells what happens there."""
    port, secret = free_port(), new_secret()
    issuer = f"http://localhost:{port}"
    with _running(folder, issuer, port, DYNAMIC_WEBHOOK_SECRETS=secret) as provider:
        world = provider.dynamic.emulator
        world.webhooks.register(f"{issuer}/webhooks/dynamic/{world.environment_id}", secret=secret)
        yield provider


@contextmanager
def running_provider_with_tls(folder: Path, certificate: Path, headers: Mapping[str, str]) -> Iterator[Provider]:
    """A provider behind a proxy that speaks TLS, by a `certificate` made for it, and puts `headers` on each request."""
    port, behind = free_port(), free_port()
    with (
        _running(folder, f"https://localhost:{port}", behind) as provider,
        running_proxy(port, behind, certificate, headers),
    ):
        yield provider


@contextmanager
def _running(folder: Path, issuer: str, port: int, **more: str) -> Iterator[Provider]:
    world = Emulator(signin_complete_url=f"{issuer}/signin/complete")
    user = world.create_user(email="demo@example.com", given_name="Demo", wallets=[NewWallet(address=ADDRESS)])
    with run(world) as dynamic:
        settings = {
            "DYNAMIC_API_BASE_URL": dynamic.base_url,
            "BRIDGE_SIGNIN_URL": dynamic.signin_url,
            "BRIDGE_DEVELOPMENT": "true",
            **more,
        }
        command = Command(folder, settings)
        where = ("--environment-id", world.environment_id, "--issuer", issuer, "--origin", "http://localhost:3000")
        made = command("init", *where, "--client-id", "other")
        assert made.returncode == 0, made.stderr
        with command.serving("--port", str(port), url=f"http://localhost:{port}"):
            yield Provider(issuer, dynamic, command, user)
    world.release_keys()
