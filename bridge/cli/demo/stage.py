"""What the demo plays on: an emulator for Dynamic, a bridge in a process of its own, a client, and a user."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.cli.demo.processes import bridge_command, free_port, serving
from bridge.cli.demo.telling import DemoFailed, step
from bridge.emulator import NewWallet, RunningEmulator, User, run

EMAIL = "demo@example.com"
WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"


@dataclass(frozen=True, slots=True)
class Stage:
    """What the run plays on."""

    folder: Path
    app: str  # the app's origin; its client is the one below
    issuer: str
    client_id: str
    client_secret: str
    dynamic: RunningEmulator
    user: User

    def as_client(self, **form: str) -> Mapping[str, str]:
        """A form that the client sends with its credentials."""
        return {"client_id": self.client_id, "client_secret": self.client_secret, **form}

    def as_app(self) -> Mapping[str, str]:
        """The environment of an app that signs in by this client: what `oidc-bridge init` prints."""
        return {
            "AUTH_DYNAMIC_ISSUER": self.issuer,
            "AUTH_DYNAMIC_ID": self.client_id,
            "AUTH_DYNAMIC_SECRET": self.client_secret,
        }

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`oidc-bridge …` with this stage's configuration."""
        return bridge_command(self.folder, _settings(self.dynamic), *words)


@contextmanager
def staged(client_id: str, *init: str, port: int, app_port: int = 3000) -> Iterator[Stage]:
    """A stage that is up until the block ends; nothing is left of it. Ports that are taken are replaced.

    `init`: more words for `oidc-bridge init`, in which {app} stands for the app's origin. Raises DemoFailed.
    """
    with tempfile.TemporaryDirectory(prefix="oidc-bridge-demo-") as name, run() as dynamic:
        folder, world = Path(name), dynamic.emulator
        bridge_port = free_port(port)
        issuer, app = f"http://localhost:{bridge_port}", f"http://localhost:{free_port(app_port)}"
        world.signin_complete_url = f"{issuer}/signin/complete"
        step("An emulator stands in for Dynamic", f"{dynamic.base_url}, environment {world.environment_id}")
        secret = _initialise(folder, dynamic, issuer, client_id, ["--origin", app, *(w.format(app=app) for w in init)])
        step("oidc-bridge init made keys, a database and a client", f"bridge.env, bridge.db, client {client_id}")
        user = world.create_user(
            email=EMAIL,
            given_name="Demo",
            family_name="User",
            wallets=[NewWallet(address=WALLET, wallet_name="metamask")],
        )
        serve = ("bridge.cli", "serve", "--port", str(bridge_port))
        with serving(folder, _settings(dynamic), *serve, ready=f"{issuer}/readyz"):
            step("oidc-bridge serve is up", issuer)
            yield Stage(folder, app, issuer, client_id, secret, dynamic, user)


def _settings(dynamic: RunningEmulator) -> Mapping[str, str]:
    return {"DYNAMIC_API_BASE_URL": dynamic.base_url, "BRIDGE_SIGNIN_URL": dynamic.signin_url}


def _initialise(folder: Path, dynamic: RunningEmulator, issuer: str, client_id: str, more: list[str]) -> str:
    """The client's secret."""
    words = ("--environment-id", dynamic.emulator.environment_id, "--issuer", issuer, "--client-id", client_id)
    made = bridge_command(folder, _settings(dynamic), "init", *words, *more)
    if made.returncode != 0:
        raise DemoFailed(f"oidc-bridge init failed:\n{made.stderr}")
    return dict(line.split("=", 1) for line in made.stdout.splitlines())["AUTH_DYNAMIC_SECRET"]
