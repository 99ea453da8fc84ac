"""The folder in which the processes of one server count: a file for each process and kind, which outlives a kill -9.

prometheus_client names the files after pids, and adds them up. What a dead process counted stays, in one file for all
of them: workers that die again and again fill no disk, and no counter goes back. Gauges die with their process.
"""

import fcntl
import json
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from prometheus_client.mmap_dict import MmapedDict

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable by which prometheus_client itself knows of it
_LOCK, _SERVER = "lock", "server"
_PREFIX = "oidc-bridge-metrics-"
_DEAD = 0  # stands for all processes that live no more; no process of ours has this pid


@contextmanager
def folder_of_a_server() -> Iterator[None]:
    """The processes that are started in the block count together, in a new folder of their own, mode 0700.

    In memory where there is such a place, for it is written with every request. Folders of servers that were killed
    are removed. Raises OSError where nothing can be written.
    """
    folder, held = _taken(_place())
    with held:
        os.environ[FOLDER] = str(folder)
        try:
            yield
        finally:
            os.environ.pop(FOLDER, None)
            shutil.rmtree(folder, ignore_errors=True)


def merge_the_dead() -> None:
    """Put together what processes counted that live no more. For a process that begins to serve."""
    folder = os.environ.get(FOLDER)
    if folder is not None:
        with locked(folder):
            forget_the_dead(folder)


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """One process at a time moves files."""
    with (Path(folder) / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def forget_the_dead(folder: str) -> None:
    """Add the counts of dead processes to those of all dead, and remove their gauges. Under the lock."""
    for path in Path(folder).glob("*.db"):
        kind, _, number = path.stem.rpartition("_")
        if number.isdecimal() and int(number) != _DEAD and not _lives(int(number)):
            if not kind.startswith("gauge"):
                _add(path, path.with_name(f"{kind}_{_DEAD}.db"))
            path.unlink(missing_ok=True)


def _add(dead: Path, total: Path) -> None:
    with suppress(OSError, RuntimeError, ValueError, struct.error):  # killed while it made or filled the file
        counted = [(key, value) for key, value, *_ in MmapedDict.read_all_values_from_file(str(dead))]
        for key, _ in counted:
            _, _, _, _ = json.loads(key)  # its metric, name, labels and help: one that is none would spoil them all
        sums = MmapedDict(str(total))
        try:
            for key, value in counted:
                sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
        finally:
            sums.close()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _place() -> str:
    memory = "/dev/shm"  # noqa: S108 - mkdtemp makes a folder of our own in it
    return memory if os.access(memory, os.W_OK | os.X_OK) else tempfile.gettempdir()


def _taken(place: str) -> tuple[Path, IO[bytes]]:
    """A new folder, and the file whose lock says that it is in use, as long as this process lives."""
    _remove_abandoned(place)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        held = (folder / _SERVER).open("wb")
        fcntl.flock(held, fcntl.LOCK_EX)
        if folder.exists():  # another server that starts may have come in between
            return folder, held
        held.close()


def _remove_abandoned(place: str) -> None:
    for folder in Path(place).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / _SERVER).open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
