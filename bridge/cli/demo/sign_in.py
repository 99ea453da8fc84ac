"""The story of the browser: a person signs in at an app, through the bridge, and out again.

The app is examples/flask, as somebody else would have written it, in a process of its own. The browser sees what people
see, and presses what they press.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from bridge.assets import FLASK_EXAMPLE
from bridge.cli.demo.browser import Browser, Page
from bridge.cli.demo.processes import serving
from bridge.cli.demo.stage import EMAIL, WALLET, Stage
from bridge.cli.demo.telling import chapter, expect, fact, step


@contextmanager
def app_running(stage: Stage) -> Iterator[None]:
    """The app at its origin, until the block ends. Raises DemoFailed."""
    run = ("flask", "--app", str(FLASK_EXAMPLE / "app.py"), "run", "--port", stage.app.rpartition(":")[2])
    settings = {**stage.as_app(), "FLASK_SKIP_DOTENV": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with serving(stage.folder, settings, *run, ready=stage.app):
        chapter("In a browser")
        step("A Flask app is up; it knows an issuer, a client id and a secret (examples/flask)", stage.app)
        yield


def play_sign_in(stage: Stage) -> None:
    browser = Browser()
    page = browser.press(browser.open(stage.app), "sign-in")
    expect(page.place == stage.dynamic.signin_url, f"the sign-in led to {page.place}")
    step("“Sign in” leads to the bridge, and on to the page with Dynamic's widget", _way(page))

    page = browser.press(page, "login-submit", {"username": EMAIL, "password": "any"})
    page = browser.press(page, "login-continue")
    expect(page.place == f"{stage.app}/", f"the way back led to {page.place}")
    answer = parse_qs(urlsplit(page.way[-2]).query)
    expect(answer.keys() >= {"code", "state", "iss"}, f"the answer to the app holds {', '.join(answer)}")
    step("The user signs in, the page posts the Dynamic JWT to the bridge, and a code goes back", _way(page))

    _expect_signed_in(stage, page)
    step("The app redeemed the code, and verified the ID token by /jwks", "its page shows:")
    for name in ("email", "wallet", "sub"):
        fact(name, page.texts[name])

    page = browser.press(page, "renew")
    _expect_signed_in(stage, page)
    expect(page.texts["renewals"] == "1", f"the tokens were not renewed: {page.texts}")
    step("It renews them with its refresh token; the user notices nothing", f"tokens renewed: {page.texts['renewals']}")

    page = browser.open(f"{stage.app}/sign-in/silently")
    _expect_signed_in(stage, page)
    expect(stage.dynamic.signin_url not in page.way, "the user was asked")
    step("prompt=none: the bridge knows the browser, so nobody is asked", _way(page))

    page = browser.press(page, "sign-out")
    expect(page.place == f"{stage.app}/" and "sign-in" in page.texts, f"the sign-out ended at {page.place}")
    step("“Sign out” ends the app's session and the bridge's", _way(page))

    page = browser.press(page, "sign-in-silently")
    expect(page.texts.get("problem") == "login_required", f"prompt=none after it: {page.texts}")
    step("prompt=none: now somebody would have to be asked", page.texts["problem"])


def _expect_signed_in(stage: Stage, page: Page) -> None:
    shown = {name: page.texts.get(name) for name in ("email", "wallet", "sub")}
    expect(shown == {"email": EMAIL, "wallet": WALLET, "sub": stage.user.id}, f"{page.place} shows {page.texts}")


def _way(page: Page) -> str:
    return " → ".join(page.steps())
