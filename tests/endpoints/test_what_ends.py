"""What each cause ends: the table of docs/sessions.md, read from there, cell by cell, by the real endpoints."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from browsing import SIGNIN_ORIGIN, WEB, Browser, answered, parameters
from conftest import WEBHOOK_SECRET, Bridge
from hooking import Hooked, hook

from bridge.emulator import Session, User
from bridge.history import OPERATOR, Cause, acting_user
from bridge.lifecycle.endings import disable_user, disconnect, erase_user, revoke_user, sign_out
from bridge.model import TOKEN_EXCHANGE
from bridge.store import Tx, clients, sessions

OFFLINE_SCOPE = "openid offline_access"
EVERY_GRANT = {**WEB, "grants": (*WEB["grants"], TOKEN_EXCHANGE)}
APPS = ("web", "keeper", "api")


@dataclass
class World:
    """One user on two devices, with everything that can be open for them."""

    hooked: Hooked
    user: User
    session: Session  # at Dynamic, of the first device
    jwt: str  # of that session
    browser: Browser
    codes: Mapping[str, str]
    held: dict[str, dict[str, Any]]  # by client: what the first device has
    beside: dict[str, Any]  # what an exchange without a grant gave
    elsewhere: dict[str, Any]  # what the second device has

    @property
    def bridge(self) -> Bridge:
        return self.hooked.bridge

    def refreshes(self, client_id: str, tokens: Mapping[str, Any]) -> bool:
        """Whether its refresh token is good; if not, the answer is one that signs the user out, or the client's."""
        answer = self.bridge.refresh(tokens["refresh_token"], client_id)
        assert answer.status_code == 200 or answer.json["error"] in ("invalid_grant", "invalid_client"), answer.json
        return answer.status_code == 200

    def is_active(self, client_id: str, tokens: Mapping[str, Any]) -> bool:
        """What userinfo says; introspection agrees, unless its caller is disabled."""
        said = self.bridge.userinfo(tokens["access_token"]).status_code
        introspection = self.bridge.call("/introspect", tokens["access_token"], client_id).json
        assert said in (200, 401)
        assert introspection.get("active", False) is (said == 200), introspection
        return said == 200


def world(hooked: Hooked) -> World:
    bridge, dynamic = hooked.bridge, hooked.dynamic
    logout = "https://app.example.com/backchannel"
    bridge.add_client("web", **EVERY_GRANT, backchannel_logout_uri=logout)
    bridge.add_client("keeper", **WEB, backchannel_logout_uri=logout, offline_survives_logout=True)
    bridge.add_client("api", grants=(TOKEN_EXCHANGE,))
    bridge.add_client("watch", **WEB)
    user = bridge.user()
    session, browser = dynamic.sign_in(user.id, origin=SIGNIN_ORIGIN), Browser(bridge)
    to_client = browser.hand_back(browser.authorize("web", scope=OFFLINE_SCOPE), dynamic.mint(session))
    codes = {"web": parameters(to_client.headers["Location"])["code"]}
    codes["keeper"] = answered(browser, "keeper", scope=OFFLINE_SCOPE, prompt="none")["code"]
    held = {client_id: dict(browser.redeem(code, client_id).json) for client_id, code in codes.items()}
    jwt = dynamic.mint(session)
    beside = bridge.exchange(jwt, "api", scope="openid").json
    other = dynamic.sign_in(user.id, origin=SIGNIN_ORIGIN)
    elsewhere = bridge.exchange(dynamic.mint(other), "web", scope=OFFLINE_SCOPE).json
    hooked.send()
    bridge.clock.forward(60)
    return World(hooked, user, session, jwt, browser, codes, held, dict(beside), dict(elsewhere))


# The causes


def signs_out(world: World) -> None:
    hint = world.held["web"]["id_token"]
    assert world.browser.get(f"/logout?id_token_hint={hint}").status_code == 200


def of_user(verb: Callable[..., Any], **how: Any) -> Callable[[World], None]:
    """A verb of lifecycle/endings on the user as a whole."""

    def done(world: World) -> None:
        how_now = {"actor": OPERATOR, **how}
        with world.bridge.database.writing() as tx:
            assert verb(tx, world.user.id, now=world.bridge.clock(), **how_now) is not None

    return done


