"""What the OpenID Foundation's certification of a basic provider looks at, and where OpenID Connect Core is exact."""

import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata
from browsing import CALLBACK, SIGNIN_ORIGIN, SIGNIN_PAGE, WEB, Browser, form_of, ids_of, parameters
from conftest import ISSUER, Bridge
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.emulator import NewPhone, User

EVERY_SCOPE = ("openid", "profile", "email", "phone", "address", "wallets", "offline_access")
CERTIFIED = {**WEB, "scopes": EVERY_SCOPE}
ODD = "\u00e9\u20ac\U0001f511 +%2B&a=b#?/\\\"'<>;,~"
TELLABLE = {*map(chr, range(0x20, 0x7F))} - {'"', "\\"}  # RFC 6749 section 4.1.2.1

PROFILE = {
    "name": str,
    "family_name": str,
    "given_name": str,
    "middle_name": str,
    "nickname": str,
    "preferred_username": str,
    "profile": str,
    "picture": str,
    "website": str,
    "gender": str,
    "birthdate": str,
    "zoneinfo": str,
    "locale": str,
    "updated_at": int,
}
"""OIDC Core section 5.4, with the types of section 5.1."""

UNTOLD = ("middle_name", "profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale")
MAPPING = "\n".join(
    [
        *(f'[[claims]]\nsource = "metadata.{claim}"\nclaim = "{claim}"' for claim in UNTOLD),
        '[[claims]]\nsource = "metadata.updated_at"\nclaim = "updated_at"\ntype = "integer"',
        '[[claims]]\nsource = "metadata.address"\nclaim = "address"\nscope = "address"\ntype = "object"',
    ]
)
METADATA = {
    **{claim: f"the {claim}" for claim in UNTOLD},
    "updated_at": 1_795_000_000,
    "address": {"street_address": "1 Main Street", "locality": "Anytown", "country": "AT"},
}


@pytest.fixture
def site(make_bridge: Callable[..., Bridge]) -> Bridge:
    bridge = make_bridge(MAPPING)
    bridge.add_client(**CERTIFIED)
    return bridge


@pytest.fixture
def browser(site: Bridge) -> Browser:
    return Browser(site)


def told_user(site: Bridge, **more: Any) -> User:
    """A user of whom everything is told."""
    return site.user(
        **{
            "family_name": "Example",
            "username": "demo",
            "alias": "Demi",
            "credentials": [NewPhone("6641234567", country_code="43")],
            "metadata": METADATA,
            **more,
        }
    )


def decoded(site: Bridge, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(site.http.get("/jwks").json)
    return jwt.decode(token, keys, algorithms=["RS256", "ES256"]).claims


def id_token(browser: Browser, told: dict[str, str]) -> dict[str, Any]:
    answer = browser.redeem(told["code"])
    assert answer.status_code == 200, answer.json
    return decoded(browser.bridge, answer.json["id_token"])


def told(browser: Browser, **asked: Any) -> dict[str, str]:
    """What reaches the client of a user who is signed in."""
    location = browser.authorize(**asked).headers["Location"]
    assert location.startswith(CALLBACK), location
    return parameters(location)


# The authorization request


@pytest.mark.parametrize("mode", ["query", "form_post"])
@pytest.mark.parametrize("state", ["s" * 128, "s" * 2048, "A-z_0.9~", ODD], ids=["128", "2048", "plain", "odd"])
def test_the_whole_state_comes_back_with_codes_and_with_errors(
    site: Bridge, browser: Browser, state: str, mode: str
) -> None:
    browser.sign_in(site.user())
    for asked in ({}, {"response_type": "token"}, {"scope": "unknown"}):
        answer = browser.authorize(state=state, response_mode=mode, **asked)
        fields = parameters(answer.headers["Location"]) if mode == "query" else form_of(answer).fields
        assert fields["state"] == state
        assert ("error" in fields) is bool(asked)


def test_a_state_that_was_not_sent_does_not_come_back(site: Bridge, browser: Browser) -> None:
    browser.sign_in(site.user())
    for asked in ({}, {"state": ""}):
        for more in ({}, {"scope": "unknown"}):
            assert "state" not in told(browser, **{"state": None, **asked, **more})


@pytest.mark.parametrize("uri", [None, "", *(f"{CALLBACK}{more}" for more in ("?x=1", "/more", "%2Fmore", "#x", " "))])
def test_a_redirect_uri_that_is_missing_or_not_the_registered_one_gets_a_page(
    site: Bridge, browser: Browser, uri: str | None
) -> None:
    browser.sign_in(site.user())
    answer = browser.authorize(redirect_uri=uri)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "error-title" in ids_of(answer)
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "registered", [f"{CALLBACK}?x=1", f"{CALLBACK}?x=%2B&y=a+b", f"{CALLBACK}?x", "https://app.example.com/?a=&b"]
)
def test_a_registered_query_is_kept_and_joined(site: Bridge, registered: str) -> None:
    site.add_client("query", **{**CERTIFIED, "redirect_uris": (registered,)})
    browser = Browser(site)
    to_page = browser.authorize("query", redirect_uri=registered)
    location = browser.hand_back(to_page, site.assertion(site.user())).headers["Location"]
    assert location.startswith(f"{registered}&code=")
    assert parameters(location).keys() >= {"code", "state", "iss"}
    refused = browser.authorize("query", redirect_uri=registered, prompt="surprise").headers["Location"]
    assert refused.startswith(f"{registered}&error=invalid_request&")
    assert browser.redeem(parameters(location)["code"], "query", redirect_uri=registered).status_code == 200


