"""Sessions of browsers: whom one serves, how long it lives, how it ends, and what the user is asked."""

from dataclasses import replace
from typing import Any

import pytest
from browsing import CALLBACK, SIGNIN_ORIGIN, SIGNIN_PAGE, WEB, Browser, answered, form_of, ids_of, links_of, parameters
from conftest import WEBHOOK_SECRET, Bridge

from bridge.history import OPERATOR
from bridge.lifecycle.endings import revoke_user
from bridge.store import clients
from bridge.web.browser import Cookies

AFTER = "https://app.example.com/bye"
OTHER = {
    **WEB,
    "redirect_uris": ("https://other.example.com/cb",),
    "signin_url": "https://other.example.com/signin",
    "assertion_origins": (),
}


@pytest.fixture
def site(bridge: Bridge) -> Bridge:
    bridge.add_client(**WEB, post_logout_redirect_uris=(AFTER,), client_uri="https://app.example.com/")
    return bridge


@pytest.fixture
def browser(site: Bridge) -> Browser:
    return Browser(site)


def test_a_session_serves_only_clients_that_trust_the_page_it_was_proven_on(site: Bridge, browser: Browser) -> None:
    site.add_client("other", **OTHER)
    site.add_client("sister", **{**OTHER, "assertion_origins": (SIGNIN_ORIGIN,)})
    browser.sign_in(site.user())
    asked = {"redirect_uri": OTHER["redirect_uris"][0], "prompt": "none"}
    assert answered(browser, "other", **asked)["error"] == "login_required"
    assert "code" in answered(browser, "sister", **asked)


def test_a_session_ends_with_the_assertion_if_nobody_hears_of_revocations(site: Bridge, browser: Browser) -> None:
    browser.sign_in(site.user())
    site.clock.forward(7199)
    assert "code" in answered(browser, prompt="none")
    site.clock.forward(1)
    assert answered(browser, prompt="none")["error"] == "login_required"


def test_a_session_that_is_not_used_ends(make_bridge: Any) -> None:
    site: Bridge = make_bridge(DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET, BRIDGE_SESSION_IDLE_TTL="600")
    site.add_client(**WEB)
    browser = Browser(site)
    browser.sign_in(site.user())
    for _ in range(20):
        site.clock.forward(599)
        assert "code" in answered(browser, prompt="none")
    site.clock.forward(600)
    assert answered(browser, prompt="none")["error"] == "login_required"


def test_the_cookie_is_new_at_each_sign_in_and_the_old_one_dead(site: Bridge, browser: Browser) -> None:
    user = site.user()
    browser.sign_in(user)
    stolen = Browser(site, dict(browser.cookies))
    browser.sign_in(user, prompt="login")
    assert answered(stolen, prompt="none")["error"] == "login_required"
    assert "code" in answered(browser, prompt="none")


def test_another_user_in_the_same_browser_ends_the_first_session(site: Bridge, browser: Browser) -> None:
    browser.sign_in(site.user())
    browser.sign_in(site.user(email="b@example.com", wallets=[]), prompt="login")
    closed = site.rows("SELECT closed_cause FROM sessions ORDER BY closed_at IS NULL")
    assert closed == [("session_replaced",), (None,)]


def test_signing_out_everywhere_ends_the_session_of_every_browser(site: Bridge, browser: Browser) -> None:
    user = site.user()
    browser.sign_in(user)
    site.clock.forward(1)
    with site.database.writing() as tx:
        revoke_user(tx, user.id, actor=OPERATOR, now=site.clock())
    assert answered(browser, prompt="none")["error"] == "login_required"


def test_cookies_of_https_issuers_are_bound_to_their_host_and_differ_by_path() -> None:
    plain, secure = Cookies.of("http://localhost:8080"), Cookies.of("https://id.example.com")
    assert secure.session.startswith("__Host-")
    assert secure.secure
    assert not plain.secure
    assert len({Cookies.of(f"https://id.example.com{path}").session for path in ("", "/a", "/b")}) == 3


def test_the_cookies_are_unreadable_to_scripts_and_stay_on_this_site(site: Bridge, browser: Browser) -> None:
    answer = site.http.get(
        "/authorize",
        query_string={"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid"},
    )
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert answer.headers["Cache-Control"] == "no-store"


# Signing out


def test_an_id_token_that_names_the_user_signs_out_at_once(site: Bridge, browser: Browser) -> None:
    tokens = browser.tokens(site.user(), scope="openid offline_access")
    site.clock.forward(3600)  # the hint has expired, and is one all the same
    answer = browser.get(f"/logout?id_token_hint={tokens['id_token']}&post_logout_redirect_uri={AFTER}&state=s1")
    assert answer.headers["Location"] == f"{AFTER}?state=s1"
    assert answered(browser, prompt="none")["error"] == "login_required"
    assert site.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert site.rows("SELECT closed_cause FROM grants") == [("signed_out",)]


