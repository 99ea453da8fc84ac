"""openid-client and oauth4webapi against the real server: peers that refuse whatever a specification does not allow."""

from collections.abc import Iterator

import node_clients
import pytest
from not_tested import REQUIRE, is_required, leave_out
from provider import Provider, running_provider
from surfing import Surfer

APP = "http://127.0.0.1:65000"
CALLBACK, AFTER = f"{APP}/callback", f"{APP}/after"
REGISTERED = (f"--redirect-uri={CALLBACK}", f"--post-logout-redirect-uri={AFTER}")

WORKED = [
    "discovery",
    "login_required",
    "access_denied",
    "mix-up is noticed",
    "code",
    "a second use ends it",
    "form_post",
    "form_post of an error",
    "userinfo",
    "refresh",
    "revocation",
    "end_session",
]
MORE = {"openid_client": [], "oauth4webapi": ["another issuer is noticed", "RFC 9068"]}


@pytest.fixture(scope="module", params=["", "/sso/v1"], ids=["bare", "path"])
def provider(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Provider]:
    try:
        node_clients.installed()
    except node_clients.NotInstalledError as problem:
        if is_required("node"):
            pytest.fail(f"{problem}, and {REQUIRE} asks for it")
        leave_out(pytestconfig, f"The clients from npm: {problem}.")
        pytest.skip(str(problem))
    with running_provider(tmp_path_factory.mktemp("provider"), path=request.param) as running:
        yield running


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
@pytest.mark.parametrize("client", MORE)
def test_a_strict_client_finds_nothing_to_refuse(provider: Provider, client: str, method: str) -> None:
    client_id = f"{client}-{method}"
    secret = provider.add_client(client_id, *REGISTERED, *(["--public"] if method == "none" else []))
    settings = {
        "ISSUER": provider.issuer,
        "CLIENT_ID": client_id,
        "CLIENT_SECRET": secret,
        "METHOD": method,
        "REDIRECT_URI": CALLBACK,
        "AFTER": AFTER,
        "SUB": provider.user.id,
    }
    worked = node_clients.run(f"{client}.mjs", settings, Surfer(APP))
    assert [what for what in worked if what not in MORE[client]] == WORKED
    assert [what for what in worked if what in MORE[client]] == MORE[client]
