"""People sign in on the bridge's own page: Dynamic's real SDK in a browser, against the emulator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlencode

import nextauth_app
import pytest
from browser import chromium
from browser.chromium import NARROW, PHONE, Chromium, running_chromium
from not_tested import REQUIRE, is_required, leave_out
from own_page import EMAIL, Stage, add_client, running_stage
from own_page_pictures import STATES, state
from page_wallet import INJECTED, NAME, installed_wallet
from siwe_wallet import Wallet

from bridge.emulator.faults import FaultMode
from bridge.emulator.switches import Switches

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]  # the page may have to be built first


@pytest.fixture(scope="module")
def window(pytestconfig: pytest.Config) -> Iterator[Chromium]:
    for what, problem in (("browser", chromium.missing()), ("node", nextauth_app.missing())):
        if problem is not None:
            if is_required(what):
                pytest.fail(f"{problem}, and {REQUIRE} asks for it")
            leave_out(pytestconfig, f"The bridge's own sign-in page: {problem}.")
            pytest.skip(problem)
    with running_chromium({}) as running:
        yield running


@pytest.fixture(scope="module")
def running(window: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_stage(tmp_path_factory.mktemp("bridge"), window) as stage:
        yield stage


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    """The stage as it was at the beginning. What a page did against its policy, or tried elsewhere, fails a test."""
    running.browser.look()
    running.browser.driver.get("about:blank")
    running.forget()
    running.complaints()
    running.dynamic.emulator.switches = Switches()
    running.dynamic.emulator.faults.clear()
    running.dynamic.emulator.clear_requests()
    running.arrived.clear()
    yield running
    assert running.complaints() == []


def test_a_code_by_email_ends_at_the_app(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email()
    claims = stage.claims()
    assert claims["email"] == EMAIL
    assert claims["email_verified"] is True


def test_a_wrong_code_is_told_and_the_right_one_still_signs_in(stage: Stage) -> None:
    stage.begin()
    code = stage.ask_for_code("wrong@example.com")
    stage.type("#code", f"{(int(code) + 1) % 10**6:06}")
    stage.says("That is not the code.")
    assert stage.browser.tell("document.activeElement.id") == "code"
    assert stage.browser.element("code").get_attribute("aria-invalid") == "true"
    stage.type("#code", code)
    assert stage.claims()["email"] == "wrong@example.com"


def test_a_code_that_ran_out_is_replaced_by_a_new_one(stage: Stage) -> None:
    stage.begin()
    code = stage.ask_for_code("late@example.com")
    clock = stage.dynamic.emulator.clock
    stage.dynamic.emulator.clock = lambda: clock() + 3600
    stage.type("#code", code)
    stage.says("This code is not good any more.")
    stage.dynamic.emulator.clock = clock
    stage.press("#code-again")
    stage.says("A new code is on its way.")
    stage.type("#code", stage.dynamic.emulator.email_codes.latest("late@example.com"))
    assert stage.claims()["email"] == "late@example.com"


def test_an_address_that_is_none_is_told_before_anything_is_sent(stage: Stage) -> None:
    stage.begin(login_hint="somebody@example.com")
    field = stage.shown("#email")
    assert field.get_attribute("value") == "somebody@example.com"
    field.clear()
    field.send_keys("not an address")
    stage.press("#email-send")
    stage.says("Type your e-mail address")
    assert stage.called("POST /emailVerifications/create") == 0


def test_who_asks_for_too_many_codes_is_told_how_long_to_wait(stage: Stage) -> None:
    stage.begin()
    stage.shown("#email").send_keys(EMAIL)
    stage.dynamic.emulator.faults.set("/sdk", FaultMode.rate_limited)
    stage.press("#email-send")
    stage.says("Too many tries. Wait a minute, then try again.")


def test_a_wallet_signs_in_by_a_message_that_names_this_page(stage: Stage) -> None:
    with installed_wallet(stage.browser) as wallet:
        stage.begin()
        stage.press("[data-wallet='Test Wallet']")
        message = stage.wait(wallet.asked_to_sign, "the wallet is asked nothing")
        host = stage.issuer.partition("//")[2]
        assert message.startswith(f"{host} wants you to sign in with your Ethereum account:\n{wallet.address}\n")
        stage.says("Confirm in Test Wallet")
        wallet.answer(wallet.wallet.sign(message))
        claims = stage.claims()
    assert claims["wallet_address"] == wallet.address
    assert stage.called("POST /refresh") == 0  # the sign-in's own token, which is the full one


def test_who_declines_in_the_wallet_is_back_at_the_start(stage: Stage) -> None:
    with installed_wallet(stage.browser) as wallet:
        stage.begin()
        stage.press("[data-wallet='Test Wallet']")
        stage.wait(wallet.asked_to_sign, "the wallet is asked nothing")
        wallet.refuse(4001)
        stage.says("You declined in Test Wallet. Nothing was signed.")
        stage.press("[data-wallet='Test Wallet']")
        message = stage.wait(wallet.asked_to_sign, "the wallet is not asked again")
        wallet.answer(wallet.wallet.sign(message))
        assert stage.claims()["wallet_address"] == wallet.address


def test_a_signature_by_another_key_signs_nobody_in(stage: Stage) -> None:
    with installed_wallet(stage.browser) as wallet:
        stage.begin()
        stage.press("[data-wallet='Test Wallet']")
        message = stage.wait(wallet.asked_to_sign, "the wallet is asked nothing")
        wallet.answer(Wallet().sign(message))
        stage.says("The signature from Test Wallet was not accepted.")
        assert stage.shown("#email")
    assert stage.called("POST /wallets/signin") == 1


def test_a_wallet_that_is_busy_is_told_apart_from_one_that_declines(stage: Stage) -> None:
    with installed_wallet(stage.browser) as wallet:
        stage.begin()
        stage.press("[data-wallet='Test Wallet']")
        stage.wait(wallet.asked_to_sign, "the wallet is asked nothing")
        wallet.refuse(-32002)
        stage.says("Test Wallet still shows an earlier question.")


def test_who_goes_back_while_the_wallet_asks_can_sign_in_another_way(stage: Stage) -> None:
    with installed_wallet(stage.browser) as wallet:
        stage.begin()
        stage.press("[data-wallet='Test Wallet']")
        message = stage.wait(wallet.asked_to_sign, "the wallet is asked nothing")
        stage.press("#back")
        stage.shown("#email")
        wallet.answer(wallet.wallet.sign(message))  # too late: nobody waits for it
        stage.wait(lambda: stage.called("POST /wallets/signin") == 1, "the signature was not sent")
        stage.sign_in_by_email("instead@example.com")
        claims = stage.claims()
    assert claims["email"] == "instead@example.com"
    assert "wallet_address" not in claims


@pytest.mark.parametrize("provider", ["google", "github"])
def test_a_social_account_signs_in_and_the_request_survives_the_trip(stage: Stage, provider: str) -> None:
    stage.begin()
    stage.press(f"#provider-{provider}")
    stage.type("#identity-email", f"{provider}@example.com")
    stage.press("#identity-submit")
    assert stage.claims()["sub"]
    assert stage.called(f"POST /providers/{provider}/signIn") == 1


def test_who_cancels_at_the_provider_can_try_again_and_a_reload_repeats_nothing(stage: Stage) -> None:
    stage.begin()
    stage.press("#provider-google")
    stage.press("#identity-cancel")
    stage.says("That sign-in was not finished.")
    assert "dynamicOauth" not in stage.browser.driver.current_url
    assert "error" not in stage.browser.driver.current_url
    stage.browser.driver.refresh()
    stage.shown("#email")
    assert "not finished" not in stage.text()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("mfa_owed", "A second factor is needed"),
        ("profile_incomplete", "Your profile is not complete"),
        ("device_unconfirmed", "This device is not known yet"),
    ],
)
def test_a_step_that_is_owed_is_named_and_another_account_can_sign_in(stage: Stage, state: str, words: str) -> None:
    stage.dynamic.emulator.switch(new_user_state=state)
    stage.begin()
    stage.sign_in_by_email(f"{state}@example.com")
    stage.says(words)
    assert stage.arrived == []
    stage.browser.driver.refresh()
    stage.says(words)
    stage.dynamic.emulator.switch(new_user_state="complete")
    stage.press("#another")
    stage.sign_in_by_email(f"other-than-{state}@example.com")
    assert stage.claims()["email"] == f"other-than-{state}@example.com"


def test_a_session_at_dynamic_is_offered_and_never_handed_on_by_itself(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email("again@example.com")
    stage.back_at_app()
    stage.forget(storage=False)
    stage.arrived.clear()
    stage.begin()
    assert stage.shown("#who").text == "again@example.com"
    stage.browser.driver.refresh()
    stage.shown("#continue")
    assert stage.arrived == []
    stage.press("#continue")
    assert stage.claims()["email"] == "again@example.com"
    assert stage.called("POST /emailVerifications/create") == 1


def test_another_account_ends_the_session_that_was_offered(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email("one@example.com")
    stage.back_at_app()
    stage.forget(storage=False)
    stage.begin(prompt="select_account")
    stage.press("#another")
    stage.sign_in_by_email("two@example.com")
    assert stage.claims()["email"] == "two@example.com"
    assert stage.called("POST /revoke") == 1


@contextmanager
def odd_wallet(stage: Stage, usual: str, odd: str, address: str = "0x" + "11" * 20) -> Iterator[None]:
    """The wallet that every page finds, with a part of it done otherwise."""
    assert usual in INJECTED
    source = (INJECTED % {"address": address, "name": NAME}).replace(usual, odd)
    driver = stage.browser.driver
    added = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


def credentials(stage: Stage) -> dict[str, set[str]]:
    """The ids of what every user at Dynamic can sign in with, by the user's id."""
    return {user.id: {one.id for one in user.credentials} for user in stage.dynamic.emulator.users()}


