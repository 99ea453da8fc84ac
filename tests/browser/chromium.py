"""A headless Chromium that reaches this machine only, and what tests do with it.

Selenium is imported when a browser is started, so that the rest of the suite runs without it.
"""

import base64
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from importlib.util import find_spec
from typing import Any, Literal

Scheme = Literal["light", "dark"]

DESKTOP, PHONE, NARROW = (1280, 800), (390, 844), (320, 640)
"""Widths and heights in CSS pixels. At 320 nothing may need scrolling to the side (WCAG 1.4.10)."""


def missing() -> str | None:
    """What is not there to test with, and what brings it; None if all is."""
    if find_spec("selenium") is None or find_spec("axe_playwright_python") is None:
        return "selenium is not installed; make test-browser installs it"
    if _program("chromium", "chromium-browser", "google-chrome") is None or _program("chromedriver") is None:
        return "Chromium or its driver is not installed (on Debian: apt install chromium chromium-driver)"
    return None


def _program(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


class Chromium:
    """One browser window."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

    def look(self, size: tuple[int, int] = DESKTOP, scheme: Scheme = "light", *, scale: int = 1) -> None:
        """The window's size and the system's colours, for the pages opened from now on."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": scale, "mobile": size[0] < 600},
        )
        preference = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [preference]})

    def scripts(self, *, run: bool) -> None:
        """Whether pages may run scripts at all."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not run})

    def open(self, url: str) -> None:
        self.driver.get_log("browser")  # what earlier pages left there
        self.driver.get(url)

    def complaints(self) -> Sequence[str]:
        """What the browser said against the page: blocked resources, violated policies, failed scripts."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def element(self, element_id: str) -> Any:
        return self.driver.find_element("id", element_id)

    def tell(self, script: str, *arguments: Any) -> Any:
        """The value of a JavaScript expression in the page, which the page's policy does not stop."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def arrives(self, title: str) -> None:
        """Wait until a page with that title is there."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 10, 0.05).until(lambda driver: driver.title == title)

    def press(self, key: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(key).perform()

    def picture(self) -> bytes:
        """The whole page as PNG, also what is below the window's edge."""
        width = self.tell("innerWidth")
        height = max(self.tell("document.documentElement.scrollHeight"), self.tell("innerHeight"))
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip}
        )
        return base64.b64decode(shot["data"])

    def accessibility(self) -> Mapping[str, Any]:
        """What axe-core finds in the page: `violations`, and `incomplete`, which it could not decide."""
        if not self.tell("!!window.axe"):
            self.driver.execute_script(self._axe)
        return self.driver.execute_async_script(
            "axe.run(document, {resultTypes: ['violations', 'incomplete']}).then(arguments[0])"
        )


@contextmanager
def running_chromium(hosts: Mapping[str, str]) -> Iterator[Chromium]:
    """A browser of one's own. `hosts`: names that lead to a host and port of this machine; all other names fail."""
    from selenium import webdriver

    # Selenium reaches its driver through a proxy otherwise, where one is set.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    rules = [f"MAP {name} {target}" for name, target in hosts.items()]
    options = webdriver.ChromeOptions()
    options.binary_location = _program("chromium", "chromium-browser", "google-chrome") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (
        "headless=new",
        "no-sandbox",  # it cannot be had in a container as root; the pages are our own
        "disable-dev-shm-usage",
        "disable-gpu",
        "hide-scrollbars",
        "force-color-profile=srgb",
        "no-first-run",
        "no-proxy-server",
        "disable-background-networking",
        "disable-component-update",
        "ignore-certificate-errors",
        "host-resolver-rules=" + ", ".join([*rules, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1", "EXCLUDE localhost"]),
    ):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(_program("chromedriver")))
    driver.set_page_load_timeout(20)
    driver.set_script_timeout(20)
    try:
        yield Chromium(driver)
    finally:
        driver.quit()
