"""`oidc-bridge serve` with two workers, as those see it who watch over it."""

import http.client
import json
import os
import re
import signal
import socket
import struct
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from loading import until
from prometheus_client.parser import text_string_to_metric_families
from served import Command, command_for, free_port, workers_of
from test_servers import SERVERS, other_server

from bridge.emulator import RunningEmulator
from bridge.metrics.folder import folder_of_a_server
from bridge.model import TOKEN_EXCHANGE

ORIGIN = "http://localhost:3000"
TOKEN = "metrics-token-of-the-tests-0123456789"
RULES = Path(__file__).parents[2] / "deploy" / "alerts.yaml"
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def command(tmp_path: Path, dynamic: RunningEmulator) -> Command:
    """A bridge that is set up, with its client's secret in SECRET."""
    command = command_for(tmp_path, dynamic)
    words = ("init", "--environment-id", dynamic.emulator.environment_id, "--issuer", "http://localhost:8080")
    done = command(*words, "--client-id", "app")
    assert done.returncode == 0, done.stderr
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines())
    secrets = {"SECRET": lines["AUTH_DYNAMIC_SECRET"], "BRIDGE_METRICS_TOKEN": TOKEN}
    return Command(command.folder, {**command.environ, **secrets})


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def url(port: int) -> str:
    return f"http://localhost:{port}"


def ask(url: str, path: str, form: Mapping[str, str] | None = None, **headers: str) -> tuple[int, bytes, str]:
    """Status, body and request id, over a connection of its own: so that either worker may answer."""
    data = None if form is None else urlencode(form).encode()
    request = Request(f"{url}{path}", data, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers["X-Request-Id"]
    except HTTPError as refused:
        return refused.code, refused.read(), refused.headers["X-Request-Id"]


def exchange(url: str, command: Command, dynamic: RunningEmulator, **changes: str) -> tuple[int, bytes, str]:
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": dynamic.emulator.mint(dynamic.emulator.create_user(), origin=ORIGIN),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "client_id": "app",
        "client_secret": command.environ["SECRET"],
        **changes,
    }
    return ask(url, "/token", form)


def scrape(url: str) -> Samples:
    status, body, _ = ask(url, "/metrics", Authorization=f"Bearer {TOKEN}")
    assert status == 200, body
    families = list(text_string_to_metric_families(body.decode()))
    assert len({family.name for family in families}) == len(families), "no name stands twice"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((f"oidc_bridge_{name}", frozenset(labels.items())), 0)


def counters(found: Samples) -> Samples:
    return {key: number for key, number in found.items() if re.search(r"_(total|count|bucket|sum)$", key[0])}


def workers_that_answer(url: str) -> float:
    return value(scrape(url), "workers")


def test_every_worker_tells_what_all_have_counted_and_a_dead_one_takes_nothing_along(
    command: Command, dynamic: RunningEmulator, port: int, url: str
) -> None:
    with command.serving("--port", str(port), "--workers", "2", url=url) as server:
        until(lambda: workers_that_answer(url) == 2, within=60)
        for _ in range(20):
            assert exchange(url, command, dynamic)[0] == 200
        assert exchange(url, command, dynamic, subject_token="x")[0] == 400
        for _ in range(6):  # whichever is asked
            found = scrape(url)
            assert value(found, "requests_total", endpoint="token", status="200") == 20
            assert value(found, "token_requests_total", grant_type="token-exchange", outcome="issued") == 20
            assert value(found, "token_requests_total", grant_type="token-exchange", outcome="refused") == 1
            assert value(found, "request_seconds_count", endpoint="token") == 21
            assert value(found, "events_total", event="issued") == 20
        before = counters(scrape(url))
        killed = workers_of(server.pid)
        for worker in killed:
            os.kill(worker, signal.SIGKILL)
            until(
                lambda gone=worker: gone not in workers_of(server.pid) and len(workers_of(server.pid)) == 2, within=60
            )
            until(lambda: workers_that_answer(url) == 2, within=60)
        after = counters(scrape(url))
        assert not [key for key, number in before.items() if after.get(key, 0) < number], "no counter goes back"
        assert exchange(url, command, dynamic)[0] == 200
        assert value(scrape(url), "events_total", event="issued") == 21
        folder = folder_of(workers_of(server.pid)[0])
        assert oct(folder.stat().st_mode & 0o777) == "0o700"
        pids = {int(path.stem.rpartition("_")[2]) for path in folder.glob("*.db")}
        assert pids == {0, *workers_of(server.pid)}, "the files of the dead were put together"
    assert not folder.exists()


