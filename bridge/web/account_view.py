"""From what the protocol room found out to what the users' own page shows."""

from collections.abc import Callable, Iterator, Mapping

from flask import Response

from bridge.history import AuditEntry
from bridge.model import Client, Json, User
from bridge.oauth.account_client import account_url, erasure_url
from bridge.oauth.steps import Download, ShowAccount, ShowErased, ShowErasure
from bridge.store.devices import Connection, Device
from bridge.web import account
from bridge.web.account import AccountPage, AppRow, DeviceRow, ErasurePage, Happening, MethodRow
from bridge.web.account_wording import NOTICES, how, told
from bridge.web.device import looks_of
from bridge.web.moments import ago, exactly
from bridge.web.render import app_of

AccountStep = ShowAccount | ShowErasure | ShowErased | Download

_WALLETS = {"embedded": "Embedded wallet", "smart": "Smart wallet"}


def account_response(step: AccountStep, issuer: str, known_as: Callable[[User], str]) -> Response:
    """The response to a step of the users' own page; `known_as` tells how a user knows their account."""
    here, erase = account_url(issuer), erasure_url(issuer)
    match step:
        case ShowAccount():
            return account.account(_page(step, issuer, known_as(step.user)))
        case ShowErasure(user, seal):
            return account.erasure(ErasurePage(known_as(user), erase, here, {"seal": seal}))
        case ShowErased():
            return account.erased()
        case Download(name, document):
            return account.download(name, document)


def _page(step: ShowAccount, issuer: str, user: str) -> AccountPage:
    overview = step.overview
    return AccountPage(
        user=user,
        sub=step.user.sub,
        notice=None if step.notice is None else NOTICES[step.notice],
        devices=sorted((_device(step, device) for device in overview.devices), key=lambda row: not row.here),
        apps=[_app(step, connection) for connection in overview.connections],
        methods=list(methods_of(step.user.claims)),
        happenings=[_happening(entry, step.clients) for entry in overview.activity],
        action=account_url(issuer),
        logout=f"{issuer}/logout",
        erase=erasure_url(issuer),
        fields={
            "logout": {"seal": step.seals["logout", ""], "decision": "logout"},
            "everywhere": _fields(step, "everywhere", ""),
            "export": _fields(step, "export", ""),
        },
    )


def _fields(step: ShowAccount, deed: str, target: str) -> dict[str, str]:
    named = {"target": target} if target else {}
    return {"do": deed, **named, "seal": step.seals[deed, target]}


def _device(step: ShowAccount, device: Device) -> DeviceRow:
    session = device.session
    looks, here = looks_of(session.user_agent), session.session_id == step.session.session_id
    return DeviceRow(
        name=looks.name,
        icon=looks.icon,
        here=here,
        how=how(session.amr),
        signed_in=ago(session.auth_time, step.now),
        last_used=ago(step.now if here else device.last_used_at, step.now),
        origin=session.origin,
        fields=_fields(step, "end", session.session_id),
    )


def _app(step: ShowAccount, connection: Connection) -> AppRow:
    client = step.clients.get(connection.client_id, Client(connection.client_id))
    last = connection.last_used_at
    return AppRow(
        app=app_of(client),
        scopes=[word for word in connection.scope if word != "offline_access"],
        since=ago(connection.since, step.now),
        last_used=None if last is None else ago(last, step.now),
        offline=connection.offline,
        fields=_fields(step, "disconnect", connection.client_id),
    )


def methods_of(claims: Json) -> Iterator[MethodRow]:
    """The verified ways to sign in among the stored claims, whatever else an operator has mapped into them."""
    email, phone, wallets = (claims.get(name) for name in ("email", "phone_number", "wallets"))
    if isinstance(email, str):
        yield MethodRow("email", "E-mail address", email, "verified")
    if isinstance(phone, str):
        yield MethodRow("phone", "Phone number", phone, "verified")
    for wallet in wallets if isinstance(wallets, list) else []:
        if isinstance(wallet, dict) and isinstance(wallet.get("address"), str):
            known = (wallet.get("name"), wallet.get("provider"), "the main one" if wallet.get("primary") else None)
            note = ", ".join(word for word in known if isinstance(word, str))
            yield MethodRow("wallets", _WALLETS.get(str(wallet.get("kind")), "Wallet"), wallet["address"], note)


def _happening(entry: AuditEntry, clients: Mapping[str, Client]) -> Happening:
    before, of_app, after = told(entry)
    client = clients.get(entry.client_id or "")
    name = (client.name if client is not None else "") or entry.client_id or "an app"
    return Happening(exactly(entry.at), before, name if of_app else "", after)