def nothing_was_linked(stage: Stage, before: dict[str, set[str]]) -> bool:
    after = credentials(stage)
    return all(after[user] == held for user, held in before.items()) and len(after) == len(before) + 1


@pytest.mark.parametrize("prompt", ["select_account", "login"])
def test_a_wallet_that_does_not_let_go_leaves_its_account_alone(stage: Stage, prompt: str) -> None:
    with installed_wallet(stage.browser) as wallet:
        stage.begin()
        stage.press("[data-wallet='Test Wallet']")
        wallet.answer(wallet.wallet.sign(stage.wait(wallet.asked_to_sign, "the wallet is asked nothing")))
        first = stage.claims()["sub"]
    stage.forget(storage=False)
    stage.arrived.clear()
    before = credentials(stage)
    hangs = "wallet_revokePermissions: () => new Promise(() => { window.askedToLetGo = true; }),"
    with odd_wallet(stage, "wallet_revokePermissions: () => null,", hangs, wallet.address):
        stage.begin(prompt=prompt)
        if prompt == "select_account":
            stage.press("#another")
        code = stage.ask_for_code(f"after-wallet-{prompt}@example.com")
        assert stage.browser.tell("window.askedToLetGo") is True
        stage.type("#code", code)
        claims = stage.claims()
    assert claims["sub"] != first
    assert claims["email"] == f"after-wallet-{prompt}@example.com"
    assert "wallet_address" not in claims
    assert nothing_was_linked(stage, before)
    assert stage.called("POST /revoke") == 1


