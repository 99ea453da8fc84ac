"""Several instances of the real server on one PostgreSQL, a load balancer before them, and the emulator as Dynamic."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from balancer import Balancer, running_balancer
from loading import until
from served import Command, clean_environment, free_port, wait_until_ready

from bench.stage import NOBODY_TOO_OFTEN
from bridge.emulator import Emulator, NewWallet, RunningEmulator, User, run

ORIGIN = "http://localhost:3000"
SCOPES = ("openid", "profile", "email", "wallets", "offline_access")


@dataclass
class Instance:
    """`oidc-bridge serve` at a port of its own; may be started and ended many times."""

    command: Command
    port: int
    workers: int = 1
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Until it is ready."""
        self.begin()
        assert self.process is not None
        wait_until_ready(self.process, self.url, within=90)

    def begin(self) -> None:
        words = ("serve", "--port", str(self.port), "--workers", str(self.workers))
        with (self.command.folder / "server.log").open("ab") as log:  # one for all of them
            self.process = subprocess.Popen(
                [*self.command.program, *words],
                cwd=self.command.folder,
                env={**clean_environment(), **self.command.environ},
                stdout=log,
                stderr=log,
            )

    def stop(self) -> int:
        """As a service manager stops it; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)

    def kill(self) -> None:
        """Its first process, and none of its workers."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=10)

    def end(self) -> None:
        """Whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=40)
            self.process.kill()
            self.process.wait(timeout=10)


@dataclass(frozen=True)
class Deployment:
    """Instances that share a database and nothing else. `secrets`: those of the clients, by their ids."""

    issuer: str
    balancer: Balancer
    instances: tuple[Instance, ...]
    dynamic: RunningEmulator
    command: Command
    database_url: str
    secrets: dict[str, str] = field(default_factory=dict)

    def add_client(self, client_id: str, *words: str) -> str:
        """Register one as an operator does; its secret, empty if it is public."""
        scopes = (f"--scope={scope}" for scope in SCOPES)
        added = self.command("client", "add", client_id, *scopes, f"--assertion-origin={ORIGIN}", *words)
        assert added.returncode == 0, added.stderr
        self.secrets[client_id] = added.stdout.strip()
        return self.secrets[client_id]

    def user(self, number: int = 0) -> User:
        return new_user(self.dynamic.emulator, number)

    def assertion(self, user: User) -> str:
        return self.dynamic.emulator.mint(user, origin=ORIGIN, lifetime=7200)


def set_up(folder: Path, dynamic: RunningEmulator, issuer: str, database_url: str, **settings: str) -> Command:
    """What an operator has after `oidc-bridge init`. `settings`: of its environment, as well or instead."""
    environ = {
        "DYNAMIC_API_BASE_URL": dynamic.base_url,
        "BRIDGE_SIGNIN_URL": dynamic.signin_url,
        "BRIDGE_DEVELOPMENT": "true",
        "BRIDGE_LIMITS": NOBODY_TOO_OFTEN,
        "BRIDGE_DATABASE_URL": database_url,
        **settings,
    }
    command = Command(folder, environ)
    dynamic.emulator.signin_complete_url = f"{issuer}/signin/complete"
    where = ("--environment-id", dynamic.emulator.environment_id, "--issuer", issuer, "--origin", ORIGIN)
    made = command("init", *where, "--client-id", "first")
    assert made.returncode == 0, made.stderr
    return command


def new_user(world: Emulator, number: int) -> User:
    """With an e-mail address and a wallet."""
    return world.create_user(email=f"demo{number}@example.com", wallets=[NewWallet()])


@contextmanager
def running_instances(
    folder: Path, database_url: str, *, how_many: int = 3, workers: int = 1, **settings: str
) -> Iterator[Deployment]:
    """They serve until the block ends. `database_url`: of a PostgreSQL with the schema; `settings`: environment."""
    ports = [free_port() for _ in range(how_many + 1)]
    issuer = f"http://localhost:{ports[0]}"
    world = Emulator()
    with run(world) as dynamic:
        command = set_up(folder, dynamic, issuer, database_url, **settings)
        instances = tuple(Instance(replace(command), port, workers) for port in ports[1:])
        try:
            for instance in instances:
                instance.begin()
            for instance in instances:
                assert instance.process is not None
                wait_until_ready(instance.process, instance.url, within=90)
            with running_balancer(ports[0], ports[1:]) as balancer:
                until(lambda: len(balancer.ready) == how_many)
                yield Deployment(issuer, balancer, instances, dynamic, command, database_url)
        finally:
            for instance in instances:
                instance.end()
    world.release_keys()
