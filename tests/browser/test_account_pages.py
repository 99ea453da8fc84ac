"""The users' own page in a browser: by keyboard, by thumb, with strangers' words in it, and without scripts."""

from dataclasses import replace
from typing import Any

import pytest
from browser.account_pages import ERASURE
from browser.chromium import NARROW, PHONE, Chromium
from browser.gallery import ACCOUNT, Gallery
from browser.test_pages import ENTER, PAYLOADS, TAB

from bridge.web import account
from bridge.web.account import AppRow, DeviceRow, Happening, MethodRow
from bridge.web.moments import exactly
from bridge.web.render import App

pytestmark = pytest.mark.browser


def shown(gallery: Gallery, page: Any = ACCOUNT) -> str:
    """The page, whose forms lead to the gallery's endpoint that notes them."""
    target = gallery.url("take")
    gallery.more["own"] = lambda: account.account(replace(page, action=target, logout=target))
    return gallery.url("own")


def tab_to(chromium: Chromium, condition: str) -> None:
    for _ in range(40):
        chromium.press(TAB)
        if chromium.tell(f"document.activeElement.{condition}"):
            return
    raise AssertionError(f"the keyboard does not reach it: {condition}")


def test_the_keyboard_reaches_everything_in_reading_order(chromium: Chromium, gallery: Gallery) -> None:
    chromium.open(shown(gallery))
    reached = []
    while (told := chromium.press(TAB) or chromium.tell("document.activeElement.innerText.trim()")) not in reached:
        if chromium.tell("document.activeElement === document.body"):
            break
        reached.append(told)
        assert chromium.tell("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    assert [one.replace("\n", " ") for one in reached] == [
        "Sign out",
        "End the session of Safari on iPhone, signed in 3 days ago",
        "End the session of Firefox on Windows, signed in on 11 Nov 2026",
        "Sign out everywhere",
        "northwind.example.com",
        "Disconnect Northwind Ledger",
        "fieldnotes.example",
        "Disconnect Fieldnotes",
        "Disconnect Quarterly",
        "Export my data",
        "Erase my data…",
    ]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_an_app_is_disconnected_by_the_keyboard_alone(chromium: Chromium, gallery: Gallery, scripts: bool) -> None:
    chromium.scripts(run=scripts)
    chromium.open(shown(gallery))
    tab_to(chromium, "innerText.includes('Fieldnotes')")
    chromium.press(ENTER)
    chromium.arrives("arrived")
    [(form, headers)] = gallery.posted
    assert form == ACCOUNT.apps[1].fields
    assert headers["Origin"] == gallery.origin


def test_signing_out_everywhere_takes_two_steps(chromium: Chromium, gallery: Gallery) -> None:
    chromium.open(shown(gallery))
    assert not chromium.element("account-everywhere").is_displayed()
    tab_to(chromium, "tagName == 'SUMMARY'")
    chromium.press(ENTER)
    chromium.press(TAB)
    assert chromium.tell("document.activeElement.id") == "account-everywhere"
    chromium.press(ENTER)
    chromium.arrives("arrived")
    assert gallery.posted[0][0]["do"] == "everywhere"


def test_what_is_behind_a_summary_is_accessible_too(chromium: Chromium, gallery: Gallery) -> None:
    chromium.open(shown(gallery))
    chromium.tell("document.getElementById('everywhere').open = true")
    found = chromium.accessibility()
    assert [rule["id"] for kind in ("violations", "incomplete") for rule in found[kind]] == []


@pytest.mark.parametrize("name", ["account", "account-told", "account-crowded", "account-erase"])
def test_what_can_be_pressed_is_large_enough_for_a_thumb(chromium: Chromium, gallery: Gallery, name: str) -> None:
    chromium.look(PHONE)
    chromium.open(gallery.url(name))
    sizes = chromium.tell(
        "[...document.querySelectorAll('.button, summary')].filter(one => one.offsetParent)"
        ".map(one => Math.min(one.getBoundingClientRect().height, one.getBoundingClientRect().width))"
    )
    assert sizes
    assert min(sizes) >= 44


def test_nothing_scrolls_sideways_when_all_is_open(chromium: Chromium, gallery: Gallery) -> None:
    chromium.look(NARROW)
    chromium.open(gallery.url("account-crowded"))
    chromium.tell("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert chromium.tell("document.documentElement.scrollWidth") == NARROW[0]


def test_a_page_after_a_deed_says_so_first(chromium: Chromium, gallery: Gallery) -> None:
    chromium.open(gallery.url("account-told"))
    assert chromium.driver.title.startswith("The app is disconnected")
    assert chromium.element("account-notice").get_attribute("role") == "status"


def test_erasing_is_confirmed_by_the_keyboard_alone(chromium: Chromium, gallery: Gallery) -> None:
    gallery.more["own"] = lambda: account.erasure(replace(ERASURE, action=gallery.url("take")))
    chromium.open(gallery.url("own"))
    chromium.press(TAB)
    assert chromium.tell("document.activeElement.id") == "erase-confirm"
    chromium.press(ENTER)
    chromium.arrives("arrived")
    assert gallery.posted[0][0] == ERASURE.fields


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_stranger_s_text_runs_in_it(chromium: Chromium, gallery: Gallery, payload: str) -> None:
    """Threats O14: names of apps, of browsers and of wallets are all of somebody else's making."""
    at, fields = exactly(0), {"target": payload, payload: "x"}
    page = replace(
        ACCOUNT,
        user=payload,
        devices=[DeviceRow(payload, "desktop", False, payload, at, at, payload, fields)],
        apps=[AppRow(App(payload, payload, payload), (payload,), at, at, True, fields)],
        methods=[MethodRow(payload, payload, payload, payload)],
        happenings=[Happening(at, payload, payload, payload)],
    )
    gallery.more["x-erase"] = lambda: account.erasure(replace(ERASURE, user=payload, fields=fields, back=payload))
    for url in (shown(gallery, page), gallery.url("x-erase")):
        chromium.open(url)
        chromium.tell("document.querySelectorAll('a, button, input, img, summary').forEach(one => one.focus())")
        assert chromium.tell("window.pwned") is None
        assert chromium.tell("document.scripts.length") == 0
        assert chromium.tell("document.querySelectorAll('base, [onerror], [onfocus], [onload]').length") == 0
        assert set(chromium.tell("[...document.links].map(one => one.protocol)")) <= {"http:", "https:"}
        actions = set(chromium.tell("[...document.forms].map(one => one.action)"))
        assert actions <= {gallery.url("take"), ERASURE.action}
