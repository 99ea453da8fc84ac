"""pgbouncer in transaction mode, from the system's package, before the tests' PostgreSQL."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postgres import program_folder, user_of_programs, wait_until_answering
from served import free_port
from sqlalchemy import make_url

SERVER_CONNECTIONS = 2

SETTINGS = """\
[databases]
* = host={host} port={server_port}
[pgbouncer]
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 200
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = users
"""


def pgbouncer_program() -> str | None:
    """Where it is, if it is installed."""
    return shutil.which("pgbouncer", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin")))


@contextmanager
def running_pgbouncer(program: str, server_url: str) -> Iterator[str]:
    """Its URL, in front of the server's, until the block ends."""
    server, port = make_url(server_url), free_port()
    with program_folder() as folder:
        _write(folder / "users", f'"{server.username}" "{server.password}"\n')
        settings = SETTINGS.format(
            host=server.host, server_port=server.port or 5432, port=port, connections=SERVER_CONNECTIONS
        )
        _write(folder / "pgbouncer.ini", settings)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, "pgbouncer.ini"], user=user_of_programs(), cwd=folder, stdout=log, stderr=log
            )
        try:
            url = server.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
            wait_until_answering(process, url, lambda: (folder / "log").read_text(encoding="utf-8"))
            yield url
        finally:
            process.kill()
            process.wait(timeout=10)


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    if user_of_programs() is not None:
        shutil.chown(path, user_of_programs())
