"""What is asked of the server.

Its users are known, and their claims do not change. Where it is not said otherwise their assertions were seen before,
so that nothing has to be written; a new sign-in writes two rows.
"""

import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.limit import BareCryptography
from bench.load import Connection, Request, get, post
from bench.rows import REDIRECT_URI, VERIFIER, handed_out
from bench.stage import APP_ORIGIN, SCOPES, BenchClient, Stage
from bridge.emulator import NewOAuth, NewWallet, User
from bridge.model import AUTHORIZATION_CODE, REFRESH_TOKEN, TOKEN_EXCHANGE

USERS = 50
_JWT = "urn:ietf:params:oauth:token-type:jwt"


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table. `requests` makes so many afresh for each block, or fewer that may be sent repeatedly.

    `alg` names the signatures of an exchange; None where no limit is set beside the figure.
    """

    name: str
    requests: Callable[[int], Sequence[Request]] = field(repr=False)
    per_block: int
    alg: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """The cases of one stage, and the bare cryptography of the same assertions and answers."""

    cases: tuple[Case, ...]
    cryptography: BareCryptography = field(repr=False)
    assertion_characters: tuple[int, int]  # large, small


def scenario(stage: Stage, connection: Connection) -> Scenario:  # noqa: C901 - a list, however long
    """The cases with assertions of their users, each of whom has been met once."""
    world = stage.dynamic.emulator
    people = [_user(stage, number) for number in range(USERS)]
    large = [world.mint(user, origin=APP_ORIGIN) for user in people]
    small = [world.mint(user, origin=APP_ORIGIN, shape="small") for user in people]
    # The peer's access tokens are JWTs only where a resource is named, and then not for its userinfo.
    named = {"resource": "https://api.example.com"} if stage.is_peer else {}
    rs256 = [_exchange(stage.rs256, assertion, more=named) for assertion in large]
    es256 = [_exchange(stage.es256, assertion, more=named) for assertion in large]
    for_userinfo = [_exchange(stage.rs256, assertion) for assertion in large[:10]]
    small_rs256 = [_exchange(stage.rs256, assertion) for assertion in small]

    moments = itertools.count(int(time.time()) - 3600)
    newly_seen = [_user(stage, number) for number in range(USERS, 2 * USERS)]

    def new_sign_ins(count: int) -> list[Request]:
        # A later iat than any before it, as a later sign-in has.
        made = []
        for _ in range(-(-count // USERS)):
            issued_at = next(moments)
            made += [world.mint(user, origin=APP_ORIGIN, issued_at=issued_at) for user in newly_seen]
        return [_exchange(stage.rs256, assertion) for assertion in made]

    kept = [_exchange(stage.rs256, assertion, (*SCOPES, "offline_access"), named) for assertion in large]

    def refreshes(count: int) -> list[Request]:
        # Each token is presented once; the exchange that brings it is not measured.
        tokens = (_refresh_token(connection, request) for request in itertools.islice(itertools.cycle(kept), count))
        return [_refresh(stage.rs256, token) for token in tokens]

    def access_tokens() -> list[str]:
        return [_tokens(connection, request)[0] for request in for_userinfo]

    def userinfo(_: int) -> list[Request]:
        return [get(userinfo_path, bearer=token, expects=b'"wallets":') for token in access_tokens()]

    def introspection(_: int) -> list[Request]:
        return [_introspection(stage.rs256, token, introspect_path) for token in access_tokens()]

    def codes(count: int) -> list[Request]:
        # Handed out as /authorize does it, by the same verbs; what a browser does before is not measured.
        return [_redemption(stage.rs256, code) for code in handed_out(stage, people[0].id, count)]

    userinfo_path, introspect_path = ("/me", "/token/introspection") if stage.is_peer else ("/userinfo", "/introspect")
    cases = [
        Case("exchange RS256", lambda _: rs256, 400, "RS256"),
        Case("exchange ES256", lambda _: es256, 600, "ES256"),
        Case("exchange RS256, refresh token", lambda _: kept, 400, "RS256"),
        Case("refresh RS256", refreshes, 300),
        Case("userinfo", userinfo, 1500),
        Case("introspection", introspection, 1500),
        Case("discovery", lambda _: [get("/.well-known/openid-configuration", expects=b'"issuer"')], 4000),
        Case("jwks", lambda _: [get("/jwks", expects=b'"keys"')], 4000),
    ]
    if not stage.is_peer:
        cases += [
            Case("exchange RS256, small token", lambda _: small_rs256, 400, "RS256"),
            Case("exchange RS256, new sign-in", new_sign_ins, 400, "RS256"),
            Case("code RS256", codes, 300),
        ]
    for request in rs256:
        connection.send(request)
    signed = {"RS256": _tokens(connection, rs256[0]), "ES256": _tokens(connection, es256[0])}
    cryptography = BareCryptography(large[0], world.public_pem("spki"), signed)
    return Scenario(tuple(cases), cryptography, (len(large[0]), len(small[0])))


def _user(stage: Stage, number: int) -> User:
    """One like many: an e-mail address, a Google account, a wallet of their own and an embedded one."""
    address = f"user{number}@example.com"
    return stage.dynamic.emulator.create_user(
        email=address,
        given_name="User",
        family_name=f"Number {number}",
        credentials=[NewOAuth("google", f"10823456789012345{number:04}", username=address, emails=[address])],
        wallets=[
            NewWallet(wallet_name="metamask", name_service=f"user{number}.eth"),
            NewWallet(wallet_name="dynamicwaas", wallet_provider="embeddedWallet"),
        ],
    )


def _exchange(
    client: BenchClient, assertion: str, scopes: Sequence[str] = SCOPES, more: Mapping[str, str] | None = None
) -> Request:
    form = {
        **(more or {}),
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": assertion,
        "subject_token_type": _JWT,
        "scope": " ".join(scopes),
        "client_id": client.client_id,
        "client_secret": client.secret,
    }
    return post("/token", form, expects=b'"id_token":')


def _refresh(client: BenchClient, token: str) -> Request:
    form = {"grant_type": REFRESH_TOKEN, "refresh_token": token}
    return post(
        "/token", {**form, "client_id": client.client_id, "client_secret": client.secret}, expects=b'"id_token":'
    )


def _refresh_token(connection: Connection, exchange: Request) -> str:
    return str(json.loads(connection.send(exchange))["refresh_token"])


def _redemption(client: BenchClient, code: str) -> Request:
    form = {
        "grant_type": AUTHORIZATION_CODE,
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        "client_id": client.client_id,
        "client_secret": client.secret,
    }
    return post("/token", form, expects=b'"id_token":')


def _introspection(client: BenchClient, token: str, path: str) -> Request:
    form = {"token": token, "client_id": client.client_id, "client_secret": client.secret}
    return post(path, form, expects=b'"active":true')


def _tokens(connection: Connection, exchange: Request) -> tuple[str, str]:
    answer = json.loads(connection.send(exchange))
    return answer["access_token"], answer["id_token"]
