"""The claims of an assertion, one hostile value after the other (threats A9 to A13)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from conftest import HeldClock
from test_verify import DOOR, MAX_AGE, MAX_LIFETIME, ORIGIN, OTHER_ENVIRONMENT, SKEW, Desk, desk_at

from bridge.dynamic.verify import Door
from bridge.emulator import RunningEmulator, run
from bridge.reasons import Reason


@pytest.fixture(scope="module")
def world() -> Iterator[RunningEmulator]:
    with run() as world:
        yield world
    world.emulator.release_keys()


@pytest.fixture
def desk(world: RunningEmulator, clock: HeldClock) -> Iterator[Desk]:
    with desk_at([world], clock) as desk:
        yield desk


# Time (A10)

NO_TIMES: tuple[object, ...] = (
    *(None, True, False, "", "1795400000", "soon", 1795400000.0, 1795400000.5, 1e308, [], [1795400000], {}),
    *(0, -1, -1795400000, 1 << 40, 10**30, -(10**30)),
)


@pytest.mark.parametrize("value", NO_TIMES, ids=repr)
@pytest.mark.parametrize("claim", ["iat", "exp", "nbf"])
def test_a_time_is_a_whole_number_of_seconds_in_reach(claim: str, value: object, desk: Desk) -> None:
    assert desk.refusal(desk.token(claims={claim: value})) is Reason.TIMES_INVALID


@pytest.mark.parametrize("claim", ["iat", "exp"])
def test_both_ends_of_a_life_are_told(claim: str, desk: Desk) -> None:
    assert desk.refusal(desk.token(without=[claim])) is Reason.TIMES_INVALID


# iat and exp as seconds from now, and what comes of them
LIVES: tuple[tuple[int, int, Reason | None], ...] = (
    (0, 1, None),
    (0, 0, Reason.TIMES_INVALID),
    (0, -1, Reason.TIMES_INVALID),
    (-60, 0, Reason.ASSERTION_EXPIRED),
    (-60, -1, Reason.ASSERTION_EXPIRED),
    (-60, -86400 * 3650, Reason.TIMES_INVALID),
    (-86400 * 3650, -86400 * 3649, Reason.ASSERTION_EXPIRED),
    (SKEW, SKEW + 60, None),
    (SKEW + 1, SKEW + 60, Reason.ASSERTION_NOT_YET_VALID),
    (86400, 86400 * 2, Reason.ASSERTION_NOT_YET_VALID),
    (-MAX_AGE - SKEW, 60, None),
    (-MAX_AGE - SKEW - 1, 60, Reason.ASSERTION_TOO_OLD),
    (0, MAX_LIFETIME, None),
    (0, MAX_LIFETIME + 1, Reason.LIFETIME_TOO_LONG),
    (-1, MAX_LIFETIME, Reason.LIFETIME_TOO_LONG),
    (0, 86400 * 36500, Reason.LIFETIME_TOO_LONG),
)


@pytest.mark.parametrize(("issued", "expires", "reason"), LIVES)
def test_a_life_is_bounded_on_every_side(issued: int, expires: int, reason: Reason | None, desk: Desk) -> None:
    raw = desk.token(claims={"iat": desk.clock() + issued, "exp": desk.clock() + expires})

    if reason is None:
        assert desk.verify(raw).issued_at == desk.clock() + issued
    else:
        assert desk.refusal(raw) is reason


@pytest.mark.parametrize(
    ("begins", "reason"), [(-86400, None), (SKEW, None), (SKEW + 1, Reason.ASSERTION_NOT_YET_VALID)]
)
def test_nbf_holds_an_assertion_back(begins: int, reason: Reason | None, desk: Desk) -> None:
    raw = desk.token(claims={"nbf": desk.clock() + begins})

    assert (desk.refusal(raw) if reason else desk.verify(raw) and None) is reason


def test_an_assertion_ends_while_time_passes(desk: Desk) -> None:
    raw = desk.token(lifetime=60)
    desk.clock.forward(59)
    assert desk.verify(raw)

    desk.clock.forward(1)
    assert desk.refusal(raw) is Reason.ASSERTION_EXPIRED


def test_a_door_may_ask_for_younger_assertions(desk: Desk) -> None:
    raw = desk.token()
    desk.clock.forward(60 + SKEW + 1)

    assert desk.refusal(raw, replace(DOOR, max_age=60)) is Reason.ASSERTION_TOO_OLD
    assert desk.verify(raw)


# Issuer, audience, subject (A8, A9, A12)


def test_the_known_spellings_of_the_issuer_are_accepted(desk: Desk) -> None:
    for host in ("app.dynamicauth.com", "app.dynamic.xyz", "https://app.dynamicauth.com", "https://app.dynamic.xyz"):
        assert desk.verify(desk.token(claims={"iss": f"{host}/{desk.emulator.environment_id}"}))


ISSUERS = (
    *("{i}/", "{i} ", " {i}", "{i}\n", "{i}\x00", "http://{i}", "HTTPS://{i}", "//{i}", "https://https://{i}", "{i}#"),
    *("", "app.dynamicauth.com", "app.dynamicauth.com/", "evil.example/{i}", "https://app.dynamicauth.com@{i}"),
    *(None, 5, True, [], ["{i}"], {"{i}": 1}, "app.dynamicauth.com/" + OTHER_ENVIRONMENT),
)


@pytest.mark.parametrize("template", ISSUERS, ids=repr)
def test_any_other_issuer_is_not(template: Any, desk: Desk) -> None:
    issuer = desk.emulator.issuer
    spelt = template.format(i=issuer) if isinstance(template, str) else template
    value = [issuer] if spelt == ["{i}"] else spelt

    assert desk.refusal(desk.token(claims={"iss": value})) is Reason.ISSUER_NOT_ACCEPTED
    assert desk.refusal(desk.token(without=["iss"])) is Reason.ISSUER_NOT_ACCEPTED
    assert desk.refusal(desk.token(claims={"iss": issuer.upper()})) is Reason.ISSUER_NOT_ACCEPTED


@pytest.mark.parametrize("audience", [ORIGIN, [ORIGIN], "https://second.example.com"])
def test_an_origin_of_the_doors_list_is_accepted(audience: object, desk: Desk) -> None:
    assert desk.verify(desk.token(claims={"aud": audience}))


AUDIENCES: tuple[object, ...] = (
    *(ORIGIN + "/", ORIGIN + ":443", ORIGIN.upper(), "http://app.example.com", "app.example.com", ORIGIN + "\n"),
    *(
        ORIGIN + ".evil.example",
        "https://app.example.co",
        ORIGIN + " https://x",
        "https://evil.example",
        "*",
        "null",
        "",
    ),
    *([ORIGIN, "https://evil.example"], [ORIGIN, ORIGIN], [ORIGIN, 5], [[ORIGIN]], [], [None], {ORIGIN: 1}),
    *(None, 5, True, 1.5),
)


@pytest.mark.parametrize("audience", AUDIENCES, ids=repr)
def test_any_other_audience_is_not(audience: object, desk: Desk) -> None:
    assert desk.refusal(desk.token(claims={"aud": audience})) is Reason.AUDIENCE_NOT_LISTED


def test_no_audience_suits_no_door_and_a_door_without_origins_suits_none(desk: Desk) -> None:
    desk.emulator.switch(audience="absent")
    assert desk.refusal(desk.token()) is Reason.AUDIENCE_NOT_LISTED
    closed = Door(frozenset(), MAX_AGE)
    for audience in (ORIGIN, "", None, []):
        assert desk.refusal(desk.token(claims={"aud": audience}), closed) is Reason.AUDIENCE_NOT_LISTED


USER = "b7e1c9a4-52d8-4f0b-a3c6-7e8d9f0a1b2c"
NO_USERS: tuple[object, ...] = (
    *("", " ", USER.upper(), USER + "\n", " " + USER, USER[:-1], USER + "0", f"{{{USER}}}", f"urn:uuid:{USER}"),
    *(USER.replace("-", ""), USER.replace("b", "g"), USER.replace("-", "_"), USER[:-1] + "\x00", USER[:-1] + "\ud800"),
    *(USER.replace("1", "\u0661"), "demo@example.com", "0x52908400098527886E0F7030069857D2E4169EE7", "' OR 1=1 --"),
    *("x" * 10_000, None, True, 5, 1.5, [], [USER], {USER: 1}),
)


@pytest.mark.parametrize("sub", NO_USERS, ids=lambda sub: ascii(sub)[:40])
def test_a_user_is_a_uuid_in_its_one_spelling(sub: object, desk: Desk) -> None:
    assert desk.refusal(desk.token(claims={"sub": sub})) is Reason.SUBJECT_INVALID


@pytest.mark.parametrize("claim", ["sub", "sid", "originalSid"])
def test_a_megabyte_is_no_assertion_whatever_it_claims(claim: str, desk: Desk) -> None:
    assert desk.refusal(desk.token(claims={claim: "x" * 2**20})) is Reason.ASSERTION_MALFORMED


NO_SESSIONS: tuple[object, ...] = (
    *("", " ", "a b", "a\n", "\ta", "a\x00", "a\ud800", "é", "x" * 129, "x" * 10_000, "a/b", "a'--", "<a>"),
    *(True, 5, 1.5, [], ["a"], {"a": 1}),
)


@pytest.mark.parametrize("sid", NO_SESSIONS, ids=lambda sid: ascii(sid)[:40])
@pytest.mark.parametrize("claim", ["sid", "originalSid"])
def test_a_session_is_a_short_plain_string(claim: str, sid: object, desk: Desk) -> None:
    assert desk.refusal(desk.token(claims={claim: sid})) is Reason.SUBJECT_INVALID


def test_only_the_first_session_may_be_left_out(desk: Desk) -> None:
    for raw in (desk.token(without=["originalSid"]), desk.token(claims={"originalSid": None})):
        assertion = desk.verify(raw)
        assert (assertion.original_sid, assertion.session_key) == (None, desk.session.sid)
    for claim in ("sub", "sid"):
        assert desk.refusal(desk.token(without=[claim])) is Reason.SUBJECT_INVALID
        assert desk.refusal(desk.token(claims={claim: None})) is Reason.SUBJECT_INVALID
