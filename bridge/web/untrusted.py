"""Strangers' texts and URLs, made fit to show. Escaping is the templates' part; here is what escaping does not stop."""

import re
import unicodedata
from urllib.parse import urlsplit

_LONGEST_LINE = 120
_JOINERS = "\u200c\u200d"  # Persian words and composed emoji need them
_HOST = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")  # any letters, but nothing that divides a list


def line(text: str) -> str:
    """A stranger's text as one line of bounded length, without what is invisible or turns around what stands beside."""
    kept = (
        " " if letter.isspace() else letter
        for letter in text
        if letter.isspace() or letter in _JOINERS or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
    )
    joined = " ".join("".join(kept).split())
    return joined if len(joined) <= _LONGEST_LINE else f"{joined[: _LONGEST_LINE - 1]}…"


def name(given: str | None) -> str:
    """An app's name, or words that stand for one."""
    return line(given or "") or "the app"


def link(url: str | None) -> str | None:
    """The URL if a browser will read it as we do, and as http(s); else None (javascript:, data:, //host, \\, user@)."""
    if url is None or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc) else None


def host(url: str | None) -> str | None:
    """The host of an http(s) URL, in the form that no look-alike letters can hide in."""
    if link(url) is None:
        return None
    found = urlsplit(str(url)).netloc
    try:
        return found if found.isascii() else found.encode("idna").decode()
    except UnicodeError:
        return None


def logo_url(url: str | None) -> str | None:
    """The URL if it is https and its host can stand in a policy; else None."""
    plain = link(url)
    if plain is None or not plain.startswith("https://"):
        return None
    authority = urlsplit(plain).netloc
    return plain if authority.isascii() and "[" not in authority else None