def test_after_signing_out_the_next_sign_in_is_never_silent(site: Bridge, browser: Browser) -> None:
    user = site.user()
    session = site.dynamic.emulator.sign_in(user.id, origin=SIGNIN_ORIGIN)
    token = site.dynamic.emulator.mint(session)
    told = parameters(browser.hand_back(browser.authorize(), token).headers["Location"])
    hint = browser.redeem(told["code"]).json["id_token"]
    browser.get(f"/logout?id_token_hint={hint}")
    site.clock.forward(10)
    again = browser.hand_back(browser.authorize(), token)
    assert parameters(again.headers["Location"])["prompt"] == "login"
    assert "code" in parameters(browser.hand_back(again, site.assertion(user)).headers["Location"])


@pytest.mark.parametrize("query", ["", "client_id=app", f"client_id=app&post_logout_redirect_uri={AFTER}&state=s1"])
def test_without_a_hint_the_user_is_asked(site: Bridge, browser: Browser, query: str) -> None:
    browser.sign_in(site.user())
    page = browser.get(f"/logout?{query}")
    assert "logout-confirm" in ids_of(page)
    assert "code" in answered(browser, prompt="none")
    form = form_of(page)
    done = browser.post("/logout", {**form.fields, "decision": "logout"})
    if "post_logout" in query:
        assert done.headers["Location"] == f"{AFTER}?state=s1"
    else:
        assert "logged-out-title" in ids_of(done)
    assert answered(browser, prompt="none")["error"] == "login_required"


def test_a_strangers_hint_only_asks(site: Bridge, browser: Browser) -> None:
    other = Browser(site)
    hint = other.tokens(site.user(email="b@example.com", wallets=[]))["id_token"]
    browser.sign_in(site.user())
    assert "logout-confirm" in ids_of(browser.get(f"/logout?id_token_hint={hint}"))
    assert "logout-confirm" in ids_of(browser.get("/logout?id_token_hint=junk"))
    assert "code" in answered(browser, prompt="none")


def test_a_foreign_page_signs_nobody_out(site: Bridge, browser: Browser) -> None:
    browser.sign_in(site.user())
    form = form_of(browser.get("/logout")).fields
    for fields in (form, {**form, "seal": "x"}, {"seal": "x"}):
        browser.post("/logout", fields, origin="https://evil.example.com")
    for fields in ({**form, "seal": "x"}, {**form, "client_id": "app"}):
        assert browser.post("/logout", fields).status_code == 400
    assert "code" in answered(browser, prompt="none")


@pytest.mark.parametrize(
    "query",
    [
        "post_logout_redirect_uri=https://app.example.com/bye",
        "client_id=app&post_logout_redirect_uri=https://app.example.com/bye/",
        "client_id=app&post_logout_redirect_uri=https://evil.example.com/",
        "client_id=nobody&post_logout_redirect_uri=https://app.example.com/bye",
    ],
)
def test_nobody_is_sent_where_it_is_not_registered(site: Bridge, browser: Browser, query: str) -> None:
    browser.sign_in(site.user())
    answer = browser.get(f"/logout?{query}")
    assert answer.status_code == 400
    assert "error-code" in ids_of(answer)
    assert "code" in answered(browser, prompt="none")


def test_a_logout_by_post_from_the_client_becomes_a_get(site: Bridge, browser: Browser) -> None:
    tokens = browser.tokens(site.user())
    form = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER}
    answer = browser.post("/logout", form, origin="https://app.example.com")
    assert browser.follow(answer).headers["Location"] == AFTER


def test_who_is_signed_out_already_goes_straight_on(browser: Browser) -> None:
    answer = browser.get(f"/logout?client_id=app&post_logout_redirect_uri={AFTER}")
    assert answer.headers["Location"] == AFTER
    assert "logged-out-title" in ids_of(browser.get("/logout"))


# Consent


@pytest.fixture
def asking(bridge: Bridge) -> Browser:
    bridge.add_client(**WEB, consent="ask", name="The app")
    return Browser(bridge)


def signed_in(browser: Browser, **asked: Any) -> Any:
    return browser.hand_back(browser.authorize(**asked), browser.bridge.assertion())