@pytest.mark.parametrize("mode", [None, "query", "form_post"])
@pytest.mark.parametrize(
    "asked",
    [
        {"response_type": None},
        {"response_type": "id_token token"},
        {"scope": None},
        {"scope": '\u00e9"\\'},
        {"prompt": "none"},
        {"prompt": "none login"},
        {"max_age": "-1"},
        {"request": "e30.e30."},
        {"request_uri": "https://app.example.com/request.jwt"},
        {"claims": '"\\\u00e9'},
        {"id_token_hint": "e30.e30.\u00e9"},
        {"resource": "not a URI"},
        {"code_challenge_method": '"\u00e9'},
    ],
)
def test_an_error_comes_in_the_mode_that_was_asked_for_and_in_plain_words(
    browser: Browser, asked: dict[str, Any], mode: str | None
) -> None:
    answer = browser.authorize(response_mode=mode, **asked)
    if mode == "form_post":
        assert answer.status_code == 200
        assert form_of(answer).action == CALLBACK
        fields = form_of(answer).fields
    else:
        assert answer.status_code == 303
        fields = parameters(answer.headers["Location"])
    assert fields.keys() == {"error", "error_description", "error_uri", "state", "iss"}
    assert {*fields["error"], *fields["error_description"]} <= TELLABLE
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_mode_that_cannot_reach_a_native_app_is_refused_in_one_that_can(site: Bridge) -> None:
    uri = "com.example.app:/callback"
    site.add_client("native", **{**CERTIFIED, "redirect_uris": (uri,), "consent": "skip"})
    browser = Browser(site)
    answer = browser.authorize("native", redirect_uri=uri, response_mode="form_post")
    assert answer.headers["Location"].startswith(f"{uri}?error=invalid_request&")
    to_page = browser.authorize("native", redirect_uri=uri)
    assert browser.hand_back(to_page, site.assertion()).headers["Location"].startswith(f"{uri}?code=")


@pytest.mark.parametrize(
    "more",
    [
        {"extra": "foobar"},
        {"display": "page"},
        {"display": "popup"},
        {"display": "surprise"},
        {"ui_locales": "se"},
        {"ui_locales": "fr-CA fr en"},
        {"claims_locales": "se"},
        {"login_hint": "buffy@example.com"},
        {"login_hint": ODD},
        {"registration": "{}"},
        {"acr_values": "1 2"},
        {"scope": "email  unknown openid  profile openid"},
        {"nonce": ""},
    ],
)
def test_what_is_unknown_or_only_a_wish_stops_nobody(site: Bridge, browser: Browser, more: dict[str, str]) -> None:
    user = site.user()
    to_page = browser.authorize(**more)
    assert to_page.headers["Location"].startswith(f"{SIGNIN_PAGE}?")
    location = browser.hand_back(to_page, site.assertion(user)).headers["Location"]
    assert id_token(browser, parameters(location))["sub"] == user.id
    assert id_token(browser, told(browser, prompt="none", **more))["sub"] == user.id


def test_the_hints_reach_the_sign_in_page_as_they_came(browser: Browser) -> None:
    page = parameters(browser.authorize(login_hint=ODD, ui_locales="fr-CA fr").headers["Location"])
    assert (page["login_hint"], page["ui_locales"]) == (ODD, "fr-CA fr")


