"""How URLs and origins in a configuration must be spelt, so that comparing bytes is enough."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from bridge.fetch import is_public

HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


def url_problem(url: str, *, development: bool) -> str | None:
    """What is wrong with a base URL of ours or of Dynamic's, if anything."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return "is not a URL"
    if not url.startswith(("http://", "https://")) or not _PLAIN_URL.fullmatch(url):
        return "is not an absolute http(s) URL in plain characters"
    if "?" in url or "#" in url or "@" in url:
        return "has a query, a fragment or user information"
    if not _PLAIN_PATH.fullmatch(parts.path) or _DOT_SEGMENT.search(parts.path):
        return "ends with a slash, or has a path that is not plain"
    if not _is_host(host) or parts.netloc != _netloc(host, port) or (parts.scheme, port) in _DEFAULT_PORTS:
        return "has no plain lower-case host, or a default port"
    if parts.scheme == "http" and not (development and is_loopback(host)):
        return "is not https (http is for loopback with BRIDGE_DEVELOPMENT=true alone)"
    return None


def origin_problem(origin: str) -> str | None:
    """What is wrong with a web origin (RFC 6454), as browsers spell it; None if nothing."""
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is not an origin"
    if not _is_host(host) or origin != f"{parts.scheme}://{_netloc(host, port)}":
        return "is not an origin: scheme, lower-case host and port alone, no slash at the end"
    if (parts.scheme, port) in _DEFAULT_PORTS:
        return "is not spelt as browsers do: no default port"
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        return "is not https (http is for localhost alone)"
    return None


def page_problem(url: str) -> str | None:
    """What is wrong with the URL of a page that browsers are sent to: https, or http on this machine."""
    if not _PLAIN_URL.fullmatch(url) or "#" in url:
        return "is not an absolute URL in plain characters, without a fragment"
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{_netloc(parts.hostname or '', parts.port)}"
    except ValueError:
        return "is not a URL"
    if "@" in parts.netloc or not url.startswith(origin):
        return "has user information, or a host that is not plain"
    return origin_problem(origin)


def redirect_uri_problem(uri: str) -> str | None:
    """What is wrong with a redirect URI (RFC 6749 section 3.1.2, RFC 8252 section 7), if anything."""
    if _PRIVATE_SCHEME.fullmatch(uri):
        return None if "#" not in uri else "has a fragment"
    return page_problem(uri)


def is_contact(uri: str) -> bool:
    """Whether security.txt may name it: a mailto: or https URI (RFC 9116 section 2.5.3), of plain characters."""
    return bool(_MAILTO.fullmatch(uri)) or (uri.startswith("https://") and page_problem(uri) is None)


def is_loopback(host: str) -> bool:
    """Whether a host name or address never leaves this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_private_address(host: str) -> bool:
    """Whether it is an IP address that nobody on the public Internet has."""
    try:
        return not is_public(host)
    except ValueError:
        return False


_MAILTO = re.compile(r"mailto:[A-Za-z0-9.!#$&'*+/=^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PLAIN_URL = re.compile(r"[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+")
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:/[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]*")
"""A private-use scheme is a domain name in reverse: com.example.app:/callback (RFC 8252 section 7.1)."""
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_DEFAULT_PORTS = (("https", 443), ("http", 80))
_DOT_SEGMENT = re.compile(r"/\.{1,2}(?:/|$)")


def _is_host(host: str) -> bool:
    if HOST.fullmatch(host):
        return True
    try:
        return ip_address(host).compressed == host
    except ValueError:
        return False


def _netloc(host: str, port: int | None) -> str:
    """The one spelling of a host and port."""
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"