def ended(cause: Cause) -> Callable[[World], None]:
    """The browser's session is ended by somebody who does not sit before it."""

    def done(world: World) -> None:
        now = world.bridge.clock()

        def end(tx: Tx) -> None:
            cookie = next(value for name, value in world.browser.cookies.items() if "session" in name)
            held = sessions.find(tx, cookie, now)
            assert held is not None
            sign_out(tx, held[0], actor=acting_user(world.user.id), now=now, cause=cause)

        world.bridge.database.decide(end)

    return done


def dynamic_revokes(world: World) -> None:
    world.hooked.dynamic.revoke(world.session.sid)
    assert world.hooked.send() == [200]


def admin_revokes(world: World) -> None:
    world.hooked.dynamic.management.revoke_session(world.session.sid)
    assert world.hooked.send() == [200]


def live_check_finds(world: World) -> None:
    world.hooked.dynamic.revoke(world.session.sid)
    assert not world.refreshes("web", world.held["web"])


def dynamic_deletes(world: World) -> None:
    world.hooked.dynamic.management.delete_user(world.user.id)
    assert world.hooked.send() == [200]


def dynamic_merges(world: World) -> None:
    survivor = world.bridge.user(email="survivor@example.com", wallets=[])
    world.hooked.send()
    world.hooked.dynamic.management.merge_users(world.user.id, survivor.id)
    assert set(world.hooked.send()) == {200}


def disconnects(world: World) -> None:
    with world.bridge.database.writing() as tx:
        for app in APPS:
            disconnect(tx, world.user.id, app, actor=acting_user(world.user.id), now=world.bridge.clock())


def clients_disabled(world: World, *, disabled: bool = True) -> None:
    with world.bridge.database.writing() as tx:
        for app in APPS:
            found = clients.find(tx, app)
            assert found is not None
            clients.change(tx, replace(found, disabled=disabled), world.bridge.clock())
    world.bridge.forget_cache()


def clients_enabled(world: World) -> None:
    clients_disabled(world, disabled=False)


def reused(world: World) -> None:
    for client_id, tokens in world.held.items():
        first = tokens["refresh_token"]
        for _ in range(2):
            tokens.update(world.bridge.refresh(tokens["refresh_token"], client_id).json)
        world.bridge.clock.forward(31)
        assert world.bridge.refresh(first, client_id).status_code == 400


def code_reused(world: World) -> None:
    for client_id, code in world.codes.items():
        assert world.browser.redeem(code, client_id).status_code == 400


def takes_back(kind: str) -> Callable[[World], None]:
    def done(world: World) -> None:
        given = {**world.held, **({"api": world.beside} if kind == "access_token" else {})}
        for client_id, tokens in given.items():
            assert world.bridge.call("/revoke", tokens[kind], client_id).status_code == 200

    return done


def somebody_else_signs_in(world: World) -> None:
    other = world.bridge.user(email="other@example.com", wallets=[])
    browser = Browser(world.bridge, dict(world.browser.cookies))
    browser.hand_back(browser.authorize("watch", prompt="login"), world.bridge.assertion(other))
    assert "code" in answered(browser, "watch", prompt="none")


def time_passes(world: World) -> None:
    world.bridge.clock.forward(300)


