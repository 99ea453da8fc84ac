"""The bridge's own sign-in page, as far as the server makes it: who is sent there, what it says, what it may do."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import Person, forms_of
from browsing import CALLBACK, SIGNIN_PAGE, WEB, Browser, ids_of, parameters
from conftest import ISSUER, Bridge
from sqlalchemy import text

from bridge.config import ConfigFaults
from bridge.emulator.model import Session

NO_PAGE = {**WEB, "signin_url": None, "name": "Northwind", "assertion_origins": ()}
SCRIPT, STYLE = "page-ABCD1234.js", "style-EFGH5678.css"
AFTER = "https://app.example.com/bye"


@pytest.fixture
def page_folder(tmp_path: Path) -> Path:
    """What a build leaves behind."""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / SCRIPT).write_text("export {};")
    (folder / STYLE).write_text("body {}")
    (folder / "manifest.json").write_text(json.dumps({"script": SCRIPT, "style": STYLE}))
    return folder


@pytest.fixture
def site(make_bridge: Callable[..., Bridge], page_folder: Path) -> Bridge:
    bridge = make_bridge(BRIDGE_LOGIN_PAGE=str(page_folder))
    bridge.add_client(**NO_PAGE, post_logout_redirect_uris=(AFTER,))
    return bridge


@pytest.fixture
def browser(site: Bridge) -> Browser:
    return Browser(site)


def told(text: str) -> dict[str, Any]:
    """What the page tells its script."""
    found = re.search(r'<script type="application/json" id="config">(.*?)</script>', text)
    assert found is not None
    return dict(json.loads(found[1]))


def own_token(site: Bridge) -> str:
    return site.assertion(origin=ISSUER)


def test_who_has_no_page_elsewhere_is_sent_to_the_bridges_own(site: Bridge, browser: Browser) -> None:
    to_page = browser.authorize(prompt="login", login_hint="maya@example.com")
    location = to_page.headers["Location"]
    assert location.startswith(f"{ISSUER}/signin?request=")
    page = browser.get(location.removeprefix(ISSUER))
    assert page.status_code == 200
    config = told(page.text)
    assert config.pop("restartUrl").startswith(f"{ISSUER}/authorize?client_id=app&request_uri=urn%3Aietf%3A")
    assert config == {
        "page": "signin",
        "environmentId": site.dynamic.emulator.environment_id,
        "apiBaseUrl": site.dynamic.base_url,
        "appName": "Northwind",
        "request": parameters(location)["request"],
        "prompt": "login",
        "loginHint": "maya@example.com",
    }


def test_the_page_may_run_its_script_and_call_dynamic_and_nothing_else(site: Bridge, browser: Browser) -> None:
    page = browser.get(browser.authorize().headers["Location"].removeprefix(ISSUER))
    nonce = re.search(r'<style nonce="([^"]{22})">', page.text)
    assert nonce is not None
    assets = f"{ISSUER}/signin/assets/"
    assert page.headers["Content-Security-Policy"].split("; ") == [
        "default-src 'none'",
        f"style-src 'nonce-{nonce[1]}' {assets}",
        f"script-src {assets}",
        f"connect-src {site.dynamic.origin}",
        "img-src data:",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.text.count("<script") == 2
    assert f'src="{assets}{SCRIPT}"' in page.text
    assert f'href="{assets}{STYLE}"' in page.text


def test_a_token_of_the_bridges_own_page_signs_in(site: Bridge, browser: Browser) -> None:
    answer = browser.hand_back(browser.authorize(), own_token(site), origin=ISSUER)
    assert "code" in parameters(answer.headers["Location"])


def test_a_token_of_another_page_does_not(site: Bridge, browser: Browser) -> None:
    answer = browser.hand_back(browser.authorize(), site.assertion(), origin=ISSUER)
    assert answer.status_code == 400
    assert "assertion_audience" in answer.text or "audience" in answer.text


def test_another_page_can_not_post_for_the_bridges_own(site: Bridge, browser: Browser) -> None:
    answer = browser.hand_back(browser.authorize(), own_token(site), origin="https://app.example.com")
    assert answer.status_code == 400


def test_a_page_that_a_client_or_the_operator_names_comes_first(
    make_bridge: Callable[..., Bridge], site: Bridge, browser: Browser, page_folder: Path
) -> None:
    site.add_client("own", **WEB)
    assert browser.authorize("own").headers["Location"].startswith(SIGNIN_PAGE)
    named = make_bridge(
        BRIDGE_LOGIN_PAGE=str(page_folder),
        BRIDGE_SIGNIN_URL="https://all.example.com/signin",
        BRIDGE_SECRET_KEYS=site.config.secret_keys[0],
    )
    named.add_client("named", **NO_PAGE)
    assert Browser(named).authorize("named").headers["Location"].startswith("https://all.example.com/signin?")


def test_a_request_that_is_over_or_belongs_elsewhere_goes_back_to_authorize(site: Bridge, browser: Browser) -> None:
    site.add_client("own", **WEB)
    request = parameters(browser.authorize("own").headers["Location"])["request"]
    assert browser.get(f"/signin?request={request}").headers["Location"].startswith(f"{ISSUER}/authorize?client_id=own")
    old = browser.authorize().headers["Location"].removeprefix(ISSUER)
    site.clock.forward(601)
    answer = browser.get(old)
    assert answer.headers["Location"].startswith(f"{ISSUER}/authorize?client_id=app&request_uri=")
    assert browser.follow(answer).status_code == 200


@pytest.mark.parametrize("query", ["", "?request=unknown", "?request=", "?request=%ff%00", "?request=a&request=b"])
def test_a_page_for_no_request_says_so(browser: Browser, query: str) -> None:
    page = browser.get(f"/signin{query}")
    assert page.status_code == 400
    assert "error-code" in page.text


def test_a_strangers_words_stay_words(site: Bridge, browser: Browser) -> None:
    """Threats O14: neither the app's name nor the login_hint ends the block that the script reads."""
    nasty = "</script><script>alert(1)</script><!--"
    site.add_client("nasty", **{**NO_PAGE, "name": nasty})
    page = browser.get(browser.authorize("nasty", login_hint=nasty).headers["Location"].removeprefix(ISSUER))
    assert page.text.count("<script") == 2
    assert told(page.text)["loginHint"] == nasty


