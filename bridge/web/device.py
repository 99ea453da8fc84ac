"""What a browser calls itself, in the words that its user knows: Chrome on macOS. A guess, and never a proof."""

from dataclasses import dataclass
from typing import Literal

LONGEST = 256  # characters of a User-Agent that are kept

# The first one that stands in the text counts: most browsers claim to be another one as well.
_APPS = (
    ("MetaMaskMobile", "MetaMask"),
    ("Trust/", "Trust Wallet"),
    ("CoinbaseWallet", "Coinbase Wallet"),
    ("Phantom/", "Phantom"),
    ("Instagram", "Instagram"),
    ("FBAN/", "Facebook"),
    ("EdgiOS/", "Edge"),
    ("EdgA/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
_HAND_HELD = frozenset({"iPhone", "iPad", "Android"})


@dataclass(frozen=True, slots=True)
class Looks:
    """How a device is shown: its name, and the picture beside it."""

    name: str
    icon: Literal["desktop", "phone"]


def printable(header: str | None) -> str | None:
    """A User-Agent header as it may be kept: printable ASCII of bounded length; None if nothing of it is left."""
    kept = "".join(letter for letter in header or "" if " " <= letter <= "~").strip()
    return kept[:LONGEST] or None


def looks_of(user_agent: str | None) -> Looks:
    """The browser and the system that a User-Agent names, as far as both are known."""
    text = user_agent or ""
    app = next((name for mark, name in _APPS if mark in text), None)
    system = next((name for mark, name in _SYSTEMS if mark in text), None)
    icon: Literal["desktop", "phone"] = "phone" if system in _HAND_HELD else "desktop"
    if app is None and system is None:
        return Looks("A browser that is not known", icon)
    if app is None or system is None:
        return Looks(app or f"A browser on {system}", icon)
    return Looks(f"{app} on {system}", icon)
