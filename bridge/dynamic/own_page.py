"""What an environment's settings mean for the bridge's own sign-in page, in the words that its users would see."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from bridge.dynamic.findings import Finding, member

_ELSEWHERE = "Or give every client a page of its own: signin_url (docs/own-sign-in-page.md)."


def interpret_for_own_page(settings: Mapping[str, Any], page: str) -> Iterator[Finding]:
    """What works on `page`, the URL of our own sign-in page. Settings are those of GET /sdk/<env>/settings."""
    security = member(settings, "security")
    if "cookie" in str(member(security, "auth").get("storage", "")):
        what = "our own sign-in page gets no token in cookie mode: people see “Sign-in is not ready here”"
        yield Finding("fault", what, f"Switch the environment's token storage to local storage. {_ELSEWHERE}")
    if any(member(security, name).get("enabled") is True for name in ("hCaptcha", "captcha")):
        what = "our own sign-in page shows no captcha: people see “Sign-in is not ready here”"
        yield Finding("fault", what, f"Turn the captcha off. {_ELSEWHERE}")
    yield from _origin(security.get("allowedOrigins"), page)
    yield from _methods(settings, page)


def _origin(allowed: object, page: str) -> Iterator[Finding]:
    parts = urlsplit(page)
    origin = f"{parts.scheme}://{parts.netloc}"
    patterns = [entry for entry in allowed if isinstance(entry, str)] if isinstance(allowed, list) else []
    if patterns and not any(fnmatchcase(origin, pattern) for pattern in patterns):
        what = f"{origin}, where our own sign-in page is, is no allowed origin: people see “Sign-in does not answer”"
        yield Finding("fault", what, "Add it to the allowed origins in Dynamic's dashboard.")


def _methods(settings: Mapping[str, Any], page: str) -> Iterator[Finding]:
    """As methods.js of the page reads them."""
    entries = settings.get("providers")
    providers = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    enabled = {str(one.get("provider")) for one in providers if one.get("enabledAt")}
    social = sorted(str(one.get("provider")) for one in providers if one.get("enabledAt") and one.get("clientId"))
    listed = settings.get("chains")
    chains = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    names = {str(one.get("name")).lower() for one in chains if one.get("enabled") is True}
    offered = [
        *(["e-mail"] if not providers or enabled & {"dynamic", "emailOnly"} else []),
        *(["wallets"] if not names or names & {"evm", "eth"} else []),
        *social,
    ]
    if not offered:
        what = "our own sign-in page has no way to sign in: neither e-mail, nor EVM wallets, nor a social account"
        yield Finding("fault", what, "Enable one of them in Dynamic's dashboard.")
        return
    yield Finding("ok", f"our own sign-in page offers: {', '.join(offered)}")
    if social:
        what = f"sign-in by {', '.join(social)} comes back to {page}"
        yield Finding("note", what, "It has to be among the social redirect URLs in Dynamic's dashboard.")
