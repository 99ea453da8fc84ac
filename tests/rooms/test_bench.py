"""The benchmark measures every case, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bench import BenchFailed
from bench.cases import Case
from bench.load import Connection, get
from bench.rounds import Figures
from bench.slow import BARS_MS, Waits, as_document
from bench.stage import staged
from bench.usage import cpu_seconds, is_measurable

pytestmark = pytest.mark.skipif(not is_measurable(), reason="needs Linux's /proc")

ROOT = Path(__file__).parents[2]
BENCH = [sys.executable, "-m", "bench", "--quick"]
EXCHANGES = {
    *("exchange RS256", "exchange ES256", "exchange RS256, small token", "exchange RS256, new sign-in"),
    "exchange RS256, refresh token",
}
CASES = EXCHANGES | {"code RS256", "refresh RS256", "userinfo", "introspection", "discovery", "jwks"}


def test_a_quick_run_measures_every_case(tmp_path: Path) -> None:
    done = subprocess.run(
        [*BENCH, "--json", tmp_path / "f"], cwd=ROOT, capture_output=True, text=True, timeout=40, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "f").read_text())
    assert figures["cases"].keys() == CASES
    for name, case in figures["cases"].items():
        measured = {key: value for key, value in case.items() if value is not None}
        assert all(value > 0 for value in measured.values()), name
        assert ("share_percent" in measured) == ("limit_ms" in measured) == (name in EXCHANGES)
        assert case["p50_ms"] <= case["p99_ms"]
        assert name in done.stdout
    assert all(figures["cases"][name]["share_percent"] < 100 for name in EXCHANGES)
    assert figures["slow_dynamic"] == {}, "the full run alone waits for it"
    assert figures["memory"]["exchanges"] == 300
    assert figures["memory"]["before_kib"] > 0
    assert figures["memory"]["growth_kib"] < 4096  # threads warm up; the full run shows whether it is flat


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_no_process_and_no_file(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        BENCH, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        assert run.stderr.readline() == "warming up\n"
        assert len(at_work_in(tmp_path)) >= 2
        run.send_signal(number)
        assert run.wait(30) == 130
    assert not at_work_in(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failed_run_leaves_no_process() -> None:
    folders: list[Path] = []

    def run() -> None:
        with staged() as stage:
            folders.append(Path(f"/proc/{stage.group}/cwd").readlink())
            assert len(at_work_in(folders[0])) >= 2
            raise BenchFailed("on purpose")

    with pytest.raises(BenchFailed, match="on purpose"):
        run()
    assert not at_work_in(folders[0])
    assert not folders[0].exists()


def test_the_cpu_of_a_group_includes_its_children_alive_or_dead() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as root:
        assert root.stdout is not None
        root.stdout.readline()
        assert cpu_seconds(root.pid) >= 0.28
        root.kill()


@pytest.fixture
def wrong_server() -> Iterator[int]:
    """The port of a server that answers 200 to /right and /other, 500 to everything else."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200 if self.path in ("/right", "/other") else 500)
            body = b"other" if self.path == "/other" else b"right"
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/other", "/broken"])
def test_a_wrong_answer_ends_the_run(path: str, wrong_server: int) -> None:
    with Connection(wrong_server) as connection:
        assert len(connection.send_in_turn([get("/right", expects=b"right")], 3)) == 3
        with pytest.raises(BenchFailed, match=path):
            connection.send(get(path, expects=b"right"))


def test_the_share_compares_neighbouring_blocks() -> None:
    figures = Figures(Case("c", list, 1, "RS256"), cpu=[2, 4, 90], limit=[1, 2, 3], latencies=[0.1, 0.3])
    assert figures.share_percent == 50
    assert figures.requests_per_second == 5
    assert figures.latency_ms(50) == pytest.approx(200)


def test_a_program_reads_the_figures_of_a_slow_dynamic_too() -> None:
    waits = Waits({"discovery": [0.01] * 100, "health": [0.02] * 100, "refresh": [0.03] * 100})
    told = as_document([("SQLite", waits)])["SQLite"]
    assert {name: one["asked_for_ms"] for name, one in told.items()} == BARS_MS
    assert [one["p99_ms"] for one in told.values()] == pytest.approx([10, 20, 30])
    assert {one["requests"] for one in told.values()} == {100}


def at_work_in(folder: Path) -> list[int]:
    """The processes whose working directory lies in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "cwd").readlink()).startswith(str(folder)):  # "… (deleted)" if it has been removed
                found.append(int(process.name))
        except OSError:  # it has ended, or is none of ours
            continue
    return found
