"""`oidc-bridge user` and `oidc-bridge session`, as an operator uses them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import WEB, Browser, answered, form_of
from conftest import ADDRESS, OFFLINE, Bridge
from served import Command, command_for

from bridge.clock import system_clock
from bridge.emulator import RunningEmulator, User

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36"


@pytest.fixture
def site(bridge: Bridge) -> Bridge:
    """A bridge at the commands' own time, which is the machine's."""
    bridge.clock.now = system_clock()
    bridge.add_client(**WEB, consent="ask", backchannel_logout_uri="https://app.example.com/logout")
    return bridge


@pytest.fixture
def command(site: Bridge, tmp_path: Path, dynamic: RunningEmulator) -> Command:
    """The command, where the bridge is, and on its database."""
    environ = {
        "BRIDGE_DEVELOPMENT": "true",
        "BRIDGE_ISSUER": site.config.issuer,
        "BRIDGE_DATABASE_URL": site.config.database_url,
        "BRIDGE_SECRET_KEYS": ",".join(site.config.secret_keys),
        "DYNAMIC_ENVIRONMENT_ID": site.config.environments[0].environment_id,
    }
    return replace(command_for(tmp_path, dynamic), environ=environ)


@pytest.fixture
def user(site: Bridge) -> User:
    return site.user()


@pytest.fixture
def browser(site: Bridge, user: User) -> Browser:
    """The user's browser, signed in to the app, which may act while they are away."""
    made = Browser(site, user_agent=MAC)
    page = made.hand_back(made.authorize(scope="openid email wallets offline_access"), site.assertion(user))
    made.follow(made.post("/consent", {**form_of(page).fields, "decision": "allow"}))
    return made


@pytest.mark.both_databases
def test_show_tells_who_it_is_and_what_they_have(command: Command, user: User, browser: Browser) -> None:
    told = command("user", "show", user.id)
    assert told.returncode == 0, told.stderr
    for words in (user.id, "active", "Sessions: 1 open, 0 over", "Chrome on macOS", "Grants: 1 open", "Consents: 1"):
        assert words in told.stdout
    document = json.loads(command("user", "show", user.id, "--json").stdout)
    assert document.keys() == {"profile", "sessions", "grants", "consents", "state"}
    assert [grant["client_id"] for grant in document["grants"]] == ["app"]
    assert document["consents"][0]["scope"] == ["email", "offline_access", "openid", "wallets"]


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_wallets_and_addresses_are_shown_in_full_only_if_that_is_asked_for(
    command: Command, user: User, browser: Browser, as_json: tuple[str, ...]
) -> None:
    short, full = (command("user", "show", user.id, *as_json, *more).stdout for more in ((), ("--full",)))
    for value in (ADDRESS, "demo@example.com"):
        assert value not in short
        assert value in full


@pytest.mark.both_databases
def test_a_session_is_listed_and_ended_by_its_id(site: Bridge, command: Command, user: User, browser: Browser) -> None:
    [listed] = json.loads(command("session", "list", user.id, "--json").stdout)
    assert listed["session_id"] in command("session", "list", user.id).stdout
    assert command("session", "end", listed["session_id"]).returncode == 0
    assert command("session", "list", user.id).stdout == ""
    assert command("session", "end", listed["session_id"]).returncode == 1
    assert answered(browser, prompt="none")["error"] == "login_required"
    assert site.rows("SELECT closed_cause FROM sessions") == [("ended_by_operator",)]
    assert site.rows("SELECT closed_cause FROM grants") == [("ended_by_operator",)]
    assert site.rows("SELECT receiver FROM outbox WHERE kind = 'backchannel_logout'") == [("app",)]


def test_a_session_is_ended_by_the_sid_that_a_client_knows(site: Bridge, command: Command, browser: Browser) -> None:
    [(sid,)] = site.rows("SELECT sid FROM grants")
    assert command("session", "end", sid).returncode == 0
    assert answered(browser, prompt="none")["error"] == "login_required"
    assert command("session", "end", sid).returncode == 1


def test_a_sid_of_an_exchange_ends_its_grants_alone(site: Bridge, command: Command, user: User) -> None:
    site.add_client("backend", **OFFLINE)
    token = site.keep(user, "backend")
    [(sid,)] = site.rows("SELECT sid FROM grants")
    other = site.keep(user, "backend")
    assert command("session", "end", sid).returncode == 0
    assert site.refresh(token, "backend").json["error"] == "invalid_grant"
    assert site.refresh(other, "backend").status_code == 200


def test_erase_forgets_a_user_and_keeps_the_sub(site: Bridge, command: Command, user: User, browser: Browser) -> None:
    assert command("user", "erase", user.id).stderr == "1 grant ended.\n"
    told = command("user", "show", user.id, "--full", "--json").stdout
    document = json.loads(told)
    assert (document["profile"]["claims"], document["consents"]) == ({}, [])
    for value in (ADDRESS, "demo@example.com", "Macintosh"):
        assert value not in told


def test_revoke_leaves_consents_standing(site: Bridge, command: Command, user: User, browser: Browser) -> None:
    assert command("user", "revoke", user.id).returncode == 0
    assert site.rows("SELECT count(*) FROM consents") == [(1,)]


@pytest.mark.parametrize("words", [("user", "show"), ("user", "erase"), ("session", "list"), ("session", "end")])
def test_who_is_not_known_is_a_failure_and_nobody_named_is_wrong_usage(
    command: Command, words: tuple[str, ...]
) -> None:
    for unknown in ("d297be28-af3e-4920-96ad-58962c381eb1", "x' OR 1=1 --", ""):
        failed = command(*words, unknown)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert failed.stderr.startswith("There is no ")
    assert command(*words).returncode == 2
