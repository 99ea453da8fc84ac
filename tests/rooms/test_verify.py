"""The one verifier: what it accepts, every reason it refuses for, and the order in which it asks."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest
from conftest import HeldClock

from bridge.dynamic.keys import key_set, load_keys
from bridge.dynamic.verify import Door, Verifier
from bridge.emulator import Emulator, RunningEmulator, Session, Switches, run
from bridge.errors import Refused, Unavailable
from bridge.fetch import Fetcher
from bridge.model import Assertion, Environment
from bridge.reasons import Reason

ORIGIN = "https://app.example.com"
MAX_AGE, MAX_LIFETIME, SKEW = 7200, 30 * 86400, 30
DOOR = Door(frozenset({ORIGIN, "https://second.example.com"}), MAX_AGE)
OTHER_ENVIRONMENT = "0b5e55ed-0000-4000-8000-000000000002"
CHECKS = (
    *("form", "header", "environment", "signature", "times", "age"),
    *("issuer", "audience", "subject", "kind", "complete"),
)


@dataclass
class Desk:
    """A verifier, and the environment whose assertions it is handed."""

    emulator: Emulator
    session: Session
    verifier: Verifier
    clock: HeldClock

    def token(self, **how: Any) -> str:
        return self.emulator.mint(self.session, **how)

    def verify(self, raw: str, door: Door = DOOR) -> Assertion:
        assertion = self.verifier.verify(raw, door, self.clock())
        assert list(self.verifier.explain(raw, door, self.clock())) == [(name, None) for name in CHECKS]
        return assertion

    def refusal(self, raw: str, door: Door = DOOR) -> Reason:
        """Why it is refused; the explanation must name the same reason first."""
        with pytest.raises(Refused) as refused:
            self.verifier.verify(raw, door, self.clock())
        assert self.explained(raw, door)[0][1] is refused.value.reason
        return refused.value.reason

    def explained(self, raw: str, door: Door = DOOR) -> list[tuple[str, Reason]]:
        outcomes = list(self.verifier.explain(raw, door, self.clock()))
        assert tuple(name for name, _ in outcomes) == CHECKS[: len(outcomes)]
        return [(name, outcome.reason) for name, outcome in outcomes if outcome is not None]


@contextmanager
def desk_at(emulators: list[RunningEmulator], clock: HeldClock, **settings: Any) -> Iterator[Desk]:
    """A desk at the first of the emulators that knows the environments of all; they are as new, but for their keys."""
    fetcher = Fetcher(development=True)
    environments = [Environment(e.emulator.environment_id, e.base_url, **settings) for e in emulators]
    known = [(e, key_set(e, fetcher, clock, load_keys)) for e in environments]
    for running in emulators:
        running.emulator.clock, running.emulator.switches = clock, Switches()
        running.emulator.faults.clear()
        running.emulator.clear_requests()
    emulator = emulators[0].emulator
    session = emulator.sign_in(emulator.create_user(email="demo@example.com").id, origin=ORIGIN)
    yield Desk(emulator, session, Verifier(known, max_lifetime=MAX_LIFETIME, skew=SKEW), clock)
    fetcher.close()


@pytest.fixture(scope="module")
def world() -> Iterator[RunningEmulator]:
    with run() as world:
        yield world
    world.emulator.release_keys()


@pytest.fixture
def desk(world: RunningEmulator, clock: HeldClock) -> Iterator[Desk]:
    with desk_at([world], clock) as desk:
        yield desk


# What is accepted


@pytest.mark.parametrize("shape", ["small", "large"])
def test_a_sign_in_is_accepted_and_told_as_it_is(shape: Any, desk: Desk) -> None:
    raw = desk.token(shape=shape)
    assertion = desk.verify(raw)

    assert (assertion.user_id, assertion.sid) == (desk.session.user_id, desk.session.sid)
    assert assertion.original_sid == assertion.session_key == desk.session.original_sid
    assert assertion.environment.environment_id == desk.emulator.environment_id
    assert (assertion.issued_at, assertion.expires_at) == (desk.clock(), desk.clock() + 7200)
    assert assertion.refresh_expires_at == desk.session.refresh_expires_at
    assert assertion.shape == shape
    assert assertion.digest == hashlib.sha256(raw.rpartition(".")[0].encode()).digest()
    assert "demo@example.com" not in repr(assertion)


SWITCHES: tuple[dict[str, Any], ...] = (
    {"issuer_scheme": "https://"},
    {"issuer_host": "app.dynamic.xyz"},
    {"issuer_host": "app.dynamic.xyz", "issuer_scheme": "https://"},
    {"small_token_same_issuer": False},
    {"small_token_same_key": False},
    {"small_token_same_sid": False},
    {"audience": "array"},
    {"legacy_claims": True},
    {"signin_credential_present": False},
    {"sign_in_enabled_present": False, "verified_at_present": False},
)


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("shape", ["small", "large"])
def test_what_we_only_guess_of_dynamic_makes_no_difference(shape: Any, switches: dict[str, Any], desk: Desk) -> None:
    desk.emulator.switch(**switches)

    assert desk.verify(desk.token(shape=shape)).user_id == desk.session.user_id


def test_a_custom_host_is_accepted_once_it_is_configured(world: RunningEmulator, clock: HeldClock) -> None:
    issuers = (f"auth.example.com/{world.emulator.environment_id}",)
    with desk_at([world], clock) as unaware, desk_at([world], clock, issuers=issuers) as aware:
        world.emulator.switch(issuer_host="auth.example.com")
        assert unaware.refusal(unaware.token()) is Reason.ISSUER_NOT_ACCEPTED
        assert aware.verify(aware.token())


@pytest.mark.parametrize("odd", [None, "soon", 1.5, True, -1, 10**30, []])
def test_an_odd_end_of_the_refresh_window_is_left_out(odd: object, desk: Desk) -> None:
    assert desk.verify(desk.token(claims={"refreshExp": odd})).refresh_expires_at is None


# Every reason, and the order of the checks

REASONS: dict[Reason, Callable[[Desk], str]] = {
    Reason.ASSERTION_MALFORMED: lambda desk: desk.token() + "=",
    Reason.ALGORITHM_NOT_ALLOWED: lambda desk: desk.token(header={"alg": "RS512"}),
    Reason.HEADER_NOT_ALLOWED: lambda desk: desk.token(header={"jku": "https://evil.example/jwks"}),
    Reason.ENVIRONMENT_UNKNOWN: lambda desk: desk.token(claims={"environment_id": OTHER_ENVIRONMENT}),
    Reason.KEY_UNKNOWN: lambda desk: desk.token(header={"kid": "another"}),
    Reason.SIGNATURE_INVALID: lambda desk: desk.token().rpartition(".")[0] + ".AAAA",
    Reason.ISSUER_NOT_ACCEPTED: lambda desk: desk.token(claims={"iss": "app.dynamicauth.com"}),
    Reason.AUDIENCE_NOT_LISTED: lambda desk: desk.token(origin="https://evil.example"),
    Reason.SUBJECT_INVALID: lambda desk: desk.token(claims={"sub": ""}),
    Reason.TIMES_INVALID: lambda desk: desk.token(without=["exp"]),
    Reason.ASSERTION_EXPIRED: lambda desk: desk.token(issued_at=desk.clock() - 60, lifetime=60),
    Reason.ASSERTION_NOT_YET_VALID: lambda desk: desk.token(issued_at=desk.clock() + 60),
    Reason.ASSERTION_TOO_OLD: lambda desk: desk.token(issued_at=desk.clock() - 8000, lifetime=9000),
    Reason.LIFETIME_TOO_LONG: lambda desk: desk.token(lifetime=MAX_LIFETIME + 1),
    Reason.SIGN_IN_INCOMPLETE: lambda desk: desk.token(without=["scope"]),
    Reason.MFA_OWED: lambda desk: desk.token(claims={"scope": "requiresAdditionalAuth"}),
    Reason.PROFILE_INCOMPLETE: lambda desk: desk.token(claims={"scope": "userDataForm"}),
    Reason.DEVICE_UNCONFIRMED: lambda desk: desk.token(claims={"scope": "device:register"}),
    Reason.NOT_A_SIGN_IN: lambda desk: desk.token(claims={"singleUse": True}),
}


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.code)
def test_every_reason_is_given_for_what_it_means(reason: Reason, desk: Desk) -> None:
    assert desk.refusal(REASONS[reason](desk)) is reason


def test_no_reason_of_an_assertion_is_left_out() -> None:
    listed = list(Reason)
    of_assertions = set(listed[: listed.index(Reason.CODE_INVALID)])

    told_by_the_store = {Reason.ASSERTION_REPLAYED, Reason.ASSERTION_REVOKED, Reason.SESSION_ENDED}
    assert set(REASONS) == of_assertions - told_by_the_store


FAULTS: dict[str, tuple[dict[str, Any], Reason]] = {
    "environment": ({"environment_id": OTHER_ENVIRONMENT}, Reason.ENVIRONMENT_UNKNOWN),
    "signature": ({}, Reason.KEY_UNKNOWN),
    "times": ({"exp": 4102444800}, Reason.LIFETIME_TOO_LONG),
    "age": ({"iat": 1_795_400_000 - 8000}, Reason.ASSERTION_TOO_OLD),
    "issuer": ({"iss": "evil.example"}, Reason.ISSUER_NOT_ACCEPTED),
    "audience": ({"aud": "https://evil.example"}, Reason.AUDIENCE_NOT_LISTED),
    "subject": ({"sub": "x"}, Reason.SUBJECT_INVALID),
    "kind": ({"singleUse": True}, Reason.NOT_A_SIGN_IN),
    "complete": ({"scope": ""}, Reason.SIGN_IN_INCOMPLETE),
}


def with_faults(desk: Desk, names: tuple[str, ...]) -> str:
    claims = {claim: value for name in names for claim, value in FAULTS[name][0].items()}
    return desk.token(claims=claims, header={"kid": "another"} if "signature" in names else {})


@pytest.mark.parametrize("pair", list(combinations(FAULTS, 2)), ids="-".join)
def test_of_two_faults_the_earlier_check_names_its_own(pair: tuple[str, str], desk: Desk) -> None:
    raw = with_faults(desk, pair)

    assert desk.refusal(raw) is FAULTS[pair[0]][1]
    expected = pair[:1] if pair[0] == "environment" else pair
    assert desk.explained(raw) == [(name, FAULTS[name][1]) for name in expected]


def test_an_explanation_names_every_fault_in_order(desk: Desk) -> None:
    _, *names = FAULTS

    assert [name for name, _ in desk.explained(with_faults(desk, tuple(names)))] == names


def test_an_explanation_ends_where_the_rest_has_no_ground(desk: Desk) -> None:
    assert desk.explained("junk") == [("form", Reason.ASSERTION_MALFORMED)]
    assert desk.explained(REASONS[Reason.HEADER_NOT_ALLOWED](desk)) == [("header", Reason.HEADER_NOT_ALLOWED)]


def test_without_keys_nobody_is_refused(desk: Desk) -> None:
    desk.emulator.faults.set("/", "down")

    with pytest.raises(Unavailable):
        desk.verifier.verify(desk.token(), DOOR, desk.clock())
    assert desk.explained(desk.token()) == [("signature", Reason.KEYS_UNAVAILABLE)]