def folder_of(worker: int) -> Path:
    environ = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    (found,) = (entry for entry in environ if entry.startswith(b"PROMETHEUS_MULTIPROC_DIR="))
    return Path(os.fsdecode(found.partition(b"=")[2]))


def test_each_request_is_one_line_of_json_with_the_id_that_the_answer_has(
    command: Command, dynamic: RunningEmulator, port: int, url: str
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with command.serving("--port", str(port), "--workers", "2", url=url):
        ids = {
            "token": exchange(url, command, dynamic)[2],
            "jwks": ask(url, "/jwks", traceparent=f"00-{trace}-b7ad6b7169203331-01")[2],
            "index": ask(url, "/")[2],
            "authorize": ask(url, "/authorize?client_id=hunter2&state=hunter2")[2],
            "none": ask(url, "/hunter2", X_Request_Id="chosen-by-the-client")[2],
            "userinfo": ask(url, f"/userinfo?{'hunter2' * 2000}")[2],
        }
        ask(url, "/healthz")
        ask(url, "/metrics")
    log = command.log()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    told = {line["request_id"]: line for line in lines if line["event"] == "request"}
    assert len(told) == len(ids)
    assert "hunter2" not in log
    assert "chosen-by" not in log
    found = {name: told[request_id] for name, request_id in ids.items()}
    assert {name: line["endpoint"] for name, line in found.items()} == {
        **{name: name for name in ids},
        "userinfo": "none",  # the line was too long to be looked at
    }
    assert (found["token"]["client_id"], found["token"]["status"]) == ("app", 200)
    assert found["jwks"]["trace_id"] == trace
    assert found["authorize"]["reason"] == "client_unknown"
    assert found["userinfo"]["status"] == 414
    assert all(line["ms"] > 0 and line["peer"] == "127.0.0.1" for line in found.values())


def post_that_waits(port: int, body: bytes = b"grant") -> socket.socket:
    """A connection on which a hundred bytes were promised, and only these came."""
    wire = socket.create_connection(("127.0.0.1", port), timeout=30)
    wire.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + body)
    return wire


@pytest.mark.slow  # they are waited for ten seconds
def test_bodies_that_never_come_are_no_failures_of_ours_and_took_none_of_our_time(
    command: Command, port: int, url: str
) -> None:
    with command.serving("--port", str(port), "--workers", "1", url=url), ExitStack() as held:
        wires = [held.enter_context(post_that_waits(port)) for _ in range(10)]
        for wire in wires:
            assert wire.recv(4096).startswith(b"HTTP/1.1 408 ")
        found = scrape(url)
    assert value(found, "requests_total", endpoint="token", status="408") == 10
    assert value(found, "token_requests_total", grant_type="other", outcome="refused") == 10
    assert not any(
        value(found, "token_requests_total", grant_type="other", outcome=o) for o in ("failed", "unavailable")
    )
    assert value(found, "request_seconds_bucket", endpoint="token", le="1.0") == 10


@pytest.mark.parametrize("gone", ["closed", "reset"])
def test_who_goes_away_in_the_middle_of_a_body_leaves_a_line_and_a_count_and_nothing_else(
    command: Command, port: int, url: str, gone: str
) -> None:
    with command.serving("--port", str(port), "--workers", "1", url=url):
        for _ in range(20):
            with post_that_waits(port) as wire:
                if gone == "reset":
                    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert ask(url, "/jwks")[0] == 200
        until(lambda: command.log().count('"status": 499') >= 20)
        found = scrape(url)
        serving, *lines = command.log().splitlines()
    assert serving.startswith("Serving ")
    told = [line for line in map(json.loads, lines) if line["event"] == "request"]
    assert [line["status"] for line in told if line["endpoint"] == "token"] == [499] * 20
    assert value(found, "requests_total", endpoint="token", status="499") == 20
    assert value(found, "token_requests_total", grant_type="other", outcome="refused") == 20


def test_before_it_stops_it_says_so_and_goes_on_answering_until_it_is_told_again(
    command: Command, port: int, url: str
) -> None:
    command = Command(command.folder, {**command.environ, "BRIDGE_DRAIN_DELAY": "120"})
    with command.serving("--port", str(port), "--workers", "2", url=url) as server:
        parts = json.loads(ask(url, "/readyz")[1])["parts"]
        assert (parts["server"], parts["background"], parts["signing keys"]) == ("ok", "ok", "ok")
        server.send_signal(signal.SIGTERM)
        until(lambda: ask(url, "/readyz")[0] == 503, within=60)
        assert json.loads(ask(url, "/readyz")[1])["parts"]["server"] == "stopping"
        assert ask(url, "/jwks")[0] == ask(url, "/healthz")[0] == 200
        server.send_signal(signal.SIGTERM)  # whoever asks again is in a hurry
        assert server.wait(timeout=60) == 0


