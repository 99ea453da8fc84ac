"""Whether a sign-in is complete: the words of its scope, look-alikes, what is still owed (threats A13)."""

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import HeldClock
from test_verify import Desk, desk_at

from bridge.dynamic.verify import BLOCKING_SCOPES, scope_words
from bridge.emulator import RunningEmulator, UserState, run
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


@pytest.fixture
def legacy_desk(world: RunningEmulator, clock: HeldClock) -> Iterator[Desk]:
    with desk_at([world], clock, legacy_scope=True) as desk:
        yield desk


COMPLETE = ("user:basic", "user:basic beta", "beta user:basic", "beta  user:basic  gamma", " user:basic ")
NOT_COMPLETE: tuple[object, ...] = (
    *("", " ", "beta", "user:basics", "xuser:basic", "user:basic.", "user", "basic", "user basic", "user: basic"),
    *("USER:BASIC", "User:Basic", "user\uff1abasic", "user:bas\u0131c", "us\u0435r:basic", "user:basic\x00"),
    *("user:basic,beta", "user:basic;beta", "user:basic+beta", '"user:basic"', "user:basic\\u0020beta", "user:*"),
    *("user:basic\tbeta", "beta\nuser:basic", "user:basic\r\n", "\x0buser:basic", "user:basic\x1fbeta"),
    *("user:basic\u00a0beta", "user:basic\u2003beta", "beta\u2028user:basic", "\u3000user:basic", "user:basic\x85"),
    *(None, True, 5, 1.5, [], {}, ["user:basic"], ["user:basic", "beta"], {"user:basic": True}, [["user:basic"]]),
)


@pytest.mark.parametrize("scope", COMPLETE)
@pytest.mark.parametrize("beside", [{}, {"scopes": None}, {"scopes": []}, {"scopes": "beta"}, {"scopes": ["beta", ""]}])
def test_a_complete_scope_holds_user_basic_among_its_words(scope: str, beside: dict[str, Any], desk: Desk) -> None:
    assert desk.verify(desk.token(claims={"scope": scope, **beside}))


@pytest.mark.parametrize("scope", NOT_COMPLETE, ids=lambda scope: ascii(scope)[:40])
def test_nothing_that_looks_like_user_basic_completes_a_sign_in(scope: object, desk: Desk) -> None:
    assert desk.refusal(desk.token(claims={"scope": scope})) is Reason.SIGN_IN_INCOMPLETE


@pytest.mark.parametrize("scopes", ["user:basic", ["user:basic"], "user:basic beta", {"user:basic": True}])
def test_scopes_never_completes_a_sign_in(scopes: object, desk: Desk) -> None:
    assert desk.refusal(desk.token(without=["scope"], claims={"scopes": scopes})) is Reason.SIGN_IN_INCOMPLETE
    assert desk.refusal(desk.token(claims={"scope": "beta", "scopes": scopes})) is Reason.SIGN_IN_INCOMPLETE


BASIC = "user:basic"
BLOCKED: dict[str, dict[str, object]] = {
    "alone": {"scope": "{w}"},
    "after": {"scope": "user:basic {w}"},
    "before": {"scope": "{w} user:basic"},
    "amid": {"scope": "a {w} user:basic b"},
    "in a list": {"scope": ["user:basic", "{w}"]},
    "in scopes": {"scope": BASIC, "scopes": "{w}"},
    "amid scopes": {"scope": BASIC, "scopes": "a {w} b"},
    "in a list of scopes": {"scope": BASIC, "scopes": ["a", "{w}"]},
    "in a line of that list": {"scope": BASIC, "scopes": ["a", "b {w}"]},
}


@pytest.mark.parametrize("word", BLOCKING_SCOPES)
@pytest.mark.parametrize("where", BLOCKED)
def test_a_blocking_word_refuses_wherever_it_stands(where: str, word: str, desk: Desk) -> None:
    claims = {
        name: [part.format(w=word) for part in value] if isinstance(value, list) else str(value).format(w=word)
        for name, value in BLOCKED[where].items()
    }
    assert desk.refusal(desk.token(claims=claims)) is BLOCKING_SCOPES[word]