def slow_to_revoke(stage: Stage, email: str) -> str:
    """Somebody is signed in at Dynamic, which takes long to end that; their subject."""
    stage.begin()
    stage.sign_in_by_email(email)
    sub = str(stage.claims()["sub"])
    stage.forget(storage=False)
    stage.arrived.clear()
    environment = stage.dynamic.emulator.environment_id
    stage.dynamic.emulator.faults.set(f"/sdk/{environment}/revoke", FaultMode.slow, delay=14)
    return sub


def test_a_wallet_signs_in_its_own_account_while_the_earlier_session_is_still_being_revoked(stage: Stage) -> None:
    with installed_wallet(stage.browser) as wallet:
        first = slow_to_revoke(stage, "slow-wallet@example.com")
        before = credentials(stage)
        stage.begin()
        stage.press("#another")
        stage.press("[data-wallet='Test Wallet']")
        wallet.answer(wallet.wallet.sign(stage.wait(wallet.asked_to_sign, "the wallet is asked nothing")))
        claims = stage.claims()
    assert claims["sub"] != first
    assert claims["wallet_address"] == wallet.address
    assert "email" not in claims
    assert nothing_was_linked(stage, before)
    assert stage.called("POST /revoke") == 1


def test_nobody_leaves_for_a_provider_while_an_earlier_session_is_stored(stage: Stage) -> None:
    first = slow_to_revoke(stage, "slow-social@example.com")
    before = credentials(stage)
    stage.begin()
    stage.press("#another")
    stage.shown("#provider-google")
    environment = stage.dynamic.emulator.environment_id
    assert stage.browser.tell(f"localStorage.getItem('dynamic_{environment}_session')") is None
    stage.press("#provider-google")
    stage.type("#identity-email", "after-slow@example.com")
    stage.press("#identity-submit")
    assert stage.claims()["sub"] != first
    assert nothing_was_linked(stage, before)