def test_consent_is_asked_once_and_again_when_it_grows(asking: Browser) -> None:
    page = signed_in(asking, scope="openid email")
    assert {"consent-allow", "consent-deny"} <= ids_of(page)
    assert "The app" in page.text
    answer = asking.follow(asking.post("/consent", {**form_of(page).fields, "decision": "allow"}))
    assert "code" in parameters(answer.headers["Location"])
    assert "code" in answered(asking, scope="openid email", prompt="none")
    assert answered(asking, scope="openid email wallets", prompt="none")["error"] == "consent_required"
    assert "consent-allow" in ids_of(asking.follow(asking.authorize(scope="openid email wallets")))
    assert "consent-allow" in ids_of(asking.follow(asking.authorize(scope="openid email", prompt="consent")))


def test_who_denies_is_taken_back_with_access_denied(asking: Browser) -> None:
    page = signed_in(asking)
    answer = asking.follow(asking.post("/consent", {**form_of(page).fields, "decision": "deny"}))
    assert parameters(answer.headers["Location"])["error"] == "access_denied"
    assert asking.bridge.rows("SELECT event FROM audit WHERE event LIKE 'consent%'") == [("consent_denied",)]


def test_a_forged_consent_counts_for_nothing(asking: Browser) -> None:
    fields = form_of(signed_in(asking)).fields
    for forged in ({**fields, "seal": "x"}, {name: value for name, value in fields.items() if name != "seal"}):
        assert asking.post("/consent", {**forged, "decision": "allow"}).status_code == 400
    asking.post("/consent", {**fields, "decision": "allow"}, origin="https://evil.example.com")
    other = form_of(asking.follow(asking.authorize(scope="openid email wallets offline_access"))).fields
    stale = {**other, "seal": fields["seal"], "decision": "allow"}
    assert asking.post("/consent", stale).status_code == 400
    assert asking.bridge.rows("SELECT count(*) FROM consents") == [(0,)]


def test_where_anybody_could_have_registered_the_redirect_the_user_is_asked(bridge: Bridge) -> None:
    native = {**WEB, "redirect_uris": ("http://127.0.0.1/cb", "com.example.app:/cb")}
    bridge.add_client(**native)
    for uri in ("http://127.0.0.1:49152/cb", "com.example.app:/cb"):
        browser = Browser(bridge)
        assert "consent-allow" in ids_of(signed_in(browser, redirect_uri=uri))
    assert Browser(bridge).authorize(redirect_uri="http://127.0.0.1:49152/other").status_code == 400
    assert Browser(bridge).authorize(redirect_uri="http://localhost:49152/cb").status_code == 400


def test_without_a_sign_in_page_the_user_is_told_kindly(bridge: Bridge) -> None:
    bridge.add_client(**{**WEB, "signin_url": None})
    answer = Browser(bridge).authorize()
    assert answer.status_code == 503
    assert "BRIDGE_SIGNIN_URL" in answer.text


def test_the_bridges_sign_in_page_serves_clients_without_their_own(make_bridge: Any) -> None:
    site: Bridge = make_bridge(BRIDGE_SIGNIN_URL=SIGNIN_PAGE)
    site.add_client(**{**WEB, "signin_url": None})
    site.add_client("second", **{**OTHER, "signin_url": None})
    browser = Browser(site)
    assert "code" in browser.sign_in(site.user())
    silent = {"redirect_uri": OTHER["redirect_uris"][0], "prompt": "none"}
    assert "code" in answered(browser, "second", **silent)


def test_who_is_signed_in_with_another_account_can_change_it(asking: Browser) -> None:
    page = signed_in(asking)
    switch = next(link for link in links_of(page) if "switch=account" in link)
    to_page = asking.get(switch.removeprefix(asking.bridge.config.issuer))
    assert parameters(to_page.headers["Location"])["prompt"] == "select_account"
    other = asking.bridge.user(email="b@example.com", wallets=[])
    again = asking.hand_back(to_page, asking.bridge.assertion(other))
    assert "b@example.com" in again.text


def test_nothing_is_posted_to_a_private_use_scheme(bridge: Bridge) -> None:
    bridge.add_client(**{**WEB, "redirect_uris": ("com.example.app:/cb",)})
    browser = Browser(bridge)
    for asked in ({}, {"prompt": "none login"}):
        answer = browser.authorize(redirect_uri="com.example.app:/cb", response_mode="form_post", **asked)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("com.example.app:/cb?error=invalid_request")


def test_a_client_that_may_not_serve_this_user_is_told_why(site: Bridge, browser: Browser) -> None:
    browser.sign_in(site.user())
    with site.database.writing() as tx:
        found = clients.find(tx, "app")
        assert found is not None
        clients.change(tx, replace(found, environments=("11111111-1111-4111-8111-111111111111",)), site.clock())
    site.forget_cache()
    told = answered(browser)
    assert told["error"] == "access_denied"
    assert told["error_uri"].endswith("/environment_not_allowed")
