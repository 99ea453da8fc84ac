"""What people meet in a browser: can they read it, reach it, use it, and does it go where it should?"""

from dataclasses import replace

import pytest
from browser.chromium import NARROW, PHONE, Chromium, Scheme
from browser.gallery import ACME, CONSENT, FIELDS, FORM_POST, LOGOS, LOGOUT, PAGES, Gallery

from bridge.web import render

pytestmark = pytest.mark.browser

TAB, ENTER = "\ue004", "\ue007"
NASTY = {"state": "a b+c%20&d=\"e\" <f> 'g' ü", "submit": "1", "action": "2", "code": "x" * 2000}
"""Values that have to arrive as they are, under names by which a form's own properties are hidden."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(chromium: Chromium, gallery: Gallery, name: str, scheme: Scheme) -> None:
    chromium.look(scheme=scheme)
    chromium.open(gallery.url(name))
    found = chromium.accessibility()
    for kind in ("violations", "incomplete"):
        told = {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in found[kind]}
        assert not told, f"{kind} of {name} in {scheme}"


def test_what_is_not_accessible_is_found(chromium: Chromium, gallery: Gallery) -> None:
    """The test of that test."""
    chromium.open(gallery.url("index"))
    chromium.driver.execute_script(
        "let p = document.querySelector('h1'); p.style.color = '#bbb'; document.documentElement.lang = '';"
    )
    assert {rule["id"] for rule in chromium.accessibility()["violations"]} == {"color-contrast", "html-has-lang"}


@pytest.mark.parametrize("size", [NARROW, PHONE])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways(chromium: Chromium, gallery: Gallery, name: str, size: tuple[int, int]) -> None:
    chromium.look(size)
    chromium.open(gallery.url(name))
    assert chromium.tell("innerWidth") == size[0]
    assert chromium.tell("document.documentElement.scrollWidth") == size[0]


@pytest.mark.parametrize("name", [name for name in PAGES if name != "consent-broken-logo"])
def test_no_page_breaks_its_own_policy(chromium: Chromium, gallery: Gallery, name: str) -> None:
    """And the style is applied: a page whose nonce does not fit would be complained about, and plain."""
    chromium.open(gallery.url(name))
    assert [text for text in chromium.complaints() if "the server responded with a status of" not in text] == []
    assert chromium.tell("getComputedStyle(document.querySelector('.card')).borderRadius") == "20px"


def test_the_keyboard_reaches_everything_in_reading_order_and_shows_where_it_is(
    chromium: Chromium, gallery: Gallery
) -> None:
    chromium.open(gallery.url("consent"))
    reached = []
    for _ in range(6):
        chromium.press(TAB)
        reached.append(chromium.tell("document.activeElement.textContent.trim()"))
        assert chromium.tell("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert chromium.tell("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    assert reached == ["northwind.example.com", "Not you?", "Deny", "Allow", "Privacy policy", "Terms of service"]


@pytest.mark.parametrize("name", ["consent", "logout", "error", "signin-missing", "logged-out", "form-post"])
def test_what_can_be_pressed_is_large_enough_for_a_thumb(chromium: Chromium, gallery: Gallery, name: str) -> None:
    chromium.look(PHONE)
    chromium.open(gallery.url(name))
    heights = chromium.tell("[...document.querySelectorAll('.button')].map(one => one.getBoundingClientRect().height)")
    assert heights
    assert min(heights) >= 44


def test_the_logo_is_shown_or_the_initial_in_its_place(chromium: Chromium, gallery: Gallery) -> None:
    chromium.open(gallery.url("consent"))
    assert chromium.tell("document.querySelector('.tile img').naturalWidth") > 0
    chromium.open(gallery.url("consent-broken-logo"))
    assert chromium.tell("document.querySelector('.tile img').naturalWidth") == 0
    assert chromium.tell("getComputedStyle(document.querySelector('.tile img'), '::after').content") == '"N"'


def test_a_page_loads_the_logo_from_its_own_origin_only(chromium: Chromium, gallery: Gallery) -> None:
    """Another image of the page, were one smuggled in, could tell a stranger who is here (threats O14)."""
    chromium.open(gallery.url("consent"))
    loaded = "new Promise(done => { let i = new Image(); i.onload = () => done(true); i.onerror = () => done(false);"
    own, other = f"https://{LOGOS}/northwind.svg?again", f"{gallery.elsewhere}/northwind.svg"
    assert chromium.tell(f"{loaded} i.src = {own!r} }})")
    assert not chromium.tell(f"{loaded} i.src = {other!r} }})")


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_a_decision_is_posted_with_an_origin_and_the_browser_goes_on_to_the_app(
    chromium: Chromium, gallery: Gallery, decision: str
) -> None:
    """The answer leads to another origin and on to a third: a form-action in the policy would stop it there."""
    page = replace(CONSENT, action=gallery.url("take"), fields=NASTY)
    gallery.more["asked"] = lambda: render.consent(page)
    chromium.open(gallery.url("asked"))
    chromium.element(f"consent-{decision}").click()
    chromium.arrives("arrived")
    [(form, headers)] = gallery.posted
    assert form == {**NASTY, "decision": decision}
    assert headers["Origin"] == gallery.origin


def test_a_logout_is_confirmed_by_the_keyboard_alone(chromium: Chromium, gallery: Gallery) -> None:
    gallery.more["asked"] = lambda: render.logout(replace(LOGOUT, action=gallery.url("take")))
    chromium.open(gallery.url("asked"))
    chromium.press(TAB)
    assert chromium.tell("document.activeElement.id") == "logout-confirm"
    chromium.press(ENTER)
    chromium.arrives("arrived")
    [(form, headers)] = gallery.posted
    assert form == {**FIELDS, "decision": "logout"}
    assert headers["Origin"] == gallery.origin


@pytest.mark.parametrize("scripts", [True, False], ids=["by itself", "by hand"])
def test_a_response_is_posted_to_the_app_unchanged(chromium: Chromium, gallery: Gallery, scripts: bool) -> None:
    """Through the app's own redirects, which Chromium would hold against a form-action as well."""
    page = replace(FORM_POST, redirect_uri=f"{gallery.app}/take", fields=NASTY)
    gallery.more["asked"] = lambda: render.form_post(page)
    chromium.scripts(run=scripts)
    chromium.open(gallery.url("asked"))
    if not scripts:
        assert gallery.posted == []
        chromium.element("form-post-continue").click()
    chromium.arrives("arrived")
    [(form, headers)] = gallery.posted
    assert form == NASTY
    assert headers["Origin"] == gallery.origin
    assert headers["Referer"] == f"{gallery.origin}/", "no path, which may hold a request's parameters"


