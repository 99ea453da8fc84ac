"""A whole provider on this machine: the real server in a process, and the emulator as Dynamic and as sign-in page.

The bridge is at localhost and the sign-in page at 127.0.0.1: two sites, as in life.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from served import Command, free_port

from bridge.emulator import Emulator, NewWallet, RunningEmulator, User, run

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
def running_provider(folder: Path, *, path: str = "", tls_port: int | None = None) -> Iterator[Provider]:
    """A provider whose issuer has `path`; behind a proxy that speaks TLS at `tls_port`, if there is one."""
    port = free_port()
    origin = f"http://localhost:{port}" if tls_port is None else f"https://localhost:{tls_port}"
    issuer = f"{origin}{path}"
    world = Emulator(signin_complete_url=f"{issuer}/signin/complete")
    user = world.create_user(email="demo@example.com", given_name="Demo", wallets=[NewWallet(address=ADDRESS)])
    with run(world) as dynamic:
        settings = {
            "DYNAMIC_API_BASE_URL": dynamic.base_url,
            "BRIDGE_SIGNIN_URL": dynamic.signin_url,
            "BRIDGE_DEVELOPMENT": "true",
        }
        command = Command(folder, settings)
        made = command("init", "--environment-id", world.environment_id, "--issuer", issuer, "--client-id", "other")
        assert made.returncode == 0, made.stderr
        with command.serving("--port", str(port), url=f"http://localhost:{port}"):
            yield Provider(issuer, dynamic, command, user)
    world.release_keys()