def test_a_scope_is_granted_in_any_order_and_without_the_words_that_nobody_knows(
    site: Bridge, browser: Browser
) -> None:
    user = site.user()
    for scope in ("email openid", "unknown email openid", "openid email openid"):
        answer = browser.redeem(browser.sign_in(user, scope=scope)["code"]).json
        assert answer["scope"] == "openid email"
        assert site.userinfo(answer["access_token"]).json.keys() == {"sub", "email", "email_verified"}


@pytest.mark.parametrize(
    "fault", [{}, {"response_type": "token"}, {"prompt": ["none", "login"]}, {"response_mode": "form_post"}]
)
def test_a_request_by_post_is_answered_as_one_by_get(site: Bridge, browser: Browser, fault: dict[str, Any]) -> None:
    browser.sign_in(site.user())
    form = {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": ODD}
    form |= fault
    posted = browser.post("/authorize", form, origin="https://app.example.com")
    assert posted.status_code == 303
    by_post, by_get = browser.follow(posted), browser.authorize(**form)
    assert by_post.status_code == by_get.status_code

    def told_by(answer: Any) -> dict[str, str]:
        fields = parameters(answer.headers["Location"]) if answer.status_code == 303 else form_of(answer).fields
        return {name: "…" if name == "code" else value for name, value in fields.items()}

    assert told_by(by_post) == told_by(by_get)
    assert told_by(by_post)["state"] == ODD


@pytest.mark.parametrize("path", ["/authorize", "/logout"])
@pytest.mark.parametrize(
    "body", ["a\r\nSet-Cookie: x=y&client_id=app", "client_id=app&\nx", "client_id=app&\u00e9=1", "client_id=app& =1"]
)
def test_a_body_that_is_no_form_reaches_no_header(site: Bridge, path: str, body: str) -> None:
    answer = site.http.post(path, data=body.encode(), content_type="application/x-www-form-urlencoded")
    assert answer.status_code in (303, 400)
    assert "Set-Cookie" not in answer.headers
    assert not {" ", "\r", "\n"} & set(answer.headers.get("Location", ""))


# The code and the tokens


@pytest.mark.parametrize("later", [0, 30, 3600])
def test_a_code_is_good_once_and_its_second_use_ends_what_the_first_one_brought(
    site: Bridge, browser: Browser, later: int
) -> None:
    code = browser.sign_in(site.user(), scope="openid offline_access")["code"]
    tokens = browser.redeem(code).json
    assert site.userinfo(tokens["access_token"]).status_code == 200
    site.clock.forward(later)
    again = browser.redeem(code)
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")
    assert again.headers["Cache-Control"] == "no-store"
    assert site.userinfo(tokens["access_token"]).status_code == 401
    assert site.call("/introspect", tokens["access_token"]).json == {"active": False}
    assert site.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_one_client_authenticates_in_the_header_or_in_the_body(site: Bridge, browser: Browser) -> None:
    user, secret = site.user(), site.secrets["app"]
    for header in (True, False):
        form = {"grant_type": "authorization_code", "code": browser.sign_in(user)["code"], "redirect_uri": CALLBACK}
        credentials = b64encode(f"app:{secret}".encode()).decode()
        if header:
            answer = site.http.post("/token", data=form, headers={"Authorization": f"Basic {credentials}"})
        else:
            answer = site.http.post("/token", data={**form, "client_id": "app", "client_secret": secret})
        assert answer.status_code == 200, answer.json


def test_the_token_answer_is_as_specified(site: Bridge, browser: Browser) -> None:
    answer = browser.redeem(browser.sign_in(site.user(), scope="openid offline_access", nonce="n")["code"])
    assert answer.mimetype == "application/json"
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    assert answer.json["token_type"] == "Bearer"
    assert type(answer.json["expires_in"]) is int
    assert None not in answer.json.values()
    half = hashlib.sha256(answer.json["access_token"].encode()).digest()[:16]
    claims = decoded(site, answer.json["id_token"])
    assert claims["at_hash"] == urlsafe_b64encode(half).rstrip(b"=").decode()
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (site.config.issuer, "app", "n")
    assert all(type(claims[name]) is int for name in ("exp", "iat", "auth_time"))
    assert claims["iat"] == site.clock()
    assert len(claims["sub"]) <= 255
    assert "azp" not in claims


@pytest.mark.parametrize("nonce", ["n-0S6_WzA2Mj", "n" * 2048, ODD], ids=["plain", "long", "odd"])
def test_the_nonce_comes_back_as_it_was(site: Bridge, browser: Browser, nonce: str) -> None:
    assert id_token(browser, browser.sign_in(site.user(), nonce=nonce))["nonce"] == nonce


def test_no_two_keys_share_a_kid(site: Bridge, browser: Browser) -> None:
    keys = site.http.get("/jwks").json["keys"]
    assert len({key["kid"] for key in keys}) == len(keys)
    header = jwt.decode(
        browser.tokens(site.user())["id_token"], KeySet.import_key_set({"keys": keys}), algorithms=["RS256"]
    ).header
    assert header["kid"] in {key["kid"] for key in keys if key["alg"] == header["alg"] == "RS256"}


# When the user signed in


def test_max_age_leads_to_the_sign_in_page_once_it_has_passed(site: Bridge, browser: Browser) -> None:
    user = site.user()
    first = id_token(browser, browser.sign_in(user, max_age=10))
    assert first["auth_time"] == site.clock()
    site.clock.forward(2)
    to_page = browser.authorize(max_age=1)
    assert to_page.headers["Location"].startswith(SIGNIN_PAGE)
    assert parameters(to_page.headers["Location"])["prompt"] == "login"
    again = browser.hand_back(to_page, site.assertion(user))
    second = id_token(browser, parameters(again.headers["Location"]))
    assert second["sub"] == first["sub"]
    assert second["auth_time"] == first["auth_time"] + 2


def test_max_age_that_has_not_passed_and_prompt_none_change_nothing(site: Bridge, browser: Browser) -> None:
    first = id_token(browser, browser.sign_in(site.user()))
    for asked in ({"max_age": 10000}, {"prompt": "none"}, {"max_age": 10000, "prompt": "none"}):
        site.clock.forward(5)
        again = id_token(browser, told(browser, **asked))
        assert (again["sub"], again["auth_time"]) == (first["sub"], first["auth_time"])


def test_prompt_login_has_the_user_sign_in_anew(site: Bridge, browser: Browser) -> None:
    user = site.user()
    first = id_token(browser, browser.sign_in(user))
    site.clock.forward(60)
    to_page = browser.authorize(prompt="login")
    assert to_page.headers["Location"].startswith(SIGNIN_PAGE)
    again = browser.hand_back(to_page, site.assertion(user))
    second = id_token(browser, parameters(again.headers["Location"]))
    assert second["sub"] == first["sub"]
    assert second["auth_time"] == first["auth_time"] + 60


def test_max_age_zero_is_prompt_login(site: Bridge, browser: Browser) -> None:
    user = site.user()
    old = site.assertion(user)
    browser.hand_back(browser.authorize(), old)
    to_page = browser.authorize(max_age=0)  # in the very second of the sign-in
    assert parameters(to_page.headers["Location"])["prompt"] == "login"
    assert told(browser, max_age=0, prompt="none")["error"] == "login_required"
    site.clock.forward(60)
    to_page = browser.authorize(max_age=0)
    assert browser.hand_back(to_page, old).headers["Location"].startswith(SIGNIN_PAGE)
    again = browser.hand_back(to_page, site.assertion(user))
    assert id_token(browser, parameters(again.headers["Location"]))["auth_time"] == site.clock()


def test_an_id_token_hint_names_who_is_wanted(site: Bridge, browser: Browser) -> None:
    hint = browser.tokens(site.user())["id_token"]
    assert "code" in told(browser, prompt="none", id_token_hint=hint)
    stranger = Browser(site)
    assert told(stranger, prompt="none", id_token_hint=hint)["error"] == "login_required"


@pytest.mark.parametrize(
    "asked",
    [
        {"acr_values": "urn:dynamic:sign-in"},
        {"acr_values": "1 2"},
        {"claims": '{"id_token": {"acr": null}}'},
        {"claims": '{"id_token": {"acr": {"essential": true, "values": ["gold", "urn:dynamic:sign-in"]}}}'},
    ],
)
def test_the_acr_is_answered_when_asked_for(site: Bridge, browser: Browser, asked: dict[str, str]) -> None:
    assert id_token(browser, browser.sign_in(site.user(), **asked))["acr"] == "urn:dynamic:sign-in"
    assert "acr" not in id_token(browser, told(browser))


# Claims


def ways_to_userinfo(site: Bridge, token: str) -> list[Any]:
    header = {"Authorization": f"Bearer {token}"}
    return [
        site.http.get("/userinfo", headers=header),
        site.http.post("/userinfo", headers=header),
        site.http.post("/userinfo", data={"access_token": token}),
    ]


def test_userinfo_tells_every_claim_in_its_type_in_each_of_three_ways(site: Bridge, browser: Browser) -> None:
    user = told_user(site)
    tokens = browser.tokens(user, scope="openid profile email phone address")
    for answer in ways_to_userinfo(site, tokens["access_token"]):
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
        claims = answer.json
        assert claims.keys() == {
            *("sub", "email", "email_verified", "phone_number", "phone_number_verified", "address"),
            *PROFILE,
        }
        assert {name: type(claims[name]) for name in PROFILE} == PROFILE
        assert (claims["sub"], claims["name"], claims["updated_at"]) == (user.id, "Demo Example", 1_795_000_000)
        assert (claims["email"], claims["email_verified"]) == ("demo@example.com", True)
        assert (claims["phone_number"], claims["phone_number_verified"]) == ("+436641234567", True)
        assert claims["address"] == METADATA["address"]
    assert decoded(site, tokens["id_token"])["sub"] == user.id


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", set()),
        ("openid profile", set(PROFILE)),
        ("openid email", {"email", "email_verified"}),
        ("openid phone", {"phone_number", "phone_number_verified"}),
        ("openid address", {"address"}),
    ],
)
def test_each_scope_hands_over_its_own_claims(site: Bridge, browser: Browser, scope: str, claims: set[str]) -> None:
    tokens = browser.tokens(told_user(site), scope=scope)
    assert site.userinfo(tokens["access_token"]).json.keys() == {"sub", *claims}


