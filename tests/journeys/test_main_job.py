"""The main job as its users do it: a Dynamic JWT goes in, standard OIDC tokens come out."""

from conftest import ADDRESS, APP_ORIGIN, ISSUER, Bridge
from joserfc import jwt
from joserfc.jwk import KeySet


def test_a_dynamic_jwt_becomes_tokens_that_a_stock_library_accepts(bridge: Bridge) -> None:
    bridge.add_client(scopes=("openid", "profile", "email", "wallets"))
    user = bridge.user()

    answer = bridge.exchange(bridge.assertion(user))

    assert answer.status_code == 200
    assert answer.json.keys() == {
        *("access_token", "issued_token_type", "token_type", "expires_in", "scope", "id_token"),
    }
    keys = KeySet.import_key_set(bridge.http.get("/jwks").json)
    id_token = jwt.decode(answer.json["id_token"], keys, algorithms=["RS256"])
    assert id_token.claims["iss"] == ISSUER
    assert id_token.claims["sub"] == user.id
    assert id_token.claims["aud"] == "app"
    assert id_token.claims["email"] == "demo@example.com"
    assert id_token.claims["email_verified"] is True
    assert id_token.claims["wallet_address"] == ADDRESS
    access_token = jwt.decode(answer.json["access_token"], keys, algorithms=["RS256"])
    assert access_token.header["typ"] == "at+jwt"
    assert access_token.claims["aud"] == ISSUER
    userinfo = bridge.http.get("/userinfo", headers={"Authorization": f"Bearer {answer.json['access_token']}"})
    assert userinfo.status_code == 200
    assert userinfo.json["sub"] == user.id
    assert APP_ORIGIN not in answer.text
