"""What a live Dynamic environment says of itself, and what that means for a bridge."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from bridge.dynamic.api import PATIENCE, ask_json
from bridge.dynamic.effects import EVENTS, SELECTABLE
from bridge.dynamic.findings import Finding, member
from bridge.dynamic.keys import load_keys
from bridge.dynamic.management import webhooks
from bridge.dynamic.own_page import interpret_for_own_page
from bridge.dynamic.webhooks import PATH
from bridge.errors import FetchFailed
from bridge.fetch import Fetcher
from bridge.model import Environment, Json

_UNITS = {"minutes": 60, "hours": 3600, "days": 86400}


def examine(
    environment: Environment, fetcher: Fetcher, *, origins: Collection[str], max_lifetime: int, own_page: str | None
) -> Iterator[Finding]:
    """Ask an environment for its keys and settings, and say what will and will not work.

    `origins` are those that clients list; `max_lifetime` (seconds) is the longest assertion that this bridge accepts;
    `own_page` is the URL of our own sign-in page, if there is one.
    """
    yield _keys(environment, fetcher)
    try:
        settings = ask_json(environment, fetcher, "/sdk/{env}/settings", deadline=PATIENCE)
    except FetchFailed as failed:
        yield Finding("note", f"the settings cannot be read ({failed})", "What follows from them is unknown.")
        return
    yield from interpret(settings, origins=origins, max_lifetime=max_lifetime)
    if own_page is not None:
        yield from interpret_for_own_page(settings, own_page)


def examine_webhooks(environment: Environment, fetcher: Fetcher, *, issuer: str) -> Iterator[Finding]:
    """Ask an environment that sends webhooks whether they reach this bridge, as far as that can be asked."""
    if not environment.webhook_secrets:
        return
    if environment.api_token is None:
        mend = "Set DYNAMIC_API_TOKEN: docs/webhooks.md says what is missed without it."
        yield Finding("note", "webhooks are listened to, but Dynamic cannot be asked back without an API token", mend)
        return
    try:
        found = webhooks(environment, fetcher)
    except FetchFailed as failed:
        mend = "The API token needs the scope environment.webhooks.read for this check."
        yield Finding("note", f"the webhooks cannot be read ({failed})", mend)
        return
    yield from _webhooks(found, f"{issuer}{PATH}/{environment.environment_id}")


def examine_live_check(environment: Environment, fetcher: Fetcher) -> Iterator[Finding]:
    """Ask an environment whether the API token may ask for sessions, where the live check needs it."""
    if environment.live_check == "off":
        return
    try:
        ask_json(
            environment,
            fetcher,
            "/environments/{env}/users?limit=1",
            deadline=PATIENCE,
            bearer=environment.api_token,
        )
    except FetchFailed as failed:
        mend = "The API token needs the scope environment.users.read, and has to be of this environment."
        yield Finding("fault", f"the live check gets no answer ({failed})", mend)
        return
    yield Finding("ok", "the live check may ask for sessions")


def _webhooks(found: Sequence[Json], url: str) -> Iterator[Finding]:
    ours = [webhook for webhook in found if webhook.get("url") == url]
    if not ours:
        mend = "Make one: oidc-bridge dynamic webhook create"
        yield Finding("fault", f"no webhook leads to {url}", mend)
    elif not any(webhook.get("isEnabled") is True for webhook in ours):
        mend = "Enable it in Dynamic's dashboard, then catch up: oidc-bridge dynamic sync"
        yield Finding("fault", "the webhook is switched off, as Dynamic does when messages fail for long", mend)
    else:
        wanted = {str(name) for webhook in ours for name in webhook.get("events") or EVENTS}
        missing = [name for name in SELECTABLE if name not in wanted]
        if missing:
            mend = "Select them in Dynamic's dashboard."
            yield Finding("note", f"the webhook does not tell of {', '.join(missing)}", mend)
        else:
            yield Finding("ok", "a webhook leads here")


def interpret(settings: Mapping[str, Any], *, origins: Collection[str], max_lifetime: int) -> Iterator[Finding]:
    """What an environment's settings (GET /sdk/<env>/settings) mean here; members that are missing mean nothing."""
    security = member(settings, "security")
    yield from _lifetime(member(security, "jwtDuration"), max_lifetime)
    if "cookie" in str(member(security, "auth").get("storage", "")):
        yield Finding(
            "note",
            "cookie mode: pages get no JWT from the SDK, and the cookie holds the small token",
            "A page cannot hand its token over; exchange the cookie's value from the app's own backend.",
        )
    yield from _allowed_origins(security.get("allowedOrigins"), origins)
    if any(member(security, name).get("enabled") is True for name in ("hCaptcha", "captcha")):
        yield Finding("note", "a captcha is demanded at sign-in", "Headless sign-ins will not work.")
    if settings.get("environmentLocked") is True or security.get("environmentLocked") is True:
        yield Finding("fault", "the environment is locked: nobody can sign in", "Unlock it in Dynamic's dashboard.")
    if member(security, "mfa").get("enabled") is True:
        yield Finding("note", "multi-factor authentication is on", "Tokens are refused (mfa_owed) until it is done.")


def _keys(environment: Environment, fetcher: Fetcher) -> Finding:
    try:
        count = len(load_keys(environment, fetcher, PATIENCE))
    except FetchFailed as failed:
        mend = "Compare DYNAMIC_ENVIRONMENT_ID and DYNAMIC_API_BASE_URL with Dynamic's dashboard."
        if environment.key_source == "keys":
            mend = "Check DYNAMIC_API_TOKEN, or use the public JWKS: DYNAMIC_KEY_SOURCE=jwks"
        return Finding("fault", f"no signing keys: {failed}", mend)
    return Finding("ok", f"{count} signing key{'s' if count > 1 else ''} by {environment.key_source}")


def _lifetime(duration: Mapping[str, Any], max_lifetime: int) -> Iterator[Finding]:
    amount, unit = duration.get("amount"), _UNITS.get(str(duration.get("unit")))
    if not isinstance(amount, int) or unit is None:
        return
    seconds = amount * unit
    if seconds > max_lifetime:
        mend = "Shorten the JWT lifetime at Dynamic, or raise BRIDGE_ASSERTION_MAX_LIFETIME."
        yield Finding("fault", f"tokens live {seconds} s, longer than the {max_lifetime} s accepted here", mend)
    else:
        yield Finding("ok", f"tokens live {seconds} s")


def _allowed_origins(allowed: object, origins: Collection[str]) -> Iterator[Finding]:
    if not isinstance(allowed, list):
        return
    patterns = [entry for entry in allowed if isinstance(entry, str)]
    if not patterns:
        mend = "List your origins in Dynamic's dashboard; the bridge checks aud in any case."
        yield Finding("note", "no allowed origins: any web page can get tokens of this environment", mend)
        return
    for origin in sorted(origins):
        if not any(fnmatchcase(origin, pattern) for pattern in patterns):
            mend = "Add it in Dynamic's dashboard, or remove it from the client."
            yield Finding("fault", f"{origin}, which a client lists, is no allowed origin at Dynamic", mend)
