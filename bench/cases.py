"""What is asked of the server. Users sign in again and again: their rows exist, their claims have not changed."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.limit import BareCryptography
from bench.load import Connection, Request, get, post
from bench.stage import APP_ORIGIN, SCOPES, BenchClient, Stage
from bridge.emulator import NewOAuth, NewWallet, User
from bridge.model import TOKEN_EXCHANGE

USERS = 50
_JWT = "urn:ietf:params:oauth:token-type:jwt"


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table. `requests` makes them afresh for each block, so that no access token in them expires.

    `alg` names the signatures of an exchange; None where no limit is set beside the figure.
    """

    name: str
    requests: Callable[[], Sequence[Request]] = field(repr=False)
    per_block: int
    alg: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """The cases of one stage, and the bare cryptography of the same assertions and answers."""

    cases: tuple[Case, ...]
    cryptography: BareCryptography = field(repr=False)
    assertion_characters: tuple[int, int]  # large, small


def scenario(stage: Stage, connection: Connection) -> Scenario:
    """The cases with assertions of their users, each of whom has been met once."""
    world = stage.dynamic.emulator
    people = [_user(stage, number) for number in range(USERS)]
    large = [world.mint(user, origin=APP_ORIGIN) for user in people]
    small = [world.mint(user, origin=APP_ORIGIN, shape="small") for user in people]
    rs256 = [_exchange(stage.rs256, assertion) for assertion in large]
    es256 = [_exchange(stage.es256, assertion) for assertion in large]
    small_rs256 = [_exchange(stage.rs256, assertion) for assertion in small]

    def access_tokens() -> list[str]:
        return [_tokens(connection, request)[0] for request in rs256]

    def userinfo() -> list[Request]:
        return [get("/userinfo", bearer=token, expects=b'"wallets":') for token in access_tokens()]

    def introspection() -> list[Request]:
        return [_introspection(stage.rs256, token) for token in access_tokens()]

    cases = (
        Case("exchange RS256", lambda: rs256, 400, "RS256"),
        Case("exchange ES256", lambda: es256, 600, "ES256"),
        Case("exchange RS256, small token", lambda: small_rs256, 400, "RS256"),
        Case("userinfo", userinfo, 1500),
        Case("introspection", introspection, 1500),
        Case("discovery", lambda: [get("/.well-known/openid-configuration", expects=b'"issuer"')], 3000),
        Case("jwks", lambda: [get("/jwks", expects=b'"keys"')], 3000),
    )
    for request in rs256:
        connection.send(request)
    signed = {"RS256": _tokens(connection, rs256[0]), "ES256": _tokens(connection, es256[0])}
    cryptography = BareCryptography(large[0], world.public_pem("spki"), signed)
    return Scenario(cases, cryptography, (len(large[0]), len(small[0])))


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


def _exchange(client: BenchClient, assertion: str) -> Request:
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": assertion,
        "subject_token_type": _JWT,
        "scope": " ".join(SCOPES),
        "client_id": client.client_id,
        "client_secret": client.secret,
    }
    return post("/token", form, expects=b'"id_token":')


def _introspection(client: BenchClient, token: str) -> Request:
    form = {"token": token, "client_id": client.client_id, "client_secret": client.secret}
    return post("/introspect", form, expects=b'"active":true')


def _tokens(connection: Connection, exchange: Request) -> tuple[str, str]:
    answer = json.loads(connection.send(exchange))
    return answer["access_token"], answer["id_token"]
