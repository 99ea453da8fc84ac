"""Rate limits at the endpoints: who is slowed down, who never is, and what a refusal leaves untouched."""

from collections.abc import Callable, Mapping

import pytest
from accounts import at_the_operators, forms_of, forms_to, person
from browsing import CALLBACK, SIGNIN_PAGE, WEB, Browser, parameters
from conftest import APP_ORIGIN, OFFLINE, WEBHOOK_SECRET, Bridge, refusal
from hooking import HEADER
from sqlalchemy import insert
from werkzeug.test import TestResponse

from bridge.dynamic.webhooks import MAX_BODY_BYTES
from bridge.emulator.webhook_post import signature as signature_of
from bridge.model import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from bridge.oauth.site import REQUEST_URI
from bridge.store.open_requests import MOST, PAUSE
from bridge.store.requests import KEPT, TTL
from bridge.store.tables import requests

GRANT = {"grant_type": CLIENT_CREDENTIALS}
MALLORY, ALICE = "192.0.2.66", "192.0.2.1"
TOO_MANY = (429, "temporarily_unavailable", "too_many_requests")
TOO_MANY_TRIES = (429, "temporarily_unavailable", "too_many_tries")

Make = Callable[..., Bridge]


@pytest.fixture
def limited(make_bridge: Make) -> Callable[[str], Bridge]:
    """A bridge behind one proxy of its own, with some limits."""
    return lambda limits: make_bridge(BRIDGE_LIMITS=limits, BRIDGE_PROXIES="1", DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET)


def seen_at(address: str) -> Mapping[str, str]:
    """What the proxy says of a client."""
    return {"X-Forwarded-For": address}


def is_told_when(answer: TestResponse, seconds: int = 60) -> bool:
    return 1 <= int(answer.headers["Retry-After"]) <= seconds