def test_a_page_cannot_be_framed(chromium: Chromium, gallery: Gallery) -> None:
    chromium.open(f"{gallery.elsewhere}/framing/consent")
    chromium.driver.switch_to.frame("framed")
    assert chromium.driver.find_elements("id", "consent-allow") == []


PAYLOADS = (
    "<script>window.pwned=1</script>",
    "</title></style><script>window.pwned=1</script>",
    "\"><img src=x onerror='window.pwned=1'>",
    "' autofocus onfocus='window.pwned=1' x='",
    '" autofocus onfocus="window.pwned=1" x="',
    "javascript:window.pwned=1//",
    "https://x.example/'onmouseover='window.pwned=1",
    "https://x.example/;script-src 'unsafe-inline'",
    "{{ 7*7 }}<svg/onload=window.pwned=1>",
    "<base href=https://evil.example/><form action=https://evil.example/>",
)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_stranger_s_text_runs_in_a_page(chromium: Chromium, gallery: Gallery, payload: str) -> None:
    """Threats O14: every field of every page at once, then everything on it is focused and followed."""
    fields = {"state": payload, payload: "x"}
    app = render.App(payload, logo_uri=payload, client_uri=payload, policy_uri=payload, tos_uri=payload)
    consent = render.Consent(app, payload, (payload,), gallery.url("stay"), fields, payload, payload)
    gallery.more.update(
        {
            "x-consent": lambda: render.consent(consent),
            "x-logo": lambda: render.consent(replace(consent, app=replace(ACME, name=payload))),
            "x-logout": lambda: render.logout(
                render.Logout(gallery.url("stay"), fields, payload, payload, payload),
            ),
            "x-logged-out": lambda: render.logged_out(render.LoggedOut(payload, "https://x.example/")),
            "x-error": lambda: render.error(
                render.Error(payload, payload, payload, payload, 400, payload, payload, "https://x.example/", payload)
            ),
            "x-signin-missing": lambda: render.signin_missing(render.SigninMissing(payload, payload, payload)),
            "x-form-post": lambda: render.form_post(render.FormPost(gallery.url("stay"), fields, payload)),
            "x-index": lambda: render.index(render.Index(payload, {payload: payload})),
        }
    )
    for name in [*gallery.more]:
        chromium.open(gallery.url(name))
        chromium.tell("document.querySelectorAll('a, button, input, img').forEach(one => one.focus())")
        assert chromium.tell("window.pwned") is None, name
        assert chromium.tell("document.scripts.length") == (1 if name == "x-form-post" else 0), name
        assert chromium.tell("document.querySelectorAll('base, [onerror], [onfocus], [onload]').length") == 0, name
        assert chromium.tell("document.forms.length") <= 1, name
        links = chromium.tell("[...document.links].map(one => one.protocol)")
        assert set(links) <= {"http:", "https:"}, name
