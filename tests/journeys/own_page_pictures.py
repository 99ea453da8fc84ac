"""Takes pictures of the bridge's own sign-in page in each of its states: light and dark, desktop and phone."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

from browser.chromium import DESKTOP, PHONE, Scheme, missing, running_chromium
from browser.screenshots import TARGET
from own_page import Stage, running_stage
from page_wallet import installed_wallet

from bridge.emulator.faults import FaultMode
from bridge.emulator.switches import Switches

EMAIL = "maya.lindqvist@example.com"


def start(stage: Stage) -> None:
    stage.begin()
    stage.shown("#email")


def wallets(stage: Stage) -> None:
    stage.begin()
    stage.shown("[data-wallet='Test Wallet']")


def wallet(stage: Stage) -> None:
    wallets(stage)
    stage.press("[data-wallet='Test Wallet']")
    stage.shown(".steps")


def code(stage: Stage) -> None:
    stage.begin()
    stage.ask_for_code(EMAIL)


def wrong_code(stage: Stage) -> None:
    code(stage)
    stage.type("#code", "000000")
    stage.says("That is not the code.")


def declined(stage: Stage) -> None:
    stage.begin()
    stage.press("#provider-google")
    stage.press("#identity-cancel")
    stage.says("not finished")


def known(stage: Stage) -> None:
    stage.begin()
    stage.sign_in_by_email(EMAIL)
    stage.back_at_app()
    stage.forget(storage=False)
    stage.begin()
    stage.shown("#continue")


def owed(stage: Stage) -> None:
    stage.dynamic.emulator.switch(new_user_state="mfa_owed")
    stage.begin()
    stage.sign_in_by_email("mfa@example.com")
    stage.shown("#owed")


def captcha(stage: Stage) -> None:
    stage.dynamic.emulator.switch(captcha_enabled=True)
    stage.begin()
    stage.shown("#captcha")


def unreachable(stage: Stage) -> None:
    stage.dynamic.emulator.faults.set("/sdk", FaultMode.down)
    stage.begin()
    stage.shown("#unreachable")


def no_script(stage: Stage) -> None:
    stage.browser.scripts(run=False)
    stage.begin()


STATES: Mapping[str, Callable[[Stage], None]] = {
    one.__name__.replace("_", "-"): one
    for one in (start, wallets, wallet, code, wrong_code, declined, known, owed, captcha, unreachable, no_script)
}
WITH_WALLETS = ("wallets", "wallet")
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
DEVICES = {"desktop": (DESKTOP, 1), "phone": (PHONE, 2)}


def main(only: list[str]) -> str:
    """Take them all, or those of the states named in `only`. Returns what to tell."""
    if problem := missing():
        sys.exit(problem)
    TARGET.mkdir(parents=True, exist_ok=True)
    taken = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        running_chromium({}) as browser,
        running_stage(Path(folder), browser) as stage,
    ):
        for name, scheme, device in product(only or STATES, SCHEMES, DEVICES):
            size, scale = DEVICES[device]
            browser.look(size, scheme, scale=scale)
            browser.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": device == "phone"})
            with state(stage, name):
                (TARGET / f"signin-{name}-{device}-{scheme}.png").write_bytes(browser.picture())
            taken += 1
    return f"{taken} pictures in {TARGET}"


@contextmanager
def state(stage: Stage, name: str) -> Iterator[None]:
    """The page in that state, until the block ends."""
    emulator = stage.dynamic.emulator
    emulator.switches = Switches()
    emulator.faults.clear()
    with ExitStack() as held:
        if name in WITH_WALLETS:
            for other in ("Test Wallet", "Rabbit", "Moss", "Coral", "Beacon")[: 5 if name == "wallets" else 1]:
                held.enter_context(installed_wallet(stage.browser, other))
        STATES[name](stage)
        yield
    stage.browser.scripts(run=True)
    stage.forget()


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1:])}\n")
