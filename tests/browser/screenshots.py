"""Takes pictures of every page: light and dark, desktop and phone, and with the keyboard's focus on what one can do."""

import sys
from pathlib import Path

from browser.chromium import DESKTOP, PHONE, Chromium, missing, running_chromium
from browser.gallery import LOGOS, PAGES, running_gallery

TARGET = Path(__file__).parents[2] / "build" / "screenshots"
FOCUSED = {"consent": "consent-allow", "error": "error-back", "logout": "logout-confirm", "account": "account-sign-out"}


def main(only: list[str]) -> str:
    """Take them all, or those of the pages named in `only`. Returns what to tell."""
    if problem := missing():
        sys.exit(problem)
    TARGET.mkdir(parents=True, exist_ok=True)
    with running_gallery() as gallery, running_chromium({LOGOS: gallery.logos}) as chromium:
        taken = 0
        for name in only or PAGES:
            for scheme in ("light", "dark"):
                for device, size, scale in (("desktop", DESKTOP, 1), ("phone", PHONE, 2)):
                    chromium.look(size, scheme, scale=scale)
                    chromium.open(gallery.url(name))
                    (TARGET / f"{name}-{device}-{scheme}.png").write_bytes(chromium.picture())
                    taken += 1
                    if device == "desktop" and name in FOCUSED:
                        _focus(chromium, FOCUSED[name])
                        (TARGET / f"{name}-focus-{scheme}.png").write_bytes(chromium.picture())
                        taken += 1
    return f"{taken} pictures in {TARGET}"


def _focus(chromium: Chromium, element_id: str) -> None:
    """Tab, as people do who use no mouse, until the focus is there."""
    for _ in range(20):
        chromium.press("\ue004")
        if chromium.tell("document.activeElement.id") == element_id:
            return
    raise AssertionError(f"the keyboard does not reach {element_id}")


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1:])}\n")