def test_what_is_not_known_is_left_out_and_neither_null_nor_empty(site: Bridge, browser: Browser) -> None:
    nothing = {**dict.fromkeys(UNTOLD, ""), "middle_name": None, "address": None}
    user = site.user(given_name="", metadata=nothing, wallets=[], username="demo")
    tokens = browser.tokens(user, scope="openid profile email phone address")
    expected = {"sub", "name", "preferred_username", "email", "email_verified"}
    assert site.userinfo(tokens["access_token"]).json.keys() == expected
    assert expected <= decoded(site, tokens["id_token"]).keys()
    assert not {"given_name", "address", *UNTOLD} & decoded(site, tokens["id_token"]).keys()


@pytest.mark.parametrize("detail", [None, {"essential": True}, {"essential": False}, {"value": "Demo Example"}])
def test_a_claim_asked_for_by_name_comes_with_scope_openid_alone(site: Bridge, browser: Browser, detail: Any) -> None:
    asked = json.dumps({"userinfo": {"name": detail}, "id_token": {"auth_time": {"essential": True}}})
    tokens = browser.tokens(told_user(site), scope="openid", claims=asked)
    userinfo = site.userinfo(tokens["access_token"]).json
    assert userinfo.keys() == {"sub", "name"}
    assert userinfo["name"] == "Demo Example"
    assert "name" not in decoded(site, tokens["id_token"])


