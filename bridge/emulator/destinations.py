"""Where a form of the sign-in page may lead: the bridge, and after it the app that asked."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

LOCAL_APPS = ("http://localhost:*", "http://127.0.0.1:*")
"""Apps on this machine, on any port, with TLS or without (in a policy http covers https)."""

# What may stand in a policy between spaces and semicolons. IPv6 addresses have no place there (CSP 3, section 2.3.1).
HOST = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
ORIGIN = re.compile(rf"https?://(\*\.)?{HOST}(:([0-9]{{1,5}}|\*))?")
PRINTABLE = re.compile(r"[!-~]*")
URL = re.compile(rf"https?://{HOST}(:[0-9]{{1,5}})?(/[!-~]*)", re.IGNORECASE)


def checked_url(url: str) -> str:
    """The URL as it is. ValueError unless it is http or https, names its host by name or IPv4 address, has a path, and
    no query, fragment or credentials."""
    if not URL.fullmatch(url) or set(url) & set("?#\"'<>\\"):
        raise ValueError("signin_complete_url must be the bridge's <issuer>/signin/complete: http or https, no query")
    return url


def checked_return(url: str) -> str:
    """The URL as it is: one of a page, with any query and fragment. ValueError unless it is http or https, printable
    ASCII, and names its host by name or IPv4 address without credentials."""
    address = without_query(url)
    if not URL.fullmatch(address if "/" in address.partition("://")[2] else f"{address}/") or not PRINTABLE.fullmatch(
        url
    ):
        raise ValueError("redirectUrl must be the http or https URL of a page")
    return url


def without_query(url: str) -> str:
    """The URL up to its query or fragment."""
    return re.split("[?#]", url, maxsplit=1)[0]


def checked_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """The origins in lower case. ValueError on one that is none; `*` may stand for the port or a first label."""
    lowered = tuple(origin.lower() for origin in origins)
    if not all(ORIGIN.fullmatch(origin) for origin in lowered):
        raise ValueError("an app's origin is scheme://host:port; * may stand for the port")
    return lowered


def form_action(complete_url: str, app_origins: Sequence[str]) -> str:
    """The sources of a page that posts to itself and to the bridge.

    The apps are among them because Chromium holds every redirect that follows a post against the posting page's policy:
    the bridge answers the token with a redirect to /authorize, that one with a redirect to the app. With the bridge
    alone the last step would be blocked, after the code has been made.
    """
    parts = urlsplit(complete_url)
    return " ".join(("'self'", f"{parts.scheme}://{parts.netloc}".lower(), *app_origins))