def test_the_environment_is_the_clients_first(make_bridge: Callable[..., Bridge], page_folder: Path) -> None:
    second = "22222222-2222-4222-8222-222222222222"
    toml = f'[[environments]]\nenvironment_id = "{second}"\napi_base_url = "http://127.0.0.1:9/api/v0"\n'
    bridge = make_bridge(toml, BRIDGE_LOGIN_PAGE=str(page_folder))
    bridge.add_client("first", **NO_PAGE)
    bridge.add_client("second", **{**NO_PAGE, "environments": (second,)})
    browser = Browser(bridge)
    first = browser.get(browser.authorize("first").headers["Location"].removeprefix(ISSUER))
    other = browser.get(browser.authorize("second").headers["Location"].removeprefix(ISSUER))
    assert told(first.text)["environmentId"] == bridge.dynamic.emulator.environment_id
    assert told(other.text)["environmentId"] == second
    assert "connect-src http://127.0.0.1:9;" in other.headers["Content-Security-Policy"]


def test_a_session_proven_on_the_own_page_serves_every_client_as_long_as_there_is_that_page(
    make_bridge: Callable[..., Bridge], site: Bridge, browser: Browser
) -> None:
    site.add_client("own", **WEB)
    browser.hand_back(browser.authorize(), own_token(site), origin=ISSUER)
    assert "code" in parameters(browser.authorize("own", prompt="none").headers["Location"])
    without = make_bridge(BRIDGE_DATABASE_URL=site.config.database_url, BRIDGE_SECRET_KEYS=site.config.secret_keys[0])
    same = Browser(without, browser.cookies)
    assert parameters(same.authorize("own", prompt="none").headers["Location"])["error"] == "login_required"


def test_a_session_of_an_apps_page_does_not_serve_the_clients_of_the_bridges_own(
    site: Bridge, browser: Browser
) -> None:
    site.add_client("own", **WEB)
    browser.sign_in(site.user(), "own")
    assert parameters(browser.authorize(prompt="none").headers["Location"])["error"] == "login_required"


