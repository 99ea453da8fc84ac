"""The words of the users' own page: what browsers are called, how long ago something was, what happened."""

import pytest

from bridge.history import AuditEntry, Cause, Event
from bridge.lifecycle import disclosure
from bridge.model import Session, User
from bridge.oauth.account import NOTICES as POSSIBLE
from bridge.store.devices import Device
from bridge.web.account_view import methods_of
from bridge.web.account_wording import NOTICES, how, told
from bridge.web.device import Looks, looks_of, printable
from bridge.web.moments import ago, exactly

AGENTS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36": (
        "Chrome on Windows"
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0": (
        "Edge on Windows"
    ),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18 Safari/605": (
        "Safari on macOS"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0": "Firefox on Linux",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36": "Chrome on ChromeOS",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/130 Mobile/15E148 Safari/604": (
        "Chrome on iPhone"
    ),
    "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 FxiOS/132.0 Mobile/15E148 Safari/605": (
        "Firefox on iPad"
    ),
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 SamsungBrowser/26.0 Chrome/122 Mobile Safari/537": (
        "Samsung Internet on Android"
    ),
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130 Mobile Safari/537 MetaMaskMobile": (
        "MetaMask on Android"
    ),
    "Mozilla/5.0 (Linux; Android 14) Something": "A browser on Android",
    "Chrome/130": "Chrome",
    "curl/8.0": "A browser that is not known",
    "": "A browser that is not known",
}


@pytest.mark.parametrize(("agent", "name"), AGENTS.items(), ids=AGENTS.values())
def test_a_browser_is_called_by_the_names_that_people_know(agent: str, name: str) -> None:
    assert looks_of(agent).name == name


def test_a_browser_that_says_nothing_has_a_name_too() -> None:
    assert looks_of(None) == Looks("A browser that is not known", "desktop")
    assert looks_of("Android").icon == looks_of("iPad").icon == "phone"


@pytest.mark.parametrize(
    ("header", "kept"),
    [(None, None), ("", None), ("  ", None), ("a\tb\x00ü\x7f", "ab"), ("x" * 999, "x" * 256), (" x ", "x")],
)
def test_what_a_browser_calls_itself_is_kept_as_printable_ascii(header: str | None, kept: str | None) -> None:
    assert printable(header) == kept


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (7200, "2 hours ago"),
        (86400, "1 day ago"),
        (7 * 86400 - 1, "6 days ago"),
        (7 * 86400, "on 16 Nov 2026"),
    ],
)
def test_a_moment_is_told_by_its_distance_and_later_by_its_day(seconds: int, words: str) -> None:
    assert ago(1_795_400_000 - seconds, 1_795_400_000).words == words


def test_a_moment_is_exact_for_machines() -> None:
    moment = exactly(1_795_400_000)
    assert (moment.words, moment.iso) == ("23 Nov 2026, 02:13 UTC", "2026-11-23T02:13:20Z")


@pytest.mark.parametrize("event", disclosure._TOLD)
def test_every_event_that_a_user_is_told_of_has_words_for_them(event: Event) -> None:
    before, _, after = told(AuditEntry(0, event, "user:x"))
    assert "Somebody" not in before + after
    assert "the user" not in before + after
    assert "{" not in before + after


@pytest.mark.parametrize("cause", Cause)
def test_no_cause_breaks_a_sentence(cause: Cause) -> None:
    before, of_app, after = told(AuditEntry(0, Event.GRANT_CLOSED, "x", cause=cause))
    assert (before, of_app) == ("The access of ", True)
    assert after.startswith(" ended")


def test_a_way_to_sign_in_that_is_not_known_is_left_out() -> None:
    assert how(["otp"]) == "a code by e-mail"
    assert how([]) is how(["mfa"]) is None


@pytest.mark.parametrize(
    "claims",
    [{}, {"wallets": "x", "email": 1, "phone_number": None}, {"wallets": [1, {}, {"address": 1}, {"kind": "smart"}]}],
)
def test_claims_of_a_strange_form_show_nothing(claims: dict[str, object]) -> None:
    assert list(methods_of(claims)) == []


def test_every_notice_has_words() -> None:
    assert set(POSSIBLE) == set(NOTICES)


def test_a_record_of_a_user_names_no_session_at_dynamic() -> None:
    session = Session("id", "sub", "environment", "key-at-dynamic", "https://x.example", 1, ("otp",), 1, 2, "Firefox/1")
    user = User("sub", "environment", "user", {})
    record = disclosure.Record(user, (Device(session, 1, None, None),), (), (), ())
    assert "key-at-dynamic" not in str(disclosure.as_document(record))
    assert "Firefox" not in repr(record)