HIDDEN: tuple[dict[str, object], ...] = (
    {"scope": "user:basic{s}device:register"},
    {"scope": "user:basic beta{s}device:register"},
    {"scope": "device:register{s}beta user:basic"},
    {"scope": BASIC, "scopes": "beta{s}device:register"},
    {"scope": BASIC, "scopes": ["device:register{s}beta"]},
)


@pytest.mark.parametrize("separator", ["\t", "\n", "\x0b", "\u00a0", "\u2028"], ids=ascii)
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_no_other_separator_hides_a_blocking_word(hidden: dict[str, object], separator: str, desk: Desk) -> None:
    claims = {
        name: [part.format(s=separator) for part in value]
        if isinstance(value, list)
        else str(value).format(s=separator)
        for name, value in hidden.items()
    }
    assert desk.refusal(desk.token(claims=claims)) in {Reason.DEVICE_UNCONFIRMED, Reason.SIGN_IN_INCOMPLETE}


@pytest.mark.parametrize(
    "scopes",
    [{"requiresAdditionalAuth": True}, [["requiresAdditionalAuth"]], [{"name": "requiresAdditionalAuth"}], 5, True],
    ids=str,
)
def test_scopes_of_another_form_refuse(scopes: object, desk: Desk) -> None:
    reason = desk.refusal(desk.token(claims={"scope": BASIC, "scopes": scopes}))
    assert reason in {Reason.SIGN_IN_INCOMPLETE, Reason.MFA_OWED}


@pytest.mark.parametrize("fields", [[{"name": "username"}], [None], [[]], {}, {"a": 1}, None, "", "x", 0, False, True])
def test_missing_fields_must_be_none(fields: object, desk: Desk) -> None:
    assert desk.refusal(desk.token(claims={"missing_fields": fields})) is Reason.PROFILE_INCOMPLETE
    assert desk.verify(desk.token(claims={"missing_fields": []}))


STATES = {
    UserState.mfa_owed: Reason.MFA_OWED,
    UserState.profile_incomplete: Reason.PROFILE_INCOMPLETE,
    UserState.device_unconfirmed: Reason.DEVICE_UNCONFIRMED,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("beside_basic", [True, False])
@pytest.mark.parametrize("shape", ["small", "large"])
@pytest.mark.parametrize("form", ["string", "array"])
def test_an_unfinished_sign_in_says_what_is_owed(
    state: UserState, beside_basic: bool, shape: Any, form: str, legacy_desk: Desk
) -> None:
    legacy_desk.emulator.switch(blocking_scope_beside_basic=beside_basic, scope_form=form)
    legacy_desk.emulator.update_user(legacy_desk.session.user_id, state=state)

    assert legacy_desk.refusal(legacy_desk.token(shape=shape)) is STATES[state]


# Environments of old


@pytest.mark.parametrize("form", ["absent", "empty"])
@pytest.mark.parametrize("shape", ["small", "large"])
def test_a_sign_in_without_scope_is_accepted_where_that_is_configured(
    form: str, shape: Any, desk: Desk, legacy_desk: Desk
) -> None:
    desk.emulator.switch(scope_form=form)

    assert legacy_desk.verify(legacy_desk.token(shape=shape))
    assert desk.refusal(desk.token(shape=shape)) is Reason.SIGN_IN_INCOMPLETE


@pytest.mark.parametrize(
    "claims",
    [
        *({"scope": scope} for scope in (" ", "beta", "wallet:export", [], {}, 0, False, ["user:basic"])),
        *({"scope": "", **more} for more in ({"scopes": "requiresAdditionalAuth"}, {"missing_fields": [1]})),
        *({"scope": None, **more} for more in ({"scopes": ["device:register"]}, {"singleUse": True})),
    ],
    ids=str,
)
def test_a_legacy_environment_is_strict_in_all_else(claims: dict[str, Any], legacy_desk: Desk) -> None:
    legacy_desk.refusal(legacy_desk.token(claims=claims))
    assert legacy_desk.verify(legacy_desk.token(claims={"scope": None}))
    assert legacy_desk.verify(legacy_desk.token())


def test_the_words_of_a_scope_are_told_apart() -> None:
    assert scope_words("a  b") == scope_words(["a", "b", 5, None]) == {"a", "b"}
    assert scope_words(None) == scope_words(5) == scope_words({"a": 1}) == frozenset()
