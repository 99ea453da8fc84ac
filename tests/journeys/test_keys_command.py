"""`oidc-bridge keys`, as an operator uses it: rotation, a leaked key, and a change of the secret keys."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from served import Command, command_for

from bridge.emulator import RunningEmulator
from bridge.keylife import LEAD
from bridge.store.seal import new_secret_key


@pytest.fixture
def command(tmp_path: Path, dynamic: RunningEmulator) -> Command:
    made = command_for(tmp_path, dynamic)
    assert made("init", "--environment-id", dynamic.emulator.environment_id).returncode == 0
    return made


def listed(command: Command, **wanted: str) -> list[dict[str, Any]]:
    answer = command("keys", "list", "--json")
    assert answer.returncode == 0, answer.stderr
    return [key for key in json.loads(answer.stdout) if all(key[name] == value for name, value in wanted.items())]


def test_each_key_is_listed_with_what_happens_to_it_next(command: Command) -> None:
    keys = listed(command)
    assert [(key["alg"], key["state"], key["sealed_under"]) for key in keys] == [
        ("RS256", "active", 1),
        ("ES256", "active", 1),
        ("Ed25519", "active", 1),
    ]
    for key in keys:
        assert key["next"] == {"step": "prepare", "at": key["since"] + 90 * 86400}
    told = command("keys", "list").stdout
    assert all(key["kid"] in told for key in keys)
    assert told.count("a successor is made at 20") == 3
    by_command = Command(command.folder, {**command.environ, "BRIDGE_KEY_ROTATION": "0"})
    assert [key["next"] for key in listed(by_command)] == [None] * 3
    assert by_command("keys", "list").stdout.count("rotation is by command") == 3


def test_a_rotation_by_command_says_from_when_the_new_key_signs_and_is_not_begun_twice(command: Command) -> None:
    rotated = command("keys", "rotate", "--alg", "ES256")
    assert rotated.returncode == 0, rotated.stderr
    (made,) = listed(command, state="pending")
    assert made["next"] == {"step": "sign", "at": made["since"] + LEAD}
    assert re.fullmatch(rf"{made['kid']}  ES256  signs from 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ\n", rotated.stdout)
    (active,) = listed(command, alg="ES256", state="active")
    assert active["next"] == {"step": "retire", "at": made["since"] + LEAD}
    for words in (("--alg", "ES256"), ()):
        refused = command("keys", "rotate", *words)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert made["kid"] in refused.stderr
    assert len(listed(command)) == 4
    assert command("keys", "rotate", "--alg", "RS256", "--alg", "Ed25519").stdout.count("signs from") == 2
    assert command("keys", "rotate", "--alg", "HS256").returncode == 2


@pytest.mark.slow
def test_a_leaked_key_is_withdrawn_and_another_signs_in_its_place(command: Command) -> None:
    (leaked,) = listed(command, alg="RS256")
    command("keys", "rotate", "--alg", "RS256")
    (pending,) = listed(command, state="pending")
    retired = command("keys", "retire", leaked["kid"])
    assert retired.returncode == 0
    assert retired.stdout == f"{pending['kid']}\n"
    assert "300 s" in retired.stderr
    assert [(key["kid"], key["state"]) for key in listed(command, alg="RS256")] == [(pending["kid"], "active")]
    again = command("keys", "retire", leaked["kid"])
    assert (again.returncode, again.stdout) == (1, "")
    new = command("keys", "retire", pending["kid"]).stdout.strip()
    assert [(key["kid"], key["state"]) for key in listed(command, alg="RS256")] == [(new, "active")]


def test_a_key_that_does_not_sign_is_withdrawn_without_a_successor(command: Command) -> None:
    command("keys", "rotate", "--alg", "ES256")
    (pending,) = listed(command, state="pending")
    retired = command("keys", "retire", pending["kid"])
    assert (retired.returncode, retired.stdout) == (0, "")
    assert pending["kid"] in retired.stderr
    assert len(listed(command)) == 3


@pytest.mark.slow
def test_the_secret_keys_are_changed_without_one_being_told(command: Command) -> None:
    old = dict(line.split("=", 1) for line in (command.folder / "bridge.env").read_text().splitlines())[
        "BRIDGE_SECRET_KEYS"
    ]
    new = new_secret_key()

    def under(*secret_keys: str) -> Command:
        return Command(command.folder, {**command.environ, "BRIDGE_SECRET_KEYS": ",".join(secret_keys)})

    changing = under(new, old)
    assert {key["sealed_under"] for key in listed(changing)} == {2}
    noted = changing("check")
    assert noted.returncode == 0
    assert "4 sealed values are under an older secret key" in noted.stdout
    rewrapped = changing("keys", "rewrap")
    assert rewrapped.returncode == 0
    assert "4 sealed values" in rewrapped.stderr
    assert "0 sealed values" in changing("keys", "rewrap").stderr
    assert {key["sealed_under"] for key in listed(changing)} == {1}
    assert under(new)("check").returncode == 0
    assert "older secret key" not in under(new)("check").stdout
    for words in (("check",), ("keys", "list"), ("keys", "rewrap")):
        refused = under(old)(*words)
        assert refused.returncode == 1
        assert "other BRIDGE_SECRET_KEYS" in refused.stderr
    for told in (noted, rewrapped, changing("keys", "list")):
        assert not [key for key in (old, new) if key in told.stdout + told.stderr]
