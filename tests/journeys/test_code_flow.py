"""Authlib's client and joserfc against the real server, from discovery to sign-out, with a browser in between."""

import hashlib
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from joserfc import jwt
from joserfc.jwk import KeySet
from provider import ADDRESS, SCOPES, Provider, running_provider, running_provider_with_tls
from surfing import Page, Surfer

APP = "http://127.0.0.1:65000"
CALLBACK, AFTER = f"{APP}/callback", f"{APP}/after"
REGISTERED = (f"--redirect-uri={CALLBACK}", f"--post-logout-redirect-uri={AFTER}")
VERIFIER = "authlib-" * 6


def told(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def verified(session: OAuth2Session, metadata: dict[str, Any], tokens: dict[str, Any], nonce: str | None) -> Any:
    """The claims of the ID token, by the rules of OIDC Core section 3.1.3.7."""
    keys = KeySet.import_key_set(session.get(metadata["jwks_uri"], withhold_token=True).json())
    token = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    known: dict[str, Any] = {} if nonce is None else {"nonce": {"essential": True, "value": nonce}}
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": metadata["issuer"]},
        aud={"essential": True, "value": session.client_id},
        exp={"essential": True},
        iat={"essential": True},
        **known,
    ).validate(token.claims)
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert token.claims["at_hash"] == urlsafe_b64encode(half).rstrip(b"=").decode()
    return token.claims


@pytest.mark.parametrize(
    ("method", "path"), [("client_secret_basic", ""), ("client_secret_post", "/sso/v1"), ("none", "")]
)
def test_authlib_signs_in_renews_revokes_and_signs_out(tmp_path: Path, method: str, path: str) -> None:
    with running_provider(tmp_path, path=path) as provider:
        whole_journey(provider, method, Surfer(APP))


def test_behind_a_tls_proxy_that_lies_all_is_https_and_the_cookies_stay_on_their_site(tmp_path: Path) -> None:
    certificate = tmp_path / "localhost.pem"
    surfer = Surfer(APP, trusted=str(certificate))
    lies = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    with running_provider_with_tls(tmp_path, certificate, lies) as provider:
        whole_journey(provider, "client_secret_basic", surfer)
        issuer, signin = provider.issuer, provider.dynamic.signin_url
    assert issuer.startswith("https://localhost:")
    assert signin.startswith("http://127.0.0.1:"), "another site"
    own = [request for request in surfer.sent if not request.url.startswith(signin)]
    assert all(request.url.startswith(f"{issuer}/") for request in own)

    (named,) = (name for name in surfer.cookies["localhost"] if name.startswith("__Host-bridge-browser"))
    for cookie in surfer.cookies["localhost"].values():
        assert cookie.attributes == {"secure": "", "httponly": "", "path": "/", "samesite": "Lax"}
    posts = [number for number, request in enumerate(own) if request.url.endswith("/signin/complete")]
    assert [own[number].method for number in posts] == ["POST", "POST"]
    for number in posts:
        assert own[number].cookies == frozenset()
        after = own[number + 1]
        assert (after.method, after.url.split("?")[0]) == ("GET", f"{issuer}/authorize")
        assert named in after.cookies
    silent = next(request for request in own[posts[-1] + 2 :] if "prompt=none" in request.url)
    assert {name.rsplit("-", 1)[0] for name in silent.cookies} == {"__Host-bridge-browser", "__Host-bridge-session"}


def whole_journey(provider: Provider, method: str, surfer: Surfer) -> None:
    secret = provider.add_client("app", *REGISTERED, *(["--public"] if method == "none" else []))
    with OAuth2Session(
        "app",
        secret or None,
        scope=" ".join(SCOPES),
        redirect_uri=CALLBACK,
        token_endpoint_auth_method=method,
        code_challenge_method="S256",
    ) as session:
        session.trust_env = False
        session.verify = surfer.trusted or True
        found = f"{provider.issuer}/.well-known/openid-configuration"
        metadata = session.get(found, withhold_token=True).json()
        assert metadata["issuer"] == provider.issuer

        def asked(**more: str) -> str:
            return str(session.create_authorization_url(metadata["authorization_endpoint"], **more)[0])

        def redeemed(page: Page) -> dict[str, Any]:
            assert told(page)["iss"] == provider.issuer
            return dict(
                session.fetch_token(metadata["token_endpoint"], authorization_response=page.url, code_verifier=VERIFIER)
            )

        refused = surfer.open(asked(prompt="none", code_verifier=VERIFIER))
        assert told(refused)["error"] == "login_required"
        surfer.open(asked(nonce="n-1", code_verifier=VERIFIER))
        assert surfer.page.url.startswith(provider.dynamic.signin_url)
        assert told(surfer.cancel())["error"] == "access_denied"

        surfer.open(asked(nonce="n-1", code_verifier=VERIFIER))
        tokens = redeemed(surfer.sign_in())
        claims = verified(session, metadata, tokens, "n-1")
        assert (claims["sub"], claims["email"]) == (provider.user.id, "demo@example.com")
        userinfo = session.get(metadata["userinfo_endpoint"]).json()
        assert (userinfo["sub"], userinfo["wallet_address"]) == (provider.user.id, ADDRESS)

        silent = redeemed(surfer.open(asked(prompt="none", nonce="n-2", code_verifier=VERIFIER)))
        again = verified(session, metadata, silent, "n-2")
        assert (again["sub"], again["auth_time"]) == (claims["sub"], claims["auth_time"])

        renewed = session.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])
        assert renewed["refresh_token"] != tokens["refresh_token"]
        assert verified(session, metadata, renewed, None)["auth_time"] == claims["auth_time"]
        assert session.get(metadata["userinfo_endpoint"]).status_code == 200
        assert session.revoke_token(metadata["revocation_endpoint"], token=renewed["refresh_token"]).status_code == 200
        assert session.get(metadata["userinfo_endpoint"]).status_code == 401
        with pytest.raises(OAuthError, match="invalid_grant"):
            session.refresh_token(metadata["token_endpoint"], refresh_token=renewed["refresh_token"])

        hint = {"id_token_hint": silent["id_token"], "post_logout_redirect_uri": AFTER, "state": "s-1"}
        assert surfer.open(f"{metadata['end_session_endpoint']}?{urlencode(hint)}").url == f"{AFTER}?state=s-1"
        refused = surfer.open(asked(prompt="none", code_verifier=VERIFIER))
        assert told(refused)["error"] == "login_required"
        with pytest.raises(OAuthError, match="invalid_grant"):
            session.refresh_token(metadata["token_endpoint"], refresh_token=silent["refresh_token"])
    for kept in (tokens["access_token"], tokens["refresh_token"], tokens["id_token"]):
        assert kept not in provider.command.log()