def test_signing_out_passes_by_a_page_that_ends_the_session_at_dynamic(site: Bridge, browser: Browser) -> None:
    answer = browser.hand_back(browser.authorize(), own_token(site), origin=ISSUER)
    tokens = browser.redeem(parameters(answer.headers["Location"])["code"]).json
    page = browser.get(f"/logout?id_token_hint={tokens['id_token']}&post_logout_redirect_uri={AFTER}&state=x")
    assert page.status_code == 200
    assert told(page.text)["page"] == "signout"
    assert told(page.text)["next"] == f"{AFTER}?state=x"
    assert f'<meta http-equiv="refresh" content="8; url={AFTER}?state=x">' in page.text
    assert f'href="{AFTER}?state=x"' in page.text
    again = browser.get(f"/logout?client_id=app&post_logout_redirect_uri={AFTER}")
    assert again.headers["Location"] == AFTER


def test_signing_out_of_an_apps_page_goes_straight_on(site: Bridge, browser: Browser) -> None:
    site.add_client("own", **WEB, post_logout_redirect_uris=(AFTER,))
    tokens = browser.tokens(site.user(), "own")
    answer = browser.get(f"/logout?id_token_hint={tokens['id_token']}&post_logout_redirect_uri={AFTER}")
    assert answer.headers["Location"] == AFTER


@pytest.mark.parametrize(("name", "kind", "body"), [(SCRIPT, "javascript", b"export {};"), (STYLE, "css", b"body {}")])
def test_the_files_are_kept_for_ever_and_are_what_they_say(site: Bridge, name: str, kind: str, body: bytes) -> None:
    plain = site.http.get(f"/signin/assets/{name}")
    packed = site.http.get(f"/signin/assets/{name}", headers={"Accept-Encoding": "gzip"})
    assert plain.data == body
    assert gzip.decompress(packed.data) == body
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    for answer in (plain, packed):
        assert answer.content_type == f"text/{kind}; charset=utf-8"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", ["manifest.json", "page-XXXXXXXX.js", "..%2Fmanifest.json", "%00", "../bridge.toml"])
def test_nothing_else_of_the_directory_is_served(site: Bridge, name: str) -> None:
    assert site.http.get(f"/signin/assets/{name}").status_code == 404


def test_without_the_page_the_developer_is_told_how_to_build_it(bridge: Bridge) -> None:
    bridge.add_client(**NO_PAGE)
    page = Browser(bridge).authorize()
    assert page.status_code == 503
    assert "oidc-bridge login-page build" in page.text
    assert bridge.http.get(f"/signin/assets/{SCRIPT}").status_code == 404


def test_an_issuer_with_a_path_has_its_page_below_it(make_bridge: Callable[..., Bridge], page_folder: Path) -> None:
    issuer = f"{ISSUER}/auth"
    bridge = make_bridge(BRIDGE_LOGIN_PAGE=str(page_folder), BRIDGE_ISSUER=issuer)
    bridge.add_client(**NO_PAGE)
    browser = Browser(bridge)
    to_page = browser.get(f"/auth/authorize?client_id=app&redirect_uri={CALLBACK}&response_type=code&scope=openid")
    location = to_page.headers["Location"]
    assert location.startswith(f"{issuer}/signin?request=")
    page = browser.get(location.removeprefix(ISSUER))
    assert f'src="{issuer}/signin/assets/{SCRIPT}"' in page.text
    assert f'action="{issuer}/signin/complete"' in page.text
    assert bridge.http.get(f"/auth/signin/assets/{SCRIPT}").data == b"export {};"
    posted = {"request": parameters(location)["request"], "token": own_token(bridge)}
    answer = browser.post("/auth/signin/complete", posted, origin=ISSUER)
    assert answer.headers["Location"].startswith(f"{issuer}/authorize?")
    assert "proof" in parameters(answer.headers["Location"])