# Discovery, and the way through a proxy


def test_the_discovery_document_is_valid_and_tells_what_we_do(site: Bridge) -> None:
    document = site.http.get("/.well-known/openid-configuration").json
    secure = {name: _secure(value) for name, value in document.items()}  # the rule of https is another test's
    OpenIDProviderMetadata(secure).validate()
    assert document["issuer"] == site.config.issuer
    assert document["response_types_supported"] == ["code"]
    assert document["response_modes_supported"] == ["query", "form_post"]
    assert (document["request_parameter_supported"], document["request_uri_parameter_supported"]) == (False, False)
    assert document["claims_parameter_supported"] is True
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert {"client_secret_basic", "client_secret_post"} <= {*document["token_endpoint_auth_methods_supported"]}
    assert {*EVERY_SCOPE} <= {*document["scopes_supported"]}
    assert {"sub", *PROFILE, "address"} <= {*document["claims_supported"]}
    assert len({*document["claims_supported"]}) == len(document["claims_supported"])
    for name in ("userinfo_endpoint", "authorization_endpoint", "jwks_uri", "end_session_endpoint"):
        assert document[name].startswith(f"{site.config.issuer}/")


def _secure(value: Any) -> Any:
    return value.replace("http://", "https://") if isinstance(value, str) else value


