"""/metrics: who may see it, what is counted, and that no label is a stranger's."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from conftest import OFFLINE, Bridge
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from bridge.reasons import Reason
from bridge.store import outbox
from bridge.store.outbox import Kind, Message

TOKEN = "metrics-token-of-the-tests-0123456789"
Sample = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture
def bridge(make_bridge: Callable[..., Bridge]) -> Bridge:
    return make_bridge(BRIDGE_METRICS_TOKEN=TOKEN)


def scrape(bridge: Bridge) -> Mapping[Sample, float]:
    answer = bridge.http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert answer.headers["Cache-Control"] == "no-store"
    families = list(text_string_to_metric_families(answer.text))
    assert len({family.name for family in families}) == len(families), "no name stands twice"
    return {
        (sample.name.removeprefix("oidc_bridge_"), frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xff"],
)
def test_without_its_token_nobody_sees_it(bridge: Bridge, authorization: str | None) -> None:
    answer = bridge.http.get("/metrics", headers={} if authorization is None else {"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "oidc_bridge" not in answer.text


def test_where_no_token_is_set_there_is_nothing_whoever_asks(make_bridge: Callable[..., Bridge]) -> None:
    bridge = make_bridge()
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}"}, {"Authorization": "Bearer None"}):
        assert bridge.http.get("/metrics", headers=headers).status_code == 404


def test_the_token_is_taken_in_the_header_alone(bridge: Bridge) -> None:
    assert bridge.http.get(f"/metrics?access_token={TOKEN}").status_code == 401
    assert bridge.http.post("/metrics", data={"access_token": TOKEN}).status_code == 405


def test_requests_refusals_and_tokens_are_counted(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    before = scrape(bridge)
    refresh_token = bridge.keep()
    for _ in range(2):
        refresh_token = bridge.refresh(refresh_token).json["refresh_token"]
    bridge.refresh("dob_refresh_unknown")
    bridge.token({"grant_type": "hunter2"})
    bridge.http.get("/hunter2")
    after = scrape(bridge)

    def grown(name: str, **labels: str) -> float:
        return after.get(sample(name, **labels), 0) - before.get(sample(name, **labels), 0)

    assert grown("requests_total", endpoint="token", status="200") == 3
    assert grown("requests_total", endpoint="token", status="400") == 2
    assert grown("requests_total", endpoint="none", status="404") == 1
    assert grown("request_seconds_count", endpoint="token") == 5
    assert grown("token_requests_total", grant_type="token-exchange", outcome="issued") == 1
    assert grown("token_requests_total", grant_type="refresh_token", outcome="issued") == 2
    assert grown("token_requests_total", grant_type="refresh_token", outcome="refused") == 1
    assert grown("token_requests_total", grant_type="other", outcome="refused") == 1
    assert grown("refusals_total", reason=Reason.REFRESH_TOKEN_INVALID.code) == 1
    assert grown("events_total", event="issued") == 1
    assert grown("events_total", event="refreshed") == 2
    assert not [name for name in after if "hunter2" in str(name)], "what a stranger writes is no label"


def test_what_was_not_committed_is_no_event(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    bridge.keep()
    before = scrape(bridge)
    with bridge.database.writing() as tx:
        tx.execute(text("DROP TABLE refresh_tokens"))
    answer = bridge.exchange(bridge.assertion(), scope="openid offline_access")
    assert answer.status_code in (500, 503)
    assert scrape(bridge)[sample("events_total", event="issued")] == before[sample("events_total", event="issued")]


def test_the_age_of_keys_is_told(bridge: Bridge) -> None:
    found = scrape(bridge)
    assert not [name for name, _ in found if name.startswith("upstream_keys")], "until they were fetched"
    assert found[sample("signing_keys", alg="RS256", state="active")] == 1
    assert found[sample("signing_key_since_timestamp_seconds", alg="RS256", state="active")] == bridge.clock()
    bridge.add_client()
    bridge.exchange(bridge.assertion())
    fetched_at = bridge.clock()
    bridge.clock.forward(100)
    environment = bridge.dynamic.emulator.environment_id
    found = scrape(bridge)
    assert found[sample("upstream_keys_fetched_timestamp_seconds", environment=environment)] == fetched_at
    assert bridge.clock() - found[sample("signing_keys_read_timestamp_seconds")] <= 60


@pytest.mark.both_databases
def test_the_outbox_is_told_and_the_database_is_asked_at_most_every_ten_seconds(
    make_bridge: Callable[..., Bridge],
) -> None:
    bridge = make_bridge(BRIDGE_METRICS_TOKEN=TOKEN)
    assert scrape(bridge)[sample("outbox_messages", state="waiting")] == 0
    with bridge.database.writing() as tx:
        outbox.put(tx, [Message(Kind.CLOSE_REST, "bridge")] * 3, bridge.clock())
    assert scrape(bridge)[sample("outbox_messages", state="waiting")] == 0
    bridge.clock.forward(10)
    found = scrape(bridge)
    assert found[sample("outbox_messages", state="waiting")] == 3
    assert found[sample("outbox_messages", state="dead")] == 0
    assert found[sample("outbox_oldest_seconds")] == found[sample("outbox_overdue_seconds")] == 10
    assert found[sample("database_up")] == 1
    assert found[sample("database_connections", kind="max")] > 1


def test_without_its_database_it_says_so_and_tells_the_rest(bridge: Bridge) -> None:
    bridge.database.close()
    bridge.http.application.extensions["bridge"].database.close()
    for name in ("bridge.db", "bridge.db-wal", "bridge.db-shm"):
        Path(name).unlink(missing_ok=True)
    Path("bridge.db").mkdir()
    found = scrape(bridge)
    assert found[sample("database_up")] == 0
    assert not [name for name, _ in found if name.startswith("outbox")]
    assert [name for name, _ in found if name == "signing_keys"]
    Path("bridge.db").rmdir()


def test_an_internal_error_is_counted_from_the_first_one_on(bridge: Bridge) -> None:
    assert scrape(bridge)[sample("internal_errors_total")] == 0
    held = bridge.http.application.extensions["bridge"].keyring
    kept = held._held
    del held._held  # no input makes one
    assert bridge.http.get("/jwks").status_code == 500
    held._held = kept
    assert scrape(bridge)[sample("internal_errors_total")] == 1