CAUSES: Mapping[str, Callable[[World], None]] = {
    "the user signs out at an app": signs_out,
    "the user signs out everywhere": of_user(revoke_user, cause=Cause.SIGNED_OUT_EVERYWHERE),
    "the user ends the session from another device": ended(Cause.ENDED_BY_USER),
    "an operator ends the session": ended(Cause.ENDED_BY_OPERATOR),
    "an operator signs the user out": of_user(revoke_user),
    "Dynamic revokes the session, at the user's wish": dynamic_revokes,
    "Dynamic revokes the session, at an admin's wish": admin_revokes,
    "the live check finds the session ended at Dynamic": live_check_finds,
    "Dynamic deletes the user": dynamic_deletes,
    "Dynamic merges the user into another": dynamic_merges,
    "an operator disables the user": of_user(disable_user),
    "the user's data is erased": of_user(erase_user),
    "the user disconnects the apps": disconnects,
    "the clients are disabled": clients_disabled,
    "a refresh token is used again, long after its successor": reused,
    "a code comes a second time": code_reused,
    "the client takes a refresh token back": takes_back("refresh_token"),
    "the client takes an access token back": takes_back("access_token"),
    "somebody else signs in with the browser": somebody_else_signs_in,
    "the browser's session is not used for too long": time_passes,
    "the browser's session has reached its end": time_passes,
}
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "the live check finds the session ended at Dynamic": {"DYNAMIC_LIVE_CHECK": "closed"},
    "the browser's session is not used for too long": {"BRIDGE_SESSION_IDLE_TTL": "300"},
    "the browser's session has reached its end": {"BRIDGE_SESSION_ABSOLUTE_TTL": "360"},
}
UNDO: Mapping[str, Callable[[World], None]] = {"the clients are disabled": clients_enabled}


def looked_at(world: World) -> dict[str, Any]:
    """What of everything is good, by the columns of the table."""
    cookies = Browser(world.bridge, dict(world.browser.cookies))
    return {
        "access tokens of grants": all(world.is_active(app, tokens) for app, tokens in world.held.items()),
        "access tokens without a grant": world.is_active("api", world.beside),
        "refresh tokens": world.refreshes("web", world.held["web"]),
        "refresh tokens, `offline_survives_logout`": world.refreshes("keeper", world.held["keeper"]),
        "other devices": world.refreshes("web", world.elsewhere),
        "the Dynamic JWT": world.bridge.exchange(world.jwt, "api", scope="openid").status_code == 200,
        "browser's session": answered(cookies, "watch", prompt="none").get("error") != "login_required",
    }


def table() -> list[dict[str, str]]:
    """The table of docs/sessions.md, a row by the names of its columns."""
    page = (Path(__file__).parents[2] / "docs/sessions.md").read_text(encoding="utf-8")
    lines = [line for line in page.split("## The table")[1].split("Every cell")[0].splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(head, row, strict=True)) for row in rows]


def name_of(row: Mapping[str, str]) -> str:
    return re.sub(r" \(`.*`\)$", "", row["cause"])


def test_the_table_has_every_cause_that_there_is_and_no_other() -> None:
    assert [name_of(row) for row in table()] == list(CAUSES)
    assert {row["the log's word"].strip("`") for row in table()} - {"none"} == {cause.word for cause in Cause}


@pytest.mark.parametrize("row", table(), ids=name_of)
def test_a_cause_ends_what_the_table_says_and_nothing_else(
    make_bridge: Callable[..., Bridge], dynamic: Any, row: Mapping[str, str]
) -> None:
    cause, settings = name_of(row), dict(SETTINGS.get(name_of(row), {}))
    if "DYNAMIC_LIVE_CHECK" in settings:
        settings["DYNAMIC_API_TOKEN"] = dynamic.emulator.api_token
    it = world(hook(make_bridge, **settings))
    CAUSES[cause](it)
    good = looked_at(it)
    told = {receiver for (receiver,) in it.bridge.rows("SELECT receiver FROM outbox WHERE kind = 'backchannel_logout'")}
    closed = it.bridge.rows("SELECT closed_cause FROM grants UNION SELECT closed_cause FROM sessions")
    words = sorted(f"`{word}`" for (word,) in closed if word is not None)
    UNDO.get(cause, lambda _: None)(it)
    again = looked_at(it) if cause in UNDO else good
    seen = {name: "stays" if now else "rests" if again[name] else "ends" for name, now in good.items()}
    seen["clients told"] = {frozenset(): "nobody", frozenset({"web", "keeper"}): "all"}.get(frozenset(told), "some")
    seen["the log's word"] = ", ".join(words) or "none"
    assert seen == {name: cell for name, cell in row.items() if name != "cause"}


def test_before_any_cause_everything_is_good(make_bridge: Callable[..., Bridge]) -> None:
    it = world(hook(make_bridge))
    assert set(looked_at(it).values()) == {True}
    assert WEBHOOK_SECRET in it.bridge.config.environments[0].webhook_secrets