def test_a_session_that_another_tab_left_meanwhile_gains_no_social_account(stage: Stage) -> None:
    """The page that comes back from the provider finds somebody signed in."""
    driver = stage.browser.driver
    first = driver.current_window_handle
    stage.begin()
    stage.press("#provider-google")
    stage.shown("#identity-email")
    driver.switch_to.new_window("tab")
    second = driver.current_window_handle
    try:
        stage.begin()
        stage.sign_in_by_email("in-between@example.com")
        other = stage.claims()["sub"]
        before = credentials(stage)
        stage.arrived.clear()
    finally:
        driver.close()
        driver.switch_to.window(first)
    assert second != first
    stage.type("#identity-email", "came-back@example.com")
    stage.press("#identity-submit")
    assert stage.claims()["sub"] != other
    assert nothing_was_linked(stage, before)


@pytest.mark.parametrize("icon", ["7", "{}", "null"])
def test_a_wallet_whose_picture_is_none_is_offered_all_the_same(stage: Stage, icon: str) -> None:
    with odd_wallet(stage, "name, icon, rdns", f"name, icon: {icon}, rdns"):
        stage.begin()
        stage.press("[data-wallet='Test Wallet']")
        stage.says("Confirm in Test Wallet")


def test_an_enter_that_is_held_down_hands_no_session_on(stage: Stage) -> None:
    tab, enter = "\ue004", "\ue007"
    stage.begin()
    stage.sign_in_by_email("held@example.com")
    stage.back_at_app()
    stage.forget(storage=False)
    stage.arrived.clear()
    stage.begin()
    stage.shown("#continue")
    assert stage.browser.tell("document.activeElement.id") == "title"
    stage.browser.press(enter)
    assert stage.called("POST /refresh") == 0
    stage.browser.press(tab)
    assert stage.browser.tell("document.activeElement.id") == "continue"
    stage.browser.press(enter)
    assert stage.claims()["email"] == "held@example.com"


