"""What a run left out, said at its end where nobody overlooks it. What `REQUIRE` names may not be left out."""

import os
from typing import Any

import pytest

REQUIRE = "BRIDGE_TEST_REQUIRE"
_left_out = pytest.StashKey[list[str]]()


def leave_out(config: pytest.Config, what: str) -> None:
    """Note a sentence for the summary, once."""
    noted = config.stash.setdefault(_left_out, [])
    if what not in noted:
        noted.append(what)


def only_when_asked(config: pytest.Config, items: list[pytest.Item], mark: str, said: str) -> None:
    """Leave out what carries a mark unless it is asked for by `-m`. `said`: the sentence, with {count} for how many."""
    if mark in config.option.markexpr:
        return
    out = [item for item in items if item.get_closest_marker(mark)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
        leave_out(config, said.format(count=len(out)))


def is_required(what: str) -> bool:
    return what in os.environ.get(REQUIRE, "")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that runs a part of the tests hands on what it left out."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = session.config.stash.get(_left_out, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each such process has left out the same of what it never collected, and its own of the rest."""
    for what in getattr(node, "workeroutput", {}).get("left_out", []):
        leave_out(node.config, what)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if noted := config.stash.get(_left_out, []):
        terminalreporter.section("NOT TESTED", sep="!", red=True, bold=True)
        for what in noted:
            terminalreporter.write_line(what)