def test_a_proven_client_has_a_limit_of_its_own_wherever_it_asks(limited: Callable[[str], Bridge]) -> None:
    bridge = limited("client=3/minute, source=1/minute")
    for client_id in ("one", "two"):
        bridge.add_client(client_id, grants=(CLIENT_CREDENTIALS,), scopes=("read",))
    assert bridge.token(GRANT, "one").status_code == 200
    assert bridge.call("/introspect", "junk", "one").status_code == 200
    assert bridge.call("/revoke", "junk", "one").status_code == 200
    answer = bridge.token(GRANT, "one")
    assert refusal(answer) == TOO_MANY
    assert is_told_when(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "WWW-Authenticate" not in answer.headers
    assert bridge.token(GRANT, "two").status_code == 200
    bridge.clock.forward(60)
    assert bridge.token(GRANT, "one").status_code == 200


def test_a_public_client_counts_for_its_address_so_that_nobody_locks_out_all_of_its_users(
    limited: Callable[[str], Bridge],
) -> None:
    bridge = limited("source=5/minute, client=1/minute")
    bridge.add_client("spa", public=True)
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": "junk"}
    for _ in range(5):
        assert bridge.token(form, "spa", headers=seen_at(MALLORY)).status_code == 400
    assert refusal(bridge.token(form, "spa", headers=seen_at(MALLORY))) == TOO_MANY
    assert bridge.token(form, "spa", headers=seen_at(ALICE)).status_code == 400


def test_a_right_secret_passes_whatever_fails_at_the_same_address(limited: Callable[[str], Bridge]) -> None:
    bridge = limited("failures=3/minute, source=1/minute")
    bridge.add_client("svc", grants=(CLIENT_CREDENTIALS,), scopes=("read",))
    wrong = {**GRANT, "client_id": "svc", "client_secret": "wrong"}
    answers = [bridge.http.post("/token", data=wrong) for _ in range(20)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 17
    assert refusal(answers[-1]) == TOO_MANY_TRIES
    assert is_told_when(answers[-1])
    assert bridge.token(GRANT, "svc").status_code == 200


def test_failures_count_the_same_for_known_and_unknown_clients(limited: Callable[[str], Bridge]) -> None:
    """Else the count would tell which clients exist (threats O20)."""
    bridge = limited("failures=4/minute")
    bridge.add_client("svc", grants=(CLIENT_CREDENTIALS,), scopes=("read",))
    for first, then in (("svc", "nobody"), ("nobody", "svc")):
        tried = [{**GRANT, "client_id": who, "client_secret": "x"} for who in [first] * 4 + [then]]
        statuses = [bridge.http.post("/token", data=form, headers=seen_at(ALICE)).status_code for form in tried]
        assert statuses == [401] * 4 + [429]
        bridge.clock.forward(60)


def test_at_userinfo_only_tokens_that_are_no_good_count_for_their_address(limited: Callable[[str], Bridge]) -> None:
    bridge = limited("source=3/minute")
    bridge.add_client()
    good = bridge.exchange(bridge.assertion(), scope="openid").json["access_token"]
    for _ in range(5):
        assert bridge.userinfo(good).status_code == 200
    assert [bridge.userinfo(f"junk{number}").status_code for number in range(5)] == [401] * 3 + [429] * 2
    assert refusal(bridge.userinfo("junk")) == TOO_MANY
    assert bridge.userinfo(good).status_code == 200


def test_a_user_has_a_limit_whichever_way_their_tokens_come(limited: Callable[[str], Bridge]) -> None:
    bridge = limited("user=4/minute")
    bridge.add_client(**OFFLINE)
    bridge.add_client("other")
    user, somebody_else = bridge.user(), bridge.user(email="else@example.com")
    token = bridge.keep(user)  # 1
    refreshed = bridge.refresh(token).json  # 2
    assert bridge.userinfo(refreshed["access_token"]).status_code == 200  # 3
    assert bridge.exchange(bridge.assertion(user)).status_code == 200  # 4
    assert refusal(bridge.exchange(bridge.assertion(user))) == TOO_MANY
    assert refusal(bridge.userinfo(refreshed["access_token"])) == TOO_MANY
    assert bridge.exchange(bridge.assertion(somebody_else)).status_code == 200
    assert bridge.exchange(bridge.assertion(user), "other").status_code == 200


@pytest.mark.parametrize("deed", ["everywhere", "disconnect", "erase"])
def test_an_app_that_runs_wild_keeps_its_user_from_no_deed_of_their_own(make_bridge: Make, deed: str) -> None:
    bridge = at_the_operators(lambda **more: make_bridge(BRIDGE_LIMITS="user=9/minute", **more))
    user = bridge.user()
    here = person(bridge)
    here.enter(user)
    wild = here.open_app(user)["access_token"]
    assert [bridge.userinfo(wild).status_code for _ in range(12)][-1] == 429
    assert here.get("/account").status_code == 200
    if deed == "erase":
        page = here.get("/account/erase")
        [form] = [form for form in forms_of(page) if "seal" in form]
        assert here.post("/account/erase", form).status_code == 200
    else:
        [form] = forms_to(here.get("/account"), deed)
        assert here.post("/account", form).status_code == 303
    assert bridge.userinfo(wild).status_code == 401


def test_a_refresh_that_is_put_off_spends_nothing_and_no_assertion(limited: Callable[[str], Bridge]) -> None:
    bridge = limited("user=1/minute")
    bridge.add_client(**{**OFFLINE, "refresh_grace": 0}, assertion_once=True)
    user = bridge.user()
    token = bridge.keep(user)
    once = bridge.assertion(user)
    answer = bridge.refresh(token)
    assert refusal(answer) == TOO_MANY
    assert is_told_when(answer)
    assert refusal(bridge.exchange(once)) == TOO_MANY
    assert bridge.rows("SELECT count(*) FROM refresh_tokens WHERE spent_at IS NOT NULL") == [(0,)]
    bridge.clock.forward(60)
    assert bridge.exchange(once).status_code == 200
    bridge.clock.forward(60)
    assert bridge.refresh(token).status_code == 200


@pytest.mark.parametrize("path", ["/authorize", "/signin", "/consent", "/logout", "/account", "/account/erase"])
def test_every_page_counts_for_its_address_and_says_so_on_a_page(limited: Callable[[str], Bridge], path: str) -> None:
    bridge = limited("source=2/minute")
    answers = [bridge.http.get(path, headers=seen_at(MALLORY)) for _ in range(3)]
    assert all(answer.status_code < 429 for answer in answers[:2])
    page = answers[2]
    assert page.status_code == 429
    assert is_told_when(page)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Too much at once" in page.text
    assert "/reasons/too_many_requests" in page.text
    assert bridge.http.get(path, headers=seen_at(ALICE)).status_code < 429


def test_the_post_of_a_sign_in_page_counts_too(limited: Callable[[str], Bridge]) -> None:
    bridge = limited("source=2/minute")
    posts = [bridge.http.post("/signin/complete", data={"request": "x"}).status_code for _ in range(3)]
    assert posts == [400, 400, 429]


def test_a_user_who_comes_too_often_is_sent_back_to_the_app_with_a_word_for_it(
    limited: Callable[[str], Bridge],
) -> None:
    bridge = limited("user=3/minute")
    bridge.add_client(**WEB)
    browser, user = Browser(bridge), bridge.user()
    assert "code" in browser.sign_in(user)  # its assertion, and the code
    assert "code" in browser.sign_in(user)
    assert browser.sign_in(user)["error"] == "temporarily_unavailable"
    bridge.add_client("other", **WEB)
    assert "code" in Browser(bridge).sign_in(user, "other")
    bridge.clock.forward(60)
    assert "code" in browser.sign_in(user)


def asked(state: str = "s") -> dict[str, str]:
    return {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": state}


def is_begun(answer: TestResponse) -> bool:
    return bool(answer.status_code == 303 and "error=" not in answer.headers["Location"])


@pytest.mark.parametrize(("workers", "each"), [("1", 4), ("2", 2)])
def test_an_address_begins_few_sign_ins_and_what_leaves_no_row_goes_on(
    make_bridge: Make, workers: str, each: int
) -> None:
    bridge = make_bridge(BRIDGE_LIMITS="signins=4/minute", BRIDGE_PROXIES="1", BRIDGE_WORKERS=workers)
    bridge.add_client(**WEB)

    def authorize(address: str) -> TestResponse:
        return bridge.http.get("/authorize", query_string=asked(), headers=seen_at(address))

    answers = [authorize(MALLORY) for _ in range(50)]
    assert [is_begun(answer) for answer in answers] == [True] * each + [False] * (50 - each)
    assert "temporarily_unavailable" in answers[-1].headers["Location"]
    long = bridge.http.post("/authorize", data=asked("s" * 5000), headers=seen_at(MALLORY))
    assert long.status_code == 429
    assert is_told_when(long)
    assert bridge.rows("SELECT count(*) FROM requests") == [(each,)]
    assert is_begun(authorize(ALICE))
    again = {"client_id": "app", "request_uri": f"{REQUEST_URI}{parameters(answers[0].headers['Location'])['request']}"}
    same_browser = bridge.http.get("/authorize", query_string=again, headers=seen_at(MALLORY))
    assert is_begun(same_browser), "no new row, so nothing to count"


def test_a_client_with_too_many_open_requests_begins_no_other_and_the_others_do(bridge: Bridge) -> None:
    bridge.add_client(**WEB)
    bridge.add_client("other", **WEB)
    row = {
        "client_id": "app",
        "query": "q",
        "began_at": bridge.clock(),
        "expires_at": bridge.clock() + KEPT,
        "tries": 0,
    }
    with bridge.database.writing() as tx:
        tx.execute(insert(requests), [{"request_id": f"r{number}", **row} for number in range(MOST)])
    refused = parameters(Browser(bridge).authorize().headers["Location"])
    assert (refused["error"], refused["state"]) == ("temporarily_unavailable", "s" * 32)
    assert Browser(bridge).authorize("other").headers["Location"].startswith(SIGNIN_PAGE)
    bridge.clock.forward(TTL + PAUSE)
    assert Browser(bridge).authorize().headers["Location"].startswith(SIGNIN_PAGE)


@pytest.fixture
def hooked(limited: Callable[[str], Bridge]) -> Bridge:
    return limited("webhooks=3/minute")


def knock(bridge: Bridge, body: bytes, signature: str, address: str, environment: str | None = None) -> TestResponse:
    path = f"/webhooks/dynamic/{environment or bridge.dynamic.emulator.environment_id}"
    return bridge.http.post(path, data=body, headers={HEADER: signature, **seen_at(address)})


def ping(bridge: Bridge) -> tuple[bytes, str]:
    body = (
        b'{"eventId":"e1","eventName":"ping","timestamp":"2026-11-24T18:00:00Z","environmentId":"%s"}'
        % bridge.dynamic.emulator.environment_id.encode()
    )
    return body, signature_of(body, WEBHOOK_SECRET)


def test_a_flood_of_forged_webhooks_keeps_no_genuine_one_out_not_even_from_the_same_address(hooked: Bridge) -> None:
    body, signature = ping(hooked)
    forged = [knock(hooked, body, "sha256=" + "0" * 64, MALLORY) for _ in range(5)]
    assert [answer.status_code for answer in forged] == [401] * 3 + [429] * 2
    assert is_told_when(forged[-1])
    assert forged[-1].json["error"] == "too_many_requests"
    for address in [MALLORY, ALICE] * 5:
        assert knock(hooked, body, signature, address).status_code == 200
    assert knock(hooked, body, "sha256=" + "0" * 64, MALLORY).status_code == 429
    assert knock(hooked, body, "sha256=" + "0" * 64, ALICE).status_code == 401


def test_genuine_webhooks_never_count(hooked: Bridge) -> None:
    body, signature = ping(hooked)
    assert {knock(hooked, body, signature, ALICE).status_code for _ in range(20)} == {200}
    odd = b"{}"
    assert {knock(hooked, odd, signature_of(odd, WEBHOOK_SECRET), ALICE).status_code for _ in range(20)} == {400}


def test_inventing_environments_gains_nothing(hooked: Bridge) -> None:
    answers = [knock(hooked, b"{}", "", MALLORY, f"env-{number}").status_code for number in range(5)]
    assert answers == [404] * 3 + [429] * 2
    body, signature = ping(hooked)
    assert knock(hooked, body, signature, MALLORY).status_code == 200, "another environment's count"


def test_oversized_webhooks_count_as_forged(hooked: Bridge) -> None:
    big = b" " * (MAX_BODY_BYTES + 1)
    assert [knock(hooked, big, "", MALLORY).status_code for _ in range(4)] == [413] * 3 + [429]


@pytest.mark.parametrize("limits", ["off", ""])
def test_limits_can_be_off_and_by_default_nobody_meets_them(make_bridge: Make, limits: str) -> None:
    bridge = make_bridge(BRIDGE_LIMITS=limits)
    bridge.add_client()
    user = bridge.user()
    assertion = bridge.assertion(user)
    assert {bridge.exchange(assertion).status_code for _ in range(300)} == {200}


def test_behind_a_proxy_that_nobody_told_us_of_no_address_is_limited(make_bridge: Make) -> None:
    bridge = make_bridge(
        BRIDGE_ISSUER="https://id.example.com",
        BRIDGE_DEVELOPMENT="false",
        DYNAMIC_API_BASE_URL="https://app.dynamicauth.com/api/v0",
        BRIDGE_LIMITS="source=1/minute, webhooks=1/minute",
        DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET,
    )
    assert not bridge.config.sources_known
    assert {bridge.http.get("/authorize").status_code for _ in range(5)} == {400}
    assert {knock(bridge, b"{}", "", MALLORY).status_code for _ in range(5)} == {401}


def test_a_client_of_pages_may_read_why_it_is_slowed_down(limited: Callable[[str], Bridge]) -> None:
    bridge = limited("source=1/minute")
    bridge.add_client("spa", public=True, cors_origins=(APP_ORIGIN,))
    answers = [bridge.token(GRANT, "spa", headers={"Origin": APP_ORIGIN}) for _ in range(2)]
    assert answers[1].status_code == 429
    assert answers[1].headers["Access-Control-Allow-Origin"] == APP_ORIGIN