def test_a_session_that_was_ended_at_dynamic_signs_nobody_in(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email("ended@example.com")
    stage.back_at_app()
    for session in stage.dynamic.emulator.sessions():
        stage.dynamic.emulator.revoke(session.sid)
    stage.forget(storage=False)
    stage.begin()
    stage.press("#continue")
    stage.says("That session has ended. Please sign in again.")
    stage.sign_in_by_email("ended@example.com")
    assert stage.claims()["email"] == "ended@example.com"


def test_a_session_that_expires_before_ones_eyes_is_not_offered_any_more(stage: Stage) -> None:
    stage.dynamic.emulator.switch(token_lifetime_seconds=4)
    stage.begin()
    stage.sign_in_by_email("brief@example.com")
    stage.back_at_app()
    stage.forget(storage=False)
    stage.begin()
    stage.shown("#continue")
    stage.says("Your session has ended. Please sign in again.")
    stage.dynamic.emulator.switch(token_lifetime_seconds=0)
    stage.sign_in_by_email("brief@example.com")
    stage.back_at_app()


def test_a_second_tab_learns_of_a_sign_in_in_the_first(stage: Stage) -> None:
    driver = stage.browser.driver
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    second = driver.current_window_handle
    try:
        stage.begin()
        stage.shown("#email")
        driver.switch_to.window(first)
        stage.begin()
        stage.sign_in_by_email("tabs@example.com")
        stage.back_at_app()
        driver.switch_to.window(second)
        stage.press("#continue")
        stage.back_at_app()
    finally:
        driver.switch_to.window(second)
        driver.close()
        driver.switch_to.window(first)


def test_prompt_login_ends_the_session_at_dynamic_and_takes_a_new_one(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email("fresh@example.com")
    stage.back_at_app()
    stage.arrived.clear()
    stage.begin(prompt="login")
    stage.sign_in_by_email("fresh@example.com")
    assert stage.claims()["email"] == "fresh@example.com"
    assert stage.called("POST /revoke") == 1
    assert stage.called("POST /emailVerifications/signin") == 2


def test_prompt_login_takes_a_sign_in_by_wallet_and_by_social_account_too(stage: Stage) -> None:
    """Neither token may be a refreshed one, which tells of no act of the user's."""
    with installed_wallet(stage.browser) as wallet:
        stage.begin(prompt="login")
        stage.press("[data-wallet='Test Wallet']")
        wallet.answer(wallet.wallet.sign(stage.wait(wallet.asked_to_sign, "the wallet is asked nothing")))
        stage.back_at_app()
    stage.arrived.clear()
    stage.begin(prompt="login")
    stage.press("#provider-google")
    stage.type("#identity-email", "fresh-google@example.com")
    stage.press("#identity-submit")
    assert "code" in stage.back_at_app()


def test_who_does_not_want_to_is_back_at_the_app(stage: Stage) -> None:
    stage.begin()
    stage.press("#cancel")
    assert stage.back_at_app()["error"] == "access_denied"


def test_an_account_that_the_bridge_refuses_does_not_go_round(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email("locked@example.com")
    sub = stage.claims()["sub"]
    assert stage.command("user", "disable", sub).returncode == 0
    stage.forget(storage=False)
    stage.begin(prompt="select_account")
    stage.press("#continue")
    stage.wait(lambda: stage.browser.driver.title != "Sign in to Northwind Ledger", "the bridge does not refuse")
    stage.begin()
    if not stage.browser.driver.find_elements("id", "email"):
        stage.press("#another")
    stage.sign_in_by_email("unlocked@example.com")
    assert stage.claims()["email"] == "unlocked@example.com"


def test_signing_out_at_the_bridge_ends_the_session_at_dynamic_and_goes_on(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email("leaving@example.com")
    hint = stage.claims()["id_token"]
    asked = urlencode({"id_token_hint": hint, "post_logout_redirect_uri": f"{stage.origin}/bye", "state": "x"})
    stage.browser.driver.get(f"{stage.issuer}/logout?{asked}")
    assert stage.back_at_app("/bye") == {"state": "x"}
    assert stage.called("POST /revoke") == 1
    stage.begin()
    stage.shown("#email")


def test_signing_out_goes_on_without_dynamic_and_without_a_script(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email("offline@example.com")
    asked = urlencode({"id_token_hint": stage.claims()["id_token"], "post_logout_redirect_uri": f"{stage.origin}/bye"})
    stage.dynamic.emulator.faults.set("/sdk", FaultMode.down)
    stage.browser.driver.get(f"{stage.issuer}/logout?{asked}")
    stage.back_at_app("/bye")
    stage.dynamic.emulator.faults.clear()
    stage.arrived.clear()
    stage.begin()
    stage.sign_in_by_email("offline@example.com")
    asked = urlencode({"id_token_hint": stage.claims()["id_token"], "post_logout_redirect_uri": f"{stage.origin}/bye"})
    stage.arrived.clear()
    stage.browser.scripts(run=False)
    stage.browser.driver.get(f"{stage.issuer}/logout?{asked}")
    stage.wait(lambda: stage.arrived, "it does not go on without scripts")
    stage.browser.scripts(run=True)


def test_an_environment_that_keeps_its_token_in_a_cookie_is_named_as_the_cause(stage: Stage) -> None:
    stage.dynamic.emulator.switch(cookie_mode=True)
    stage.begin()
    stage.says("Sign-in is not ready here")
    assert "HttpOnly cookie" in stage.shown("#stage .facts").text


def test_an_environment_that_demands_a_captcha_is_named_as_the_cause(stage: Stage) -> None:
    stage.dynamic.emulator.switch(captcha_enabled=True)
    stage.begin()
    stage.says("Sign-in is not ready here")
    assert "captcha" in stage.shown("#stage .facts").text


def test_who_meets_a_dynamic_that_is_down_can_try_again(stage: Stage) -> None:
    stage.dynamic.emulator.faults.set("/sdk", FaultMode.down)
    stage.begin()
    stage.says("Sign-in does not answer")
    assert stage.issuer_origin in stage.shown("#stage .facts").text
    stage.dynamic.emulator.faults.clear()
    stage.press("#retry")
    stage.shown("#email")


def test_a_page_that_is_not_among_the_allowed_origins_says_which_one_is_missing(stage: Stage) -> None:
    stage.dynamic.emulator.switch(allowed_origins=("https://app.example.com",))
    stage.begin()
    stage.says("Sign-in does not answer")
    assert f"{stage.issuer_origin} is among the allowed origins" in stage.shown("#stage .facts").text


def test_dynamic_that_goes_away_in_between_is_told_where_it_was_met(stage: Stage) -> None:
    stage.begin()
    stage.shown("#email").send_keys(EMAIL)
    stage.dynamic.emulator.faults.set("/sdk", FaultMode.down)
    stage.press("#email-send")
    stage.says("The sign-in service does not answer.")
    stage.dynamic.emulator.faults.clear()
    stage.sign_in_by_email()
    stage.back_at_app()


def test_without_scripts_the_page_says_so_and_one_can_still_go_back(stage: Stage) -> None:
    stage.browser.scripts(run=False)
    stage.begin()
    assert "Signing in needs JavaScript" in stage.shown("#no-script").text
    stage.press("#cancel")
    stage.wait(lambda: stage.arrived, "cancelling needs a script")
    assert "error=access_denied" in stage.arrived[-1]
    stage.browser.scripts(run=True)


def test_a_phone_without_a_wallet_is_led_into_the_wallets_own_browsers(stage: Stage) -> None:
    driver = stage.browser.driver
    stage.browser.look(PHONE)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        stage.begin()
        stage.shown("#wallet-browsers")
        links = stage.browser.tell("[...document.querySelectorAll('#wallet-browsers a')].map(one => one.href)")
    finally:
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    anew = f"{stage.issuer}/authorize?client_id=app&request_uri="
    assert len(links) == 4
    assert unquote(links[1]).startswith(f"https://go.cb-w.com/dapp?cb_url={anew}")
    assert unquote(links[0]).startswith(f"https://metamask.app.link/dapp/{anew.removeprefix('http://')}")


def test_a_session_of_the_bridges_own_page_serves_every_client(stage: Stage) -> None:
    """Decision: what the bridge itself has seen proven counts for clients with a page of their own too."""
    add_client(stage, "elsewhere", f"--signin-url={stage.origin}/their-sign-in")
    stage.begin("elsewhere")
    stage.back_at_app("/their-sign-in")
    stage.begin()
    stage.sign_in_by_email("everywhere@example.com")
    stage.back_at_app()
    stage.arrived.clear()
    stage.begin("elsewhere")
    assert "code" in stage.back_at_app()


@pytest.mark.parametrize("name", [name for name in STATES if name != "no-script"])
def test_every_state_is_accessible_at_every_size_in_both_colours(stage: Stage, name: str) -> None:
    browser = stage.browser
    with state(stage, name):
        for scheme in ("light", "dark"):
            browser.look(scheme=scheme)  # type: ignore[arg-type]
            moving = "document.getAnimations().some(one => one instanceof CSSTransition)"
            stage.wait(lambda: not browser.tell(moving), "the colours do not come to rest")  # noqa: B023 - at once
            found = browser.accessibility()
            for kind in ("violations", "incomplete"):
                told = {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in found[kind]}
                assert not told, f"{kind} of {name} in {scheme}"
        browser.look(NARROW)
        assert browser.tell("document.documentElement.scrollWidth") == NARROW[0]
        targets = (
            "[...document.querySelectorAll('button, a, input:not([type=hidden])')].filter(one => one.checkVisibility())"
        )
        heights = browser.tell(f"{targets}.map(one => one.getBoundingClientRect().height)")
        assert heights
        assert min(heights) >= 44


def test_the_keyboard_alone_signs_in_and_shows_where_it_is(stage: Stage) -> None:
    tab, enter = "\ue004", "\ue007"
    with installed_wallet(stage.browser):
        stage.begin()
        stage.shown("[data-wallet='Test Wallet']")
        stage.wait(lambda: stage.browser.tell("document.activeElement.id") == "email", "the focus is elsewhere")
        reached = []
        for _ in range(5):
            stage.browser.press(tab)
            reached.append(stage.browser.tell("document.activeElement.textContent"))
            assert stage.browser.tell("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    assert reached == [
        "Continue with e-mail",
        "Test Wallet",
        "Google",
        "GitHub",
        "Cancel and go back to Northwind Ledger",
    ]
    stage.begin()
    stage.wait(lambda: stage.browser.tell("document.activeElement.id") == "email", "the focus is elsewhere")
    for key in "keys@example.com":
        stage.browser.press(key)
    stage.browser.press(enter)
    stage.shown("#code")
    for digit in stage.dynamic.emulator.email_codes.latest("keys@example.com"):
        stage.browser.press(digit)
    assert stage.claims()["email"] == "keys@example.com"


def test_an_issuer_with_a_path_has_its_page_there(window: Chromium, tmp_path: Path) -> None:
    with running_stage(tmp_path, window, path="/auth") as stage:
        stage.begin()
        assert stage.browser.driver.current_url.startswith(f"{stage.issuer}/signin?request=")
        stage.sign_in_by_email("path@example.com")
        assert stage.claims()["email"] == "path@example.com"
        assert stage.complaints() == []
