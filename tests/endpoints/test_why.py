"""`audit why` walks from what ended back to who began it; the audit log's lines, and what they say of people."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from browsing import SIGNIN_ORIGIN, WEB, Browser
from click.testing import CliRunner
from conftest import ADDRESS, OFFLINE, Bridge
from hooking import hook

from bridge.cli import main
from bridge.history import BRIDGE, OPERATOR, AuditEntry, Cause, Event, acting_user
from bridge.lifecycle.endings import disable_user, disconnect, erase_user, sign_out
from bridge.store import Database, audit, sessions
from bridge.store.telling import TellingDatabase


def why(bridge: Bridge, wanted: str, *options: str) -> str:
    """What `oidc-bridge audit why` prints."""
    environ = {
        "BRIDGE_DEVELOPMENT": "true",
        "BRIDGE_ISSUER": bridge.config.issuer,
        "BRIDGE_DATABASE_URL": bridge.config.database_url,
        "BRIDGE_SECRET_KEYS": ",".join(bridge.config.secret_keys),
        "DYNAMIC_ENVIRONMENT_ID": bridge.dynamic.emulator.environment_id,
        "DYNAMIC_API_BASE_URL": bridge.dynamic.base_url,
    }
    told = CliRunner(env={"BRIDGE_TEST_REQUIRE": None, **environ}).invoke(main, ["audit", "why", wanted, *options])
    assert told.exit_code == 0, told.output
    return str(told.stdout)


def steps(bridge: Bridge, wanted: str) -> list[str]:
    """The sentences of the chain below the first verdict, without their times."""
    verdict, *rest = why(bridge, wanted).splitlines()
    assert verdict.startswith(("Grant", "Session"))
    return [line.strip().partition("Z  ")[2] for line in rest if line.strip()[0] in "←→"]


def only(bridge: Bridge, column: str, table: str = "grants") -> str:
    ((value,),) = bridge.rows(f"SELECT {column} FROM {table}")
    return str(value)


def test_a_grant_that_a_webhook_ended_leads_to_the_event(make_bridge: Callable[..., Bridge]) -> None:
    hooked = hook(make_bridge)
    bridge = hooked.bridge
    bridge.add_client(**OFFLINE, backchannel_logout_uri="https://app.example.com/out")
    session = hooked.sign_in(bridge.user())
    hooked.tokens(session, scope="openid offline_access")
    bridge.clock.forward(60)
    hooked.dynamic.management.revoke_session(session.sid)
    hooked.send()
    event_id = hooked.dynamic.management.events()[-1].event_id
    with bridge.database.writing() as tx:  # as delivery writes it
        told = {"client_id": "app", "sub": only(bridge, "sub"), "sid": only(bridge, "sid")}
        audit.record(tx, AuditEntry(bridge.clock() + 1, Event.LOGOUT_DELIVERED, BRIDGE, **told))
    for wanted in ("grant_id", "sid", "sub"):
        assert steps(bridge, only(bridge, wanted)) == [
            f"the session {session.sid} at Dynamic ended",
            f"Dynamic told so: admin.user.session.revoked, event {event_id}",
            "client app was told that the session has ended",
        ]


def test_a_grant_that_the_live_check_ended_leads_to_it(make_bridge: Callable[..., Bridge], dynamic: Any) -> None:
    bridge = make_bridge(DYNAMIC_LIVE_CHECK="open", DYNAMIC_API_TOKEN=dynamic.emulator.api_token)
    bridge.add_client(**OFFLINE)
    session = dynamic.emulator.sign_in(bridge.user().id, origin=SIGNIN_ORIGIN)
    token = bridge.exchange(dynamic.emulator.mint(session), scope="openid offline_access").json["refresh_token"]
    dynamic.emulator.revoke(session.sid)
    assert bridge.refresh(token).status_code == 400
    assert steps(bridge, only(bridge, "grant_id")) == [
        f"the session {session.sid} at Dynamic ended",
        "the live check asked Dynamic, which said that the session does not go on",
    ]


def test_a_reuse_leads_to_the_two_presentations_that_do_not_go_together(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    first = bridge.keep()
    second = bridge.refresh(first).json["refresh_token"]
    bridge.clock.forward(5)
    third = bridge.refresh(second).json["refresh_token"]
    bridge.refresh(third)
    bridge.clock.forward(60)
    assert bridge.refresh(first).status_code == 400
    told = why(bridge, only(bridge, "grant_id"))
    assert [line[5:].partition("Z  ")[2] for line in told.splitlines() if "←" in line] == [
        "refresh token 0 of the grant came back",
        "its successor, 1, was used",
        "it was used first",
        "client:app did it",
    ]
    times = [line.split("Z  ")[0][-8:] for line in told.splitlines() if "←" in line]
    assert times[0] > times[1] > times[2], "each with its own time"


def test_what_an_operator_did_leads_to_them(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    bridge.keep(user)
    with bridge.database.writing() as tx:
        disable_user(tx, user.id, actor=OPERATOR, now=bridge.clock() + 1)
    assert steps(bridge, only(bridge, "grant_id")) == ["the user was disabled", "an operator did it"]


def test_an_app_that_was_disconnected_leads_to_its_user(bridge: Bridge) -> None:
    bridge.add_client(**OFFLINE)
    user = bridge.user()
    bridge.keep(user)
    with bridge.database.writing() as tx:
        disconnect(tx, user.id, "app", actor=acting_user(user.id), now=bridge.clock())
    assert steps(bridge, only(bridge, "grant_id"))[-1] == f"user:{user.id} did it"


def test_a_session_and_its_grant_lead_to_who_ended_it(bridge: Bridge) -> None:
    bridge.add_client(**WEB)
    browser, user = Browser(bridge), bridge.user()
    browser.tokens(user, scope="openid offline_access")
    cookie = next(value for name, value in browser.cookies.items() if "session" in name)
    with bridge.database.writing() as tx:
        held = sessions.find(tx, cookie, bridge.clock())
        assert held is not None
        sign_out(tx, held[0], actor=acting_user(user.id), now=bridge.clock(), cause=Cause.ENDED_BY_USER)
    session_id = only(bridge, "session_id", "sessions")
    told = why(bridge, session_id)
    assert "the user ended it from another device." in told
    assert steps(bridge, session_id) == [f"user:{user.id} did it"]
    assert steps(bridge, only(bridge, "grant_id")) == [
        f"the browser's session {session_id} ended",
        f"user:{user.id} did it",
    ]
    assert cookie not in told
    because = json.loads(why(bridge, session_id, "--json"))["because"]
    assert because[session_id][0]["sentence"] == f"user:{user.id} did it"


# The lines on stdout


def lines(captured: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.splitlines()]


def test_each_entry_is_a_line_on_stdout_by_setting(
    make_bridge: Callable[..., Bridge], capsys: pytest.CaptureFixture[str]
) -> None:
    bridge = make_bridge(BRIDGE_AUDIT_STDOUT="true")
    bridge.add_client(**OFFLINE)
    capsys.readouterr()
    token = bridge.keep()
    bridge.refresh(token)
    told = lines(capsys.readouterr().out)
    assert [(line["log"], line["event"]) for line in told] == [("audit", "issued"), ("audit", "refreshed")]
    kept = bridge.rows("SELECT at, actor, sub, sid, grant_id FROM audit WHERE event IN ('issued', 'refreshed')")
    assert [(line["at"], line["actor"], line["sub"], line["sid"], line["grant_id"]) for line in told] == kept
    assert token not in json.dumps(told)


def test_by_default_stdout_stays_empty(bridge: Bridge, capsys: pytest.CaptureFixture[str]) -> None:
    bridge.add_client(**OFFLINE)
    bridge.keep()
    assert capsys.readouterr().out == ""


@pytest.mark.both_databases
def test_what_was_not_committed_is_not_told(database_url: str, database: Database) -> None:
    assert database
    heard: list[AuditEntry] = []
    entry = AuditEntry(1, Event.USER_ENABLED, OPERATOR)
    with TellingDatabase(database_url, [heard.extend]) as telling:
        with suppress(LookupError), telling.writing() as tx:
            audit.record(tx, entry)
            raise LookupError
        assert not heard
        with telling.rehearsing() as tx:
            audit.record(tx, entry)
        assert not heard
        with telling.writing() as tx:
            audit.record_all(tx, [entry, entry])
            assert not heard, "not before it is committed"
        assert heard == [entry, entry]
        with telling.writing() as tx:
            assert tx.info
        assert len(heard) == 2


# Who it was


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        ("none", {}),
        ("redacted", {"email": "d***@example.com", "wallet": f"{ADDRESS[:6]}***{ADDRESS[-4:]}"}),
        ("full", {"email": "demo@example.com", "wallet": ADDRESS}),
    ],
)
def test_a_sign_in_says_who_it_was_by_setting_until_the_user_is_erased(
    make_bridge: Callable[..., Bridge], shown: str, wanted: dict[str, str]
) -> None:
    bridge = make_bridge(BRIDGE_AUDIT_IDENTIFIERS=shown)
    bridge.add_client(**WEB)
    user = bridge.user()
    Browser(bridge).tokens(user, scope="openid")
    detail = json.loads(only(bridge, "detail", "audit WHERE event = 'signed_in'"))
    assert detail == {"origin": SIGNIN_ORIGIN, **wanted}
    everything = str(bridge.rows("SELECT detail FROM audit WHERE event <> 'signed_in'"))
    assert "demo@example.com" not in everything
    assert ADDRESS not in everything
    with bridge.database.writing() as tx:
        erase_user(tx, user.id, actor=OPERATOR, now=bridge.clock())
    assert json.loads(only(bridge, "detail", "audit WHERE event = 'signed_in'")) == {"origin": SIGNIN_ORIGIN}
