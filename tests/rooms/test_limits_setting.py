"""BRIDGE_LIMITS: what an operator may write, and what it means."""

from dataclasses import replace
from pathlib import Path

import pytest
from test_config import faults, faulty, read

from bridge.clock import system_clock
from bridge.config.settings import DEFAULT_LIMITS
from bridge.ratelimit import RateLimits

DEFAULT = dict(DEFAULT_LIMITS)


@pytest.fixture(autouse=True)
def in_an_empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_limit_has_a_default() -> None:
    assert tuple(DEFAULT_LIMITS) == ("source", "failures", "client", "user", "webhooks", "signins")
    assert read().limits == DEFAULT


@pytest.mark.parametrize(
    ("written", "held"),
    [
        ("off", {}),
        ("user=off", {name: rate for name, rate in DEFAULT.items() if name != "user"}),
        ("source=10/second", {**DEFAULT, "source": "10/second"}),
        (" source = 10/second , client=5/hour,", {**DEFAULT, "source": "10/second", "client": "5/hour"}),
    ],
)
def test_the_variable_changes_what_it_names(written: str, held: dict[str, str]) -> None:
    assert read(BRIDGE_LIMITS=written).limits == held


def test_bridge_toml_has_a_table_or_a_word() -> None:
    assert read('[limits]\nsource = "10/second"\nuser = "off"').limits == {
        **{name: rate for name, rate in DEFAULT.items() if name != "user"},
        "source": "10/second",
    }
    assert read('limits = "off"').limits == {}
    assert read('limits = "off"', BRIDGE_LIMITS="user=1/second").limits["user"] == "1/second"


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ("everything=1/second", "BRIDGE_LIMITS, everything"),
        ("source=0/second", "BRIDGE_LIMITS, source"),
        ("source=-1/second", "BRIDGE_LIMITS, source"),
        ("source=1/fortnight", "BRIDGE_LIMITS, source"),
        ("source=1 per second", "BRIDGE_LIMITS, source"),
        ("source=\u0661/second", "BRIDGE_LIMITS, source"),
        ("source", "BRIDGE_LIMITS, source"),
        ("on", "BRIDGE_LIMITS, on"),
    ],
)
def test_what_is_no_limit_is_a_fault_with_its_mend(written: str, where: str) -> None:
    [fault] = faults(BRIDGE_LIMITS=written)
    assert fault.setting == where
    assert fault.mend


def test_a_table_of_numbers_is_a_fault() -> None:
    assert faulty("[limits]\nsource = 10\nuser = [1]") == {"BRIDGE_LIMITS, source", "BRIDGE_LIMITS, user"}
    assert faulty("limits = 10") == {"BRIDGE_LIMITS, 10"}


def test_every_rate_that_may_be_written_is_one_for_the_library() -> None:
    for unit in ("second", "minute", "hour"):
        RateLimits({"source": f"999999999/{unit}"}, sources_known=True, clock=system_clock).of_source("192.0.2.1")


def test_whose_address_it_is_follows_from_who_ends_tls() -> None:
    config = read()
    assert not config.sources_known
    assert replace(config, proxies=1).sources_known
    assert replace(config, tls_cert="cert.pem").sources_known
    assert replace(config, issuer="http://localhost:8080").sources_known
