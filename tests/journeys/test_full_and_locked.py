"""What is under a served SQLite fails: another writer holds the file, the disk is full. 503, and then all is well."""

import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from loading import Device, until
from not_tested import leave_out
from served import tree_of
from standalone import Standalone, at_once, standalone, watched

DOCUMENTS = ("/jwks", "/healthz", "/.well-known/openid-configuration")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WITHIN = 10.0  # seconds: a place in line, and SQLite's own patience


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Standalone]:
    with standalone(tmp_path) as running:
        yield running


def test_who_writes_beside_us_holds_up_only_what_writes(bridge: Standalone) -> None:
    devices = [bridge.signed_in(bridge.user(number)) for number in range(4)]
    crowd = [bridge.device(bridge.user(number)) for number in range(60)]
    reader = devices[0]
    path = bridge.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("BEGIN IMMEDIATE")
        refused = pool.submit(at_once, [*devices[1:], *crowd], "exchange")
        time.sleep(0.2)  # they are at the door; should they come later, less is tested
        assert watched(reader, DOCUMENTS, seconds=2) < 1, "pages of machines need no database"
        began = time.monotonic()
        assert reader.userinfo() == 200, "readers wait for no writer"
        assert time.monotonic() - began < 1
        assert set(refused.result(timeout=60)) == {503}
        assert max(device.heard[-1].took for device in (*devices[1:], *crowd)) < WITHIN
        assert "temporarily_unavailable" in crowd[0].heard[-1].error
        other.execute("ROLLBACK")
    assert set(at_once([*devices, *crowd], "exchange")) == {200}
    assert set(at_once(devices, "refresh")) == {200}
    assert '"bug"' not in bridge.log


class Disk:
    """A place for a database that can be full, and have room again."""

    folder: Path

    def fill(self, bridge: Standalone) -> None:
        raise NotImplementedError

    def make_room(self, bridge: Standalone) -> None:
        raise NotImplementedError


class SmallDisk(Disk):
    """A file system in memory."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self.folder = folder
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=True)
        held.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)

    def fill(self, bridge: Standalone) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as filler:
            for size in (65536, 4096, 512, 1):
                try:
                    while filler.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def make_room(self, bridge: Standalone) -> None:
        (self.folder / "filler").unlink()


class LimitedFiles(Disk):
    """Files of the server may not grow any more; those that it writes its log into included."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, bridge: Standalone) -> None:
        size = (self.folder / "bridge.db").stat().st_size
        self._limit(bridge, min(size, (self.folder / "bridge.db-wal").stat().st_size))

    def make_room(self, bridge: Standalone) -> None:
        self._limit(bridge, resource.RLIM_INFINITY)

    def _limit(self, bridge: Standalone, size: int) -> None:
        for pid in tree_of(bridge.instance.pid):
            _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))


@pytest.fixture(params=["a small disk", "limited files"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    with ExitStack() as held:
        if request.param == "limited files":
            yield LimitedFiles(folder)
        elif os.geteuid() == 0:
            yield SmallDisk(folder, held)
        else:
            leave_out(request.config, "A disk that is really full: only root can make one.")
            yield LimitedFiles(folder)


def test_a_full_disk_is_503_nothing_is_half_written_and_room_mends_it(disk: Disk, tmp_path: Path) -> None:
    with standalone(tmp_path, database_url=f"sqlite:///{disk.folder}/bridge.db") as bridge:
        devices = [bridge.signed_in(bridge.user(number)) for number in range(3)]
        disk.fill(bridge)
        refused = use_up(devices[0].exchange)
        lines, asked = bridge.log.count("\n"), asked_by(devices)
        assert refused == 503
        assert "temporarily_unavailable" in devices[0].heard[-1].error
        assert devices[1].refresh() == 503
        assert devices[1].userinfo() == 200, "what only reads goes on"
        assert watched(devices[1], DOCUMENTS, seconds=1) < 1
        logged = bridge.log.count("\n") - lines
        assert logged < 3 * (asked_by(devices) - asked) + 50, "a log that loops would fill the disk for good"
        disk.make_room(bridge)
        until(lambda: devices[0].exchange() == 200, within=10)
        assert [device.refresh() for device in devices] == [200] * 3, "what was not answered was not spent"
        statuses = {heard.status for device in devices for heard in device.heard}
        assert statuses == {200, 503}
        with closing(sqlite3.connect(disk.folder / "bridge.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def use_up(ask: Callable[[], int]) -> int:
    """Ask until the little room that is left in the files is used up; what is answered then."""
    for _ in range(500):
        if (status := ask()) != 200:
            return status
    raise AssertionError("there was always room")


def asked_by(devices: Sequence[Device]) -> int:
    return sum(len(device.heard) for device in devices)