def test_without_a_token_there_are_no_metrics_and_no_folder(command: Command, port: int, url: str) -> None:
    environ = {name: value for name, value in command.environ.items() if name != "BRIDGE_METRICS_TOKEN"}
    command = Command(command.folder, environ)
    with command.serving("--port", str(port), "--workers", "1", url=url) as server:
        assert ask(url, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 404
        (worker,) = workers_of(server.pid)
        assert b"PROMETHEUS" not in Path(f"/proc/{worker}/environ").read_bytes()


@pytest.mark.parametrize("server", ["gunicorn", "waitress"])
def test_other_servers_tell_the_same(
    server: str, command: Command, dynamic: RunningEmulator, port: int, url: str
) -> None:
    if server == "gunicorn":  # two workers: as docs/operating.md has it
        folder = command.folder / "counts"
        folder.mkdir(mode=0o700)
        command = Command(command.folder, {**command.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)})
    with ExitStack() as held:
        held.enter_context(other_server(command, *SERVERS[server](port), port=port))
        for _ in range(10):
            assert exchange(url, command, dynamic)[0] == 200
        for _ in range(4):
            found = scrape(url)
            assert value(found, "requests_total", endpoint="token", status="200") == 10
            assert value(found, "database_up") == 1
    assert '"endpoint": "token"' in command.log()


def test_folders_that_a_killed_server_left_are_removed_and_others_are_not() -> None:
    with folder_of_a_server():
        in_use = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        left = in_use.with_name("oidc-bridge-metrics-left-by-a-test")
        left.mkdir(exist_ok=True)
        (left / "server").touch()
        with folder_of_a_server():
            assert not left.exists()
            assert in_use.exists()
            assert Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]) != in_use


# The rules


def rules() -> Mapping[str, str]:
    """Each alert's expression, of a file whose form is simple on purpose."""
    told = RULES.read_text(encoding="utf-8")
    found = re.findall(r"- alert: (\w+)\n +expr: (?:>-\n((?: {10}.+\n)+)|(.+)\n)", told)
    assert len(found) == told.count("- alert:") == told.count("summary:") == told.count("severity:")
    return {name: " ".join((folded or plain).split()) for name, folded, plain in found}


def test_every_rule_speaks_of_metrics_and_labels_that_there_are(
    command: Command, dynamic: RunningEmulator, port: int, url: str
) -> None:
    with command.serving("--port", str(port), "--workers", "1", url=url):
        assert exchange(url, command, dynamic)[0] == 200
        until(lambda: value(scrape(url), "workers") == 1, within=60)
        until(lambda: any("upstream_keys_fetched" in name for name, _ in scrape(url)), within=60)
        found = [(name, dict(labels)) for name, labels in scrape(url)]
    for alert, expression in rules().items():
        selectors = re.findall(r"\b(oidc_bridge_\w+)(?:\{([^}]*)\})?", expression)
        assert selectors, alert
        for name, matchers in selectors:
            series = [labels for known, labels in found if known == name]
            assert series, f"{alert}: {name}"
            for label, sign, wanted in re.findall(r'(\w+)(=~?)"([^"]*)"', matchers or ""):
                values = {labels.get(label) for labels in series}
                assert set(wanted.split("|") if sign == "=~" else [wanted]) <= values, f"{alert}: {label}={wanted}"
        for grouping in re.findall(r"(?:by|ignoring|on) \(([^)]*)\)", expression) + re.findall(
            r"ignoring\((\w+)\)", expression
        ):
            known_labels = {label for _, labels in found for label in labels} | {"instance", "le"}
            assert set(re.split(r", ?", grouping)) <= known_labels, alert


def test_every_alert_is_explained(repository: Any) -> None:
    documented = repository("docs/operating.md")
    for alert in rules():
        assert f"`{alert}`" in documented, alert


def test_the_connection_of_a_scrape_is_kept_and_a_wrong_token_does_not_end_it(
    command: Command, port: int, url: str
) -> None:
    with command.serving("--port", str(port), "--workers", "1", url=url):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for token, status in ((TOKEN, 200), ("wrong", 401), (TOKEN, 200)):
            connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        connection.close()