HOSTILE = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-For": "203.0.113.9",
    "Forwarded": "host=evil.example;proto=http",
}


@pytest.mark.parametrize("issuer", ["https://localhost:8443", "https://localhost:8443/sso/v1"])
@pytest.mark.parametrize("headers", [{}, HOSTILE], ids=["plain", "hostile"])
def test_behind_a_tls_proxy_everything_is_https_whatever_the_headers_say(
    make_bridge: Callable[..., Bridge], issuer: str, headers: dict[str, str]
) -> None:
    site = make_bridge(BRIDGE_ISSUER=issuer)
    site.add_client(**CERTIFIED)
    path = urlsplit(issuer).path

    def ask(method: str, url: str, **how: Any) -> Any:
        client = site.http.application.test_client(use_cookies=False)
        return client.open(url, method=method, headers={**headers, **how.pop("headers", {})}, **how)

    document = ask("GET", f"{path}/.well-known/openid-configuration").json
    OpenIDProviderMetadata(document).validate()
    urls = {name: value for name, value in document.items() if name.endswith(("_endpoint", "_uri")) or name == "issuer"}
    assert len(urls) >= 8
    assert all(url == issuer or url.startswith(f"{issuer}/") for url in urls.values())

    asked = {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid", "state": "s"}
    to_page = ask("GET", f"{path}/authorize?{urlencode(asked)}")
    (cookie,) = to_page.headers.getlist("Set-Cookie")
    kept = [_checked_cookie(cookie)]
    request = parameters(to_page.headers["Location"])["request"]
    form = {"request": request, "token": site.assertion(site.user())}
    posted = ask("POST", f"{path}/signin/complete", data=form, headers={"Origin": SIGNIN_ORIGIN})
    back = posted.headers["Location"]
    assert back.startswith(f"{issuer}/authorize?")
    assert "Set-Cookie" not in posted.headers
    answer = ask("GET", back.removeprefix("https://localhost:8443"), headers={"Cookie": "; ".join(kept)})
    kept += [_checked_cookie(cookie) for cookie in answer.headers.getlist("Set-Cookie")]
    assert len(kept) == 2
    assert parameters(answer.headers["Location"])["iss"] == issuer
    posted = ask("POST", f"{path}/authorize", data=asked)
    assert posted.headers["Location"].startswith(f"{issuer}/authorize?")
    page = ask("GET", f"{path}/logout", headers={"Cookie": "; ".join(kept)})
    assert form_of(page).action == f"{issuer}/logout"
    assert "evil" not in page.text


def _checked_cookie(line: str) -> str:
    """The pair of a cookie that only this host can set and only https brings."""
    pair, *attributes = line.split("; ")
    assert pair.startswith("__Host-")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} == {*attributes}
    return pair


# What stands between the steps


@pytest.mark.parametrize("issuer", [ISSUER, "https://localhost:8443"])
def test_two_minutes_on_the_sign_in_page_do_no_harm(make_bridge: Callable[..., Bridge], issuer: str) -> None:
    site = make_bridge(BRIDGE_ISSUER=issuer)
    site.add_client(**CERTIFIED)
    browser, user = Browser(site), site.user()
    to_page = browser.authorize(nonce="n", max_age=600)
    site.clock.forward(130)
    answer = browser.hand_back(to_page, site.assertion(user))
    claims = id_token(browser, parameters(answer.headers["Location"]))
    assert (claims["sub"], claims["nonce"], claims["auth_time"]) == (user.id, "n", site.clock())


def test_two_minutes_with_a_signed_in_page_do_no_harm_either(site: Bridge, browser: Browser) -> None:
    to_page = browser.authorize(nonce="n")
    token = site.assertion(site.user())
    site.clock.forward(130)
    claims = id_token(browser, parameters(browser.hand_back(to_page, token).headers["Location"]))
    assert (claims["nonce"], claims["auth_time"]) == ("n", site.clock() - 130)


def test_an_answer_has_each_parameter_once(site: Bridge, browser: Browser) -> None:
    browser.sign_in(site.user())
    for asked in ({}, {"prompt": "surprise"}):
        pairs = parse_qsl(urlsplit(browser.authorize(**asked).headers["Location"]).query)
        assert len({name for name, _ in pairs}) == len(pairs)
