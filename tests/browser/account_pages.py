"""The users' own page with what it shows on a good day and on a bad one."""

from dataclasses import replace

from bridge.web.account import AccountPage, AppRow, DeviceRow, ErasurePage, Happening, MethodRow
from bridge.web.account_wording import NOTICES
from bridge.web.moments import ago, exactly
from bridge.web.render import App

NOW = 1_795_400_000
HOUR, DAY = 3600, 86400


def fields(deed: str, target: str) -> dict[str, str]:
    return {"do": deed, "target": target, "seal": "5eal" * 16}


def device(name: str, number: int, *, here: bool = False, used: int = HOUR, signed_in: int = 3 * DAY) -> DeviceRow:
    return DeviceRow(
        name=name,
        icon="phone" if "phone" in name.lower() or "Android" in name else "desktop",
        here=here,
        how="a wallet" if number % 2 else "a code by e-mail",
        signed_in=ago(NOW - signed_in, NOW),
        last_used=ago(NOW - used, NOW),
        origin="https://app.northwind.example",
        fields=fields("end", f"session-{number}"),
    )


def app(shown: App, *scopes: str, since: int = 40 * DAY, offline: bool = False) -> AppRow:
    last = ago(NOW - 2 * HOUR, NOW)
    return AppRow(shown, scopes, ago(NOW - since, NOW), last, offline, fields("disconnect", shown.name))


def happened(before: str, name: str = "", after: str = "", *, at: int) -> Happening:
    return Happening(exactly(NOW - at), before, name, after)


def account_page(northwind: App, wallet: str) -> AccountPage:
    """Somebody with a few devices and apps."""
    return AccountPage(
        user="maya.lindqvist@example.com",
        sub="6b1f9a2e-7c1d-4c57-9a58-2f0f7f0b3a11",
        notice=None,
        devices=[
            device("Chrome on macOS", 1, here=True),
            device("Safari on iPhone", 2, used=5 * HOUR),
            device("Firefox on Windows", 3, used=6 * DAY, signed_in=12 * DAY),
        ],
        apps=[
            app(northwind, "openid", "profile", "email", "wallets", offline=True),
            app(App("Fieldnotes", client_uri="https://fieldnotes.example"), "openid", "email", since=2 * DAY),
            app(App("Quarterly"), "openid", "invoices:read", since=HOUR),
        ],
        methods=[
            MethodRow("email", "E-mail address", "maya.lindqvist@example.com", "verified"),
            MethodRow("phone", "Phone number", "+4917012345678", "verified"),
            MethodRow("wallets", "Wallet", wallet, "maya.eth, metamask, the main one"),
            MethodRow("wallets", "Embedded wallet", "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV", "turnkey"),
        ],
        happenings=[
            happened("You were signed in to ", "Quarterly", at=HOUR),
            happened("You allowed ", "Quarterly", " what it asked for", at=HOUR + 20),
            happened("You signed in with a browser", at=3 * DAY),
            happened("The access of ", "Fieldnotes", " ended: the app gave it back", at=4 * DAY),
        ],
        action="http://127.0.0.1/account",
        logout="http://127.0.0.1/logout",
        erase="http://127.0.0.1/account/erase",
        fields={
            "logout": {"seal": "5eal" * 16, "decision": "logout"},
            "everywhere": fields("everywhere", ""),
            "export": fields("export", ""),
        },
    )


def bare(page: AccountPage) -> AccountPage:
    """Somebody who has just arrived, by a token that tells little."""
    return replace(page, user="0x5290…9EE7", devices=page.devices[:1], apps=[], methods=[], happenings=[])


def told(page: AccountPage) -> AccountPage:
    """The same page after a deed."""
    return replace(page, notice=NOTICES["disconnected"])


def crowded(page: AccountPage, name: str, unbroken: str) -> AccountPage:
    """Names that are too long, and many of everything."""
    return replace(
        page,
        user=f"{unbroken.lower()}@example.com",
        devices=[
            *(replace(row, name=unbroken, origin=f"https://{'sub.' * 20}example.com") for row in page.devices),
            *(device("Samsung Internet on Android", number) for number in range(4, 10)),
        ],
        apps=[app(App(called), "openid", "x" * 90) for called in (name, unbroken, "دفتر الأستاذ الشمالي", "")],
        methods=[MethodRow("wallets", "Smart wallet", "f" * 120, unbroken)] * 6,
        happenings=[happened("You were signed in to ", unbroken, at=number * HOUR) for number in range(1, 25)],
    )


ERASURE = ErasurePage(
    user="maya.lindqvist@example.com",
    action="http://127.0.0.1/account/erase",
    back="http://127.0.0.1/account",
    fields={"seal": "5eal" * 16},
)