@pytest.mark.parametrize(
    "manifest", ["", "[]", "{}", '{"script": 1, "style": 2}', '{"script": "../../etc/passwd", "style": "x"}']
)
def test_a_directory_that_holds_no_page_is_a_fault(
    make_bridge: Callable[..., Bridge], page_folder: Path, manifest: str
) -> None:
    (page_folder / "manifest.json").write_text(manifest)
    with pytest.raises(ConfigFaults, match="BRIDGE_LOGIN_PAGE: holds no built sign-in page"):
        make_bridge(BRIDGE_LOGIN_PAGE=str(page_folder))


def test_a_session_that_was_proven_on_it_opens_the_users_own_page(site: Bridge, browser: Browser) -> None:
    to_page = browser.follow(browser.get("/account"))
    assert to_page.status_code == 200
    assert told(to_page.text)["appName"] == "Your account"
    browser.hand_back(browser.authorize(), own_token(site), ISSUER)
    page = browser.follow(browser.get("/account"))
    assert 'id="account-title"' in page.text
    assert site.rows("SELECT client_id FROM grants") == [("app",)]


# Signing out where the browser's own session is gone, or from the users' own page


def without_session(browser: Browser) -> None:
    """The browser was closed: its cookies are gone, what pages store in it is not."""
    browser.cookies.clear()


@pytest.fixture
def at_dynamic(site: Bridge) -> Session:
    return site.dynamic.emulator.sign_in(site.user().id, origin=ISSUER)


def app_tokens(site: Bridge, browser: Browser, session: Session, **asked: str) -> dict[str, Any]:
    answer = browser.hand_back(browser.authorize(**asked), site.dynamic.emulator.mint(session), origin=ISSUER)
    return dict(browser.redeem(parameters(answer.headers["Location"])["code"]).json)


def renewed(site: Bridge, tokens: dict[str, Any]) -> int:
    return site.refresh(tokens["refresh_token"]).status_code


def test_without_a_cookie_an_id_token_ends_the_session_that_it_names(
    site: Bridge, browser: Browser, at_dynamic: Session
) -> None:
    site.add_client("told", **NO_PAGE, backchannel_logout_uri="https://told.example.com/logout")
    tokens = app_tokens(site, browser, at_dynamic, scope="openid offline_access")
    other = browser.authorize("told", scope="openid")
    assert browser.redeem(parameters(other.headers["Location"])["code"], "told").status_code == 200
    without_session(browser)
    page = browser.get(f"/logout?id_token_hint={tokens['id_token']}&post_logout_redirect_uri={AFTER}")
    assert told(page.text)["page"] == "signout"
    assert told(page.text)["next"] == AFTER
    assert renewed(site, tokens) == 400
    assert site.rows("SELECT closed_cause FROM sessions") == [("signed_out",)]
    assert site.rows("SELECT receiver FROM outbox WHERE kind = 'backchannel_logout'") == [("told",)]
    refreshed = site.dynamic.emulator.refresh(at_dynamic.sid)
    again = browser.hand_back(browser.authorize(), site.dynamic.emulator.mint(refreshed), origin=ISSUER)
    assert told(again.text)["prompt"] == "login", "nothing is opened silently"


def test_without_a_cookie_offline_access_that_survives_a_sign_out_goes_on(
    site: Bridge, browser: Browser, at_dynamic: Session
) -> None:
    site.add_client("works", **NO_PAGE, offline_survives_logout=True)
    answer = browser.hand_back(
        browser.authorize("works", scope="openid offline_access"),
        site.dynamic.emulator.mint(at_dynamic),
        origin=ISSUER,
    )
    tokens = browser.redeem(parameters(answer.headers["Location"])["code"], "works").json
    without_session(browser)
    browser.get(f"/logout?id_token_hint={tokens['id_token']}")
    assert site.rows("SELECT closed_cause FROM sessions") == [("signed_out",)]
    assert site.refresh(tokens["refresh_token"], "works").status_code == 200


