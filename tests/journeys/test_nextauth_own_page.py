"""A wallet signs in at examples/nextauth, through the bridge's own page, and the app's session knows its address."""

import json
from pathlib import Path

import nextauth_app
import own_page
import pytest
from browser import chromium
from browser.chromium import running_chromium
from nextauth_app import running_app
from not_tested import REQUIRE, is_required, leave_out
from own_page import running_stage
from page_wallet import installed_wallet
from served import free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]  # the app may have to be built first


def test_the_address_of_the_wallet_that_signed_in_is_in_the_apps_session(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    for what, problem in (("browser", chromium.missing()), ("node", nextauth_app.missing())):
        if problem is not None:
            if is_required(what):
                pytest.fail(f"{problem}, and {REQUIRE} asks for it")
            leave_out(pytestconfig, f"NextAuth with the bridge's own page: {problem}.")
            pytest.skip(problem)
    port = free_port()
    origin = f"http://localhost:{port}"
    with running_chromium({}) as browser, running_stage(tmp_path, browser) as stage:
        words = (
            f"--redirect-uri={origin}/api/auth/callback/dynamic",
            "--scope=offline_access",
            "--grant=refresh_token",
        )
        settings = {
            "AUTH_DYNAMIC_ISSUER": stage.issuer,
            "AUTH_DYNAMIC_ID": "nextauth",
            "AUTH_DYNAMIC_SECRET": own_page.add_client(stage, "nextauth", *words),
            "AUTH_URL": origin,
            "AUTH_SECRET": "for the cookies of one test",
        }
        with (
            running_app("nextauth", port, settings, tmp_path / "app.log") as app,
            installed_wallet(browser) as wallet,
        ):
            browser.driver.get(app.url)
            stage.press("#sign-in")
            stage.press("[data-wallet='Test Wallet']")
            wallet.answer(wallet.wallet.sign(stage.wait(wallet.asked_to_sign, "the wallet is asked nothing")))
            assert stage.shown("#wallet").text == wallet.address
            browser.driver.get(f"{app.url}/client-example")  # a page that calls useSession
            assert json.loads(stage.shown("#session").text)["wallet"] == wallet.address
        assert stage.complaints() == []
