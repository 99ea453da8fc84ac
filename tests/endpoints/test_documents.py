"""Discovery, keys, pages, health: what anybody may read."""

from collections.abc import Callable

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from conftest import ISSUER, Bridge

from bridge.cli.reasons import page
from bridge.signin_reasons import REASONS

OPENID, OAUTH = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"


def test_both_metadata_documents_are_one_and_name_what_is_there(bridge: Bridge) -> None:
    document = bridge.http.get(OPENID).json
    assert document == bridge.http.get(OAUTH).json
    assert document["issuer"] == ISSUER
    app = bridge.http.application
    paths = {rule.rule for rule in app.url_map.iter_rules()} | app.wsgi_app.routes.paths
    for name, url in document.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert url.removeprefix(ISSUER) in paths
    metadata = AuthorizationServerMetadata(document)
    for rule in ("issuer", "token_endpoint", "jwks_uri", "introspection_endpoint", "grant_types_supported"):
        getattr(metadata, f"validate_{rule}")()


def test_an_issuer_with_a_path_is_found_where_both_specifications_look(make_bridge: Callable[..., Bridge]) -> None:
    bridge = make_bridge(BRIDGE_ISSUER=f"{ISSUER}/auth/v1")
    for path in (f"/auth/v1{OPENID}", f"/auth/v1{OAUTH}", f"{OPENID}/auth/v1", f"{OAUTH}/auth/v1"):
        document = bridge.http.get(path).json
        assert document["issuer"] == f"{ISSUER}/auth/v1"
        assert document["token_endpoint"] == f"{ISSUER}/auth/v1/token"
    bridge.add_client()
    form = {"grant_type": "x", "client_id": "app"}
    assert bridge.http.post("/auth/v1/token", data=form).json["error"] == "unsupported_grant_type"
    assert bridge.http.post("/token", data=form).status_code == 404
    assert bridge.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", [OPENID, OAUTH, "/jwks"])
def test_a_document_is_cached_and_revalidated(bridge: Bridge, path: str) -> None:
    answer = bridge.http.get(path)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    again = bridge.http.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert bridge.http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert bridge.http.head(path).status_code == 200


def test_the_keys_are_public_halves_with_kids_of_their_own(bridge: Bridge) -> None:
    keys = bridge.http.get("/jwks").json["keys"]
    assert [key["alg"] for key in keys] == ["RS256", "ES256", "Ed25519"]
    assert len({key["kid"] for key in keys}) == 3
    for key in keys:
        assert key["use"] == "sig"
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys()


HOSTILE_HEADERS = (
    {"Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
    {"Forwarded": "host=evil.example;proto=https"},
    {"X-Original-URL": "/admin", "X-Forwarded-Prefix": "/evil"},
)


@pytest.mark.parametrize("headers", HOSTILE_HEADERS)
def test_no_header_changes_what_we_say_of_ourselves(bridge: Bridge, headers: dict[str, str]) -> None:
    for path in (OPENID, "/", "/reasons"):
        answer = bridge.http.get(path, headers=headers)
        assert "evil.example" not in answer.text
    refusal = bridge.http.post("/token", data={"grant_type": "x"}, headers=headers)
    assert refusal.json["error_uri"].startswith(f"{ISSUER}/")


def test_every_reason_has_a_page_and_a_section_in_the_docs(bridge: Bridge, repository: Callable[[str], str]) -> None:
    listed = bridge.http.get("/reasons").text
    for reason in REASONS.values():
        answer = bridge.http.get(f"/reasons/{reason.code}")
        assert answer.status_code == 200
        assert reason.code in listed
    assert repository("docs/reasons.md") == page()
    assert bridge.http.get("/reasons/none_such").status_code == 404


def test_a_page_may_load_and_run_nothing(bridge: Bridge) -> None:
    for path in ("/", "/reasons", "/reasons/mfa_owed"):
        headers = bridge.http.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'nonce-")
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/none", "/token/", "/%ff", "/reasons/%3Cscript%3E", "/..%2f", "/jwks/x"])
def test_an_unknown_path_is_a_json_404_that_echoes_nothing(bridge: Bridge, path: str) -> None:
    answer = bridge.http.get(path)
    assert answer.status_code == 404
    assert answer.json == {"error": "invalid_request", "error_description": "Not Found"}


@pytest.mark.parametrize("path", ["/reasons//key_unknown", "/.well-known//openid-configuration"])
def test_no_path_is_redirected(bridge: Bridge, path: str) -> None:
    answer = bridge.http.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "Location" not in answer.headers
