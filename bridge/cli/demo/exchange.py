"""The story of the exchange: a backend that holds a Dynamic JWT gets standard tokens for it, by plain HTTP."""

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import click
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.cli.demo.stage import EMAIL, Stage
from bridge.cli.demo.telling import chapter, expect, fact, peek, step
from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE

SCOPE = "openid profile email wallets"
GRACE = 2  # seconds; 30 by default, which is long to watch
JWT = "urn:ietf:params:oauth:token-type:jwt"


def play_exchange(stage: Stage) -> None:
    chapter("From a backend")
    stage.command("client", "update", stage.client_id, "--refresh-grace", str(GRACE))
    metadata = _get(f"{stage.issuer}/.well-known/openid-configuration")
    expect(metadata["issuer"] == stage.issuer, "discovery names another issuer")
    step("A client reads the discovery document", ", ".join(metadata["grant_types_supported"]))

    assertion = stage.dynamic.emulator.mint(stage.user, origin=stage.app)
    step("The user signs in with Dynamic; the app holds a Dynamic JWT", peek(assertion))

    status, tokens = _post(metadata["token_endpoint"], _exchange_form(stage, assertion))
    expect(status == 200, f"the exchange was refused: {tokens}")
    step("It is exchanged at /token (RFC 8693)", f"{', '.join(tokens)}; valid {tokens['expires_in']} s")

    keys = KeySet.import_key_set(_get(metadata["jwks_uri"]))
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": stage.issuer}, aud={"essential": True, "value": stage.client_id}
    )
    registry.validate(claims)
    expect(claims["sub"] == stage.user.id and claims["email"] == EMAIL, "the ID token names another user")
    step("The ID token is verified by joserfc against /jwks")
    for name in ("iss", "sub", "aud", "name", "email", "email_verified", "wallet_address", "amr"):
        fact(name, json.dumps(claims[name]))

    userinfo = _get(metadata["userinfo_endpoint"], bearer=tokens["access_token"])
    expect(userinfo["sub"] == claims["sub"], "userinfo is about another user")
    step("userinfo answers for the access token", f"{len(userinfo)} claims, sub {userinfo['sub']}")

    _play_refresh(stage, metadata)
    _play_forgery(stage, metadata, assertion)
    told = stage.command("audit", "why", stage.user.id, "--limit", "4")
    expect("whose successor was in use" in told.stdout, f"the audit log does not know: {told.stdout}{told.stderr}")
    step("oidc-bridge audit why tells what ended it")
    for line in told.stdout[told.stdout.rindex("Grant ") :].splitlines():
        click.secho(f"      {line}", dim=True)


def _play_refresh(stage: Stage, metadata: Any) -> None:
    """Refresh, a retry, a revocation, and a copy that comes back too late; the grants are those of two exchanges."""
    token_url = metadata["token_endpoint"]

    def kept() -> str:
        assertion = stage.dynamic.emulator.mint(stage.user, origin=stage.app)
        status, tokens = _post(token_url, {**_exchange_form(stage, assertion), "scope": f"{SCOPE} offline_access"})
        expect(status == 200 and "refresh_token" in tokens, f"no refresh token came: {tokens}")
        return str(tokens["refresh_token"])

    def refreshed(refresh_token: str) -> tuple[int, Any]:
        return _post(token_url, stage.as_client(grant_type=REFRESH_TOKEN, refresh_token=refresh_token))

    first = kept()
    status, tokens = refreshed(first)
    expect(status == 200 and tokens["refresh_token"] != first, f"the refresh was refused: {tokens}")
    step("With offline_access there is a refresh token, and it brings new tokens", ", ".join(tokens))

    _, again = refreshed(first)
    expect(again.get("refresh_token") == tokens["refresh_token"], "a retry did not get the same successor")
    step("The same token once more, as if the answer was lost: its successor, again", peek(again["refresh_token"]))

    status, _ = _post(metadata["revocation_endpoint"], stage.as_client(token=again["refresh_token"]))
    _, state = _post(metadata["introspection_endpoint"], stage.as_client(token=again["access_token"]))
    expect(status == 200 and state == {"active": False}, f"a revoked grant lives on: {state}")
    step("Revoked (RFC 7009): its access tokens are inactive at once", json.dumps(state))

    stolen = kept()
    _, second = refreshed(stolen)
    refreshed(second["refresh_token"])
    step(f"A copied token comes back after the window of {GRACE} s; a moment, please")
    time.sleep(GRACE + 1)
    status, refusal = refreshed(stolen)
    expect(status == 400 and refusal["error"] == "invalid_grant", f"a reused token got {status}: {refusal}")
    status, ended = refreshed(second["refresh_token"])
    expect(status == 400 and ended["error_uri"].endswith("/grant_ended"), f"the grant lives on: {ended}")
    step("Its grant is closed, for the thief and for the owner", f"{status} {refusal['error']}: {refusal['error_uri']}")


def _play_forgery(stage: Stage, metadata: Any, assertion: str) -> None:
    head, payload, signature = assertion.split(".")
    forged = f"{head}.{payload}.{signature[:8]}{'A' if signature[8] != 'A' else 'B'}{signature[9:]}"
    status, refusal = _post(metadata["token_endpoint"], _exchange_form(stage, forged))
    expect(status == 400 and refusal["error"] == "invalid_request", f"a forged token got {status}: {refusal}")
    step("A forged token is refused, with its reason", f"{status} {refusal['error']}: {refusal['error_uri']}")


def _exchange_form(stage: Stage, assertion: str) -> Mapping[str, str]:
    exchange = {"grant_type": TOKEN_EXCHANGE, "subject_token": assertion, "subject_token_type": JWT, "scope": SCOPE}
    return stage.as_client(**exchange)


def _get(url: str, bearer: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    status, document = _send(Request(url, headers=headers))  # noqa: S310 - our own server
    expect(status == 200, f"{url} answered {status}: {document}")
    return document


def _post(url: str, form: Mapping[str, str]) -> tuple[int, Any]:
    return _send(Request(url, data=urlencode(form).encode()))  # noqa: S310 - our own server


def _send(request: Request) -> tuple[int, Any]:
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