def test_without_a_cookie_an_old_id_token_does_not_end_the_session_of_a_newer_sign_in(
    site: Bridge, browser: Browser, at_dynamic: Session
) -> None:
    old = app_tokens(site, browser, at_dynamic)
    site.clock.forward(60)
    newer = site.dynamic.emulator.sign_in(at_dynamic.user_id, origin=ISSUER)
    new = app_tokens(site, browser, newer, prompt="login", scope="openid offline_access")
    without_session(browser)
    browser.get(f"/logout?id_token_hint={old['id_token']}")
    assert site.rows("SELECT closed_cause FROM sessions") == [(None,)]
    assert renewed(site, new) == 200


def test_without_a_cookie_and_without_an_id_token_nothing_ends(
    site: Bridge, browser: Browser, at_dynamic: Session
) -> None:
    tokens = app_tokens(site, browser, at_dynamic, scope="openid offline_access")
    without_session(browser)
    for query in ("", "?client_id=app", f"?client_id=app&id_token_hint={tokens['access_token']}"):
        assert 'id="config"' not in browser.get(f"/logout{query}").text
    assert renewed(site, tokens) == 200


def test_an_id_token_of_a_session_that_nobody_remembers_still_ends_what_the_page_holds(
    site: Bridge, browser: Browser, at_dynamic: Session
) -> None:
    tokens = app_tokens(site, browser, at_dynamic)
    with site.database.writing() as tx:
        for table in ("codes", "refresh_tokens", "grants", "sessions"):
            tx.execute(text(f"DELETE FROM {table}"))
    page = browser.get(f"/logout?id_token_hint={tokens['id_token']}&post_logout_redirect_uri={AFTER}")
    assert told(page.text)["page"] == "signout"


@pytest.mark.parametrize("deed", ["everywhere", "end"])
def test_who_signs_out_on_the_users_own_page_passes_by_the_page_that_ends_the_session_at_dynamic(
    site: Bridge, deed: str
) -> None:
    me = Person(site)
    me.hand_back(me.authorize(), own_token(site), origin=ISSUER)
    answer = me.post("/account", me.sealed(deed, me.session_id if deed == "end" else ""))
    assert told(answer.text)["page"] == "signout"
    assert told(answer.text)["next"] is None
    assert "logged-out-title" in ids_of(answer)
    assert not any("session" in name for name in me.cookies)


def test_erasing_passes_by_the_page_that_ends_the_session_at_dynamic(site: Bridge, browser: Browser) -> None:
    browser.hand_back(browser.authorize(), own_token(site), origin=ISSUER)
    answer = browser.post("/account/erase", forms_of(browser.get("/account/erase"))[0])
    assert told(answer.text)["page"] == "signout"
    assert "erased-title" in ids_of(answer)
    assert not any("session" in name for name in browser.cookies)


# The request's id is a bearer: who has it could plant a sign-in (threats A17)


def test_the_link_to_another_browser_holds_an_id_that_is_good_for_nothing_in_this_one(
    site: Bridge, browser: Browser
) -> None:
    location = browser.authorize(scope="openid").headers["Location"]
    restart = told(browser.get(location.removeprefix(ISSUER)).text)["restartUrl"]
    given = parameters(restart)["request_uri"].rpartition(":")[2]
    assert given != parameters(location)["request"]
    stranger = Browser(site)
    answer = stranger.post("/signin/complete", {"request": given, "token": own_token(site)}, origin=ISSUER)
    assert answer.status_code == 400
    begun = Browser(site)
    anew = begun.get(restart.removeprefix(ISSUER))
    assert "code" in parameters(begun.hand_back(anew, own_token(site), origin=ISSUER).headers["Location"])


def test_only_the_browser_that_began_can_hand_back_a_sign_in_of_the_own_page(site: Bridge, browser: Browser) -> None:
    location = browser.authorize().headers["Location"]
    posted = {"request": parameters(location)["request"], "token": own_token(site)}
    stranger = Browser(site)
    answer = stranger.post("/signin/complete", posted, origin=ISSUER)
    assert answer.status_code == 400
    assert "cookies_off" in answer.text
    stranger.authorize()
    assert stranger.post("/signin/complete", posted, origin=ISSUER).status_code == 400
    assert stranger.post("/signin/complete", {**posted, "error": "access_denied"}, origin=ISSUER).status_code == 400
    assert "code" in parameters(browser.follow(browser.post("/signin/complete", posted)).headers["Location"])
