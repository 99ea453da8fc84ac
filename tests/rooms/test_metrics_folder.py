"""The folder in which workers count: what becomes of the files of those that are dead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from bridge.metrics.folder import forget_the_dead

WORKER = """
import sys
from bridge.metrics.instruments import Metrics, Reading
metrics = Metrics(grant_types=("refresh_token",), events=("issued",), reasons=("key_unknown",))
for _ in range(int(sys.argv[1])):
    metrics.answered("token", 200, 0.02)
    metrics.refused("key_unknown")
metrics.keep([Reading("workers", "x", values={(): 1.0}, of_all="livesum"), Reading("at", "x", values={(): 5.0})])
print("counted", flush=True)
sys.stdin.read()
"""


def worker(folder: Path, requests: int) -> subprocess.Popen[str]:
    """A process that has counted so many requests, and waits."""
    started = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(requests)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "counted\n"
    return started


def told(folder: Path) -> dict[str, float]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return {
        f"{sample.name.removeprefix('oidc_bridge_')}{sorted(sample.labels.values())}": sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def test_what_the_dead_have_counted_stays_in_one_file_and_their_gauges_go(tmp_path: Path) -> None:
    lives, *dead = (worker(tmp_path, requests) for requests in (1, 10, 100, 1000))
    try:
        assert told(tmp_path)["workers[]"] == 4
        for process in dead:
            process.kill()
            process.communicate()
        for _ in range(2):
            forget_the_dead(str(tmp_path))
            found = told(tmp_path)
            assert found["requests_total['200', 'token']"] == found["refusals_total['key_unknown']"] == 1111
            assert found["request_seconds_count['token']"] == found["request_seconds_bucket['+Inf', 'token']"] == 1111
            assert found["request_seconds_bucket['0.01', 'token']"] == 0
            assert (found["workers[]"], found["at[]"]) == (1, 5)
        assert {path.stem.rpartition("_")[2] for path in tmp_path.glob("*.db")} == {"0", str(lives.pid)}
    finally:
        lives.communicate("")


@pytest.mark.parametrize("content", [b"", b"\x01", b"\xff" * 4096, b"\x00\x10\x00\x00" + b"\xff" * 60, b"\0" * 65536])
def test_a_file_that_was_never_finished_stops_nobody(tmp_path: Path, content: bytes) -> None:
    process = worker(tmp_path, 3)
    process.communicate("")
    forget_the_dead(str(tmp_path))
    (tmp_path / f"counter_{process.pid}.db").write_bytes(content)
    forget_the_dead(str(tmp_path))
    assert told(tmp_path)["requests_total['200', 'token']"] == 3
    assert not (tmp_path / f"counter_{process.pid}.db").exists()
