"""The users' own page, and the two around erasing: what each shows. Every text in them may be a stranger's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from flask import Response

from bridge.lifecycle.disclosure import SHOWN
from bridge.model import Json
from bridge.web import untrusted
from bridge.web.moments import Moment
from bridge.web.page import page
from bridge.web.render import SCOPES, App, shown

MOST_LOGO_HOSTS = 20  # that a policy names; further apps show their initial

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A browser that is signed in. `here`: the one that shows the page; `how`: with a wallet, by e-mail …"""

    name: str
    icon: Literal["desktop", "phone"]
    here: bool
    how: str | None
    signed_in: Moment
    last_used: Moment
    origin: str
    fields: Fields = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppRow:
    """An app, and what it may have, by scope."""

    app: App
    scopes: Sequence[str]
    since: Moment
    last_used: Moment | None
    offline: bool
    fields: Fields = field(repr=False)


@dataclass(frozen=True, slots=True)
class MethodRow:
    """A way to sign in, or a wallet, as Dynamic tells of it. `icon` is named like a scope."""

    icon: str
    kind: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened: a sentence, around the app that it is about if there is one."""

    at: Moment
    before: str
    app: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Where somebody is signed in, which apps have what of them. Forms are posted to `action`, with their fields."""

    user: str
    sub: str
    notice: str | None
    devices: Sequence[DeviceRow]
    apps: Sequence[AppRow]
    methods: Sequence[MethodRow]
    happenings: Sequence[Happening]
    action: str
    logout: str
    erase: str
    fields: Mapping[str, Fields] = field(repr=False)  # of the forms that are about nothing in particular


@dataclass(frozen=True, slots=True)
class ErasurePage:
    """Erase everything? Yes is posted to `action`; no leads to `back`."""

    user: str
    action: str
    back: str
    fields: Fields = field(repr=False)


def account(what: AccountPage) -> Response:
    """The page. Raises ValueError if `action` is not http(s)."""
    apps = [_app(row) for row in what.apps]
    hosts = list(dict.fromkeys(untrusted.host(app["logo_uri"]) for app in apps if app["logo_uri"]))[:MOST_LOGO_HOSTS]
    for app in apps:
        if untrusted.host(app["logo_uri"]) not in hosts:
            app["logo_uri"] = None
    return page(
        "account.html",
        posts_to=what.action,
        logos=[app["logo_uri"] for app in apps if app["logo_uri"]],
        user=untrusted.line(what.user),
        sub=what.sub,
        notice=what.notice,
        devices=[{"row": row, "name": untrusted.line(row.name), "site": _site(row.origin)} for row in what.devices],
        most=SHOWN,
        apps=apps,
        methods=[
            {"icon": row.icon, "kind": row.kind, "value": untrusted.line(row.value), "note": untrusted.line(row.note)}
            for row in what.methods
        ],
        happenings=[{"row": row, "app": untrusted.line(row.app)} for row in what.happenings],
        logout=untrusted.link(what.logout),
        erase=untrusted.link(what.erase),
        fields=what.fields,
    )


def erasure(what: ErasurePage) -> Response:
    """The question before everything is erased. Raises ValueError if `action` is not http(s)."""
    user, back = untrusted.line(what.user), untrusted.link(what.back)
    return page("account_erase.html", posts_to=what.action, user=user, back=back, fields=what.fields.items())


def erased() -> Response:
    """What is said once it is done."""
    return page("account_erased.html")


def download(name: str, document: Json) -> Response:
    """A JSON document that the browser keeps as a file, and shows to no other site."""
    body = json.dumps(document, indent=2, ensure_ascii=False).encode(errors="replace")
    response = Response(body, content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _app(row: AppRow) -> dict[str, Any]:
    scopes = [{"word": untrusted.line(word), "sentence": SCOPES.get(word)} for word in row.scopes]
    return {**shown(row.app), "row": row, "scopes": scopes}


def _site(origin: str) -> str:
    """The host of the page on which somebody signed in."""
    return untrusted.host(origin) or untrusted.line(origin)
