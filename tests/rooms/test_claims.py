"""Dynamic's words → OIDC's words: what may become a claim, from which place, and what is left out."""

import json
from typing import Any

import pytest
from conftest import ADDRESS
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.dynamic.claims import credentials_digest, identity_of, identity_with_profile
from bridge.model import Assertion, ClaimRule, Environment

ENVIRONMENT = Environment("11111111-1111-4111-8111-111111111111")
USER_ID = "22222222-2222-4222-8222-222222222222"
SURROGATE = "\ud83d"
EMAIL = {"id": "e", "format": "email", "email": "demo@example.com", "signInEnabled": True}
GOOGLE = {"id": "g", "format": "oauth", "oauth_provider": "google", "oauth_emails": ["google@example.com"]}
GITHUB = {"id": "h", "format": "oauth", "oauth_provider": "github", "oauth_emails": ["github@example.com"]}


def assertion(environment: Environment = ENVIRONMENT, user_id: str = USER_ID, **claims: Any) -> Assertion:
    """An assertion as the verifier makes one; large if it has credentials."""
    return Assertion(
        environment=environment,
        user_id=user_id,
        sid="s",
        original_sid=None,
        issued_at=1_000,
        expires_at=2_000,
        refresh_expires_at=None,
        shape="large" if "verified_credentials" in claims else "small",
        digest=b"",
        claims=claims,
    )


def claims_of(*credentials: Any, rules: tuple[ClaimRule, ...] = (), **claims: Any) -> dict[str, Any]:
    return dict(identity_of(assertion(verified_credentials=list(credentials), **claims), rules).claims)


@pytest.mark.parametrize(
    ("credentials", "claims", "email"),
    [
        ([EMAIL], {}, "demo@example.com"),
        ([{**EMAIL, "signInEnabled": False, "verifiedAt": "2026-11-20T09:58:11.190Z"}], {}, "demo@example.com"),
        ([{**EMAIL, "signInEnabled": False}], {}, None),
        ([{**EMAIL, "signInEnabled": "true"}], {}, None),
        ([{**EMAIL, "signInEnabled": 1}], {}, None),
        ([], {"email": "demo@example.com"}, None),  # profile data, not proof
        ([GITHUB], {"email": "github@example.com", "signin_credential_id": "h"}, None),
        ([GOOGLE], {}, "google@example.com"),
        ([{**GOOGLE, "oauth_emails": ["a@example.com", "b@example.com"]}], {}, None),
        ([{**GOOGLE, "oauth_emails": []}], {}, None),
        ([{**GOOGLE, "oauth_emails": "google@example.com"}], {}, None),
        ([GOOGLE, EMAIL], {}, "demo@example.com"),
        ([GOOGLE, EMAIL], {"email": "google@example.com"}, "demo@example.com"),  # a linked account lends, not owns
        ([GOOGLE, EMAIL], {"signin_credential_id": "g"}, "google@example.com"),
        ([EMAIL, GOOGLE], {"signin_credential_id": "e"}, "demo@example.com"),
        ([EMAIL, GITHUB], {"signin_credential_id": "h"}, "demo@example.com"),
        ([EMAIL, {**EMAIL, "id": "f", "email": "b@example.com"}], {"email": "b@example.com"}, "b@example.com"),
        ([EMAIL, {**EMAIL, "id": "f", "email": "b@example.com"}], {"signin_credential_id": "f"}, "b@example.com"),
        ([EMAIL], {"email": "elsewhere@example.com"}, "demo@example.com"),
        ([EMAIL], {"email": ["demo@example.com"]}, "demo@example.com"),
        *(
            ([{**EMAIL, "email": hostile}], {}, None)
            for hostile in (
                *("demo@example.com\r\nBcc: all@example.com", "demo\uff20example.com", "a" * 300 + "@example.com"),
                *("a@" + "b" * 252 + ".c", "demo@exämple.com", "@example.com", "demo@", "demo", "a@b@example.com"),
                *("demo @example.com", "demo@example.com\n", "<demo@example.com>", "demo@-", "", None, 5),
            )
        ),
    ],
)
def test_an_email_is_told_only_if_it_is_proven(credentials: list[Any], claims: dict[str, Any], email: Any) -> None:
    found = claims_of(*credentials, **claims)
    expected = {"email": email, "email_verified": True} if email else {}
    assert {name: value for name, value in found.items() if name.startswith("email")} == expected


@pytest.mark.parametrize(
    ("country", "number", "told"),
    [
        ("1", "5550100123", "+15550100123"),
        ("+44", "7700900123", "+447700900123"),
        (44, 7700900123, "+447700900123"),
        ("", "", None),
        ("1", "555-0100", None),
        ("0", "5550100123", None),
        ("1", "5" * 15, None),
        ("1", "55", None),
        (None, "5550100123", None),
        ("1", "٥٥٥٠١٠٠١٢٣", None),
        ("1", ["5550100123"], None),
        ("1", "5550100123\n", None),
    ],
)
def test_a_phone_number_is_told_in_e164_or_not_at_all(country: Any, number: Any, told: str | None) -> None:
    entry = {"format": "phoneNumber", "phoneCountryCode": country, "phoneNumber": number}
    expected = {"phone_number": told, "phone_number_verified": True} if told else {}
    assert claims_of({**entry, "signInEnabled": True}, phone_number="+15550100999") == expected
    assert claims_of({**entry, "verifiedAt": "2026-11-20T09:58:11.190Z"}) == expected
    assert claims_of({**entry, "signInEnabled": "true"}) == {}  # not proven


NAMED_WALLET = {"format": "blockchain", "address": ADDRESS, "name_service": {"name": "demo.eth"}}
NAMES = {"given_name": "Given", "family_name": "Family", "alias": "Alias", "username": "Username"}
DISPLAYED = {**GOOGLE, "oauth_display_name": "Displayed"}


@pytest.mark.parametrize(
    ("without", "name"),
    [
        ((), "Given Family"),
        (("family_name",), "Given"),
        (("given_name",), "Family"),
        (("given_name", "family_name"), "Displayed"),
        (("given_name", "family_name", "signin_credential_id"), "Alias"),
        (("given_name", "family_name", "signin_credential_id", "alias"), "Username"),
        ((*NAMES, "signin_credential_id"), "demo.eth"),
    ],
)
def test_a_name_comes_from_the_best_place_that_has_one(without: tuple[str, ...], name: str) -> None:
    told = {**NAMES, "signin_credential_id": "g"}
    found = claims_of(NAMED_WALLET, DISPLAYED, **{key: value for key, value in told.items() if key not in without})
    assert found["name"] == name


def test_a_name_is_never_made_of_an_address() -> None:
    assert claims_of({"format": "blockchain", "address": ADDRESS}).keys() == {"wallets", "wallet_address"}


@pytest.mark.parametrize(
    "hostile", ["a\r\nb", "a\x00b", "a\u202eb", "a\u2028b", SURROGATE, "a" * 257, "", 5, ["a"], None]
)
def test_a_name_that_is_no_line_of_text_is_dropped(hostile: Any) -> None:
    assert claims_of(**dict.fromkeys([*NAMES, "country"], hostile), lists=[hostile]) == {}


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        ("https://img.example.com/a.png?s=96#x", True),
        ("http://img.example.com/a.png", False),
        ("javascript:alert(1)", False),
        ("data:image/png;base64,AAAA", False),
        ("https://user@img.example.com/a.png", False),
        ('https://img.example.com/"onerror="', False),
        ("https://img.example.com/<b>", False),
        ("https://img.example.com/\n", False),
        ("https://img.example.com/" + "a" * 2048, False),
        (["https://img.example.com"], False),
    ],
)
def test_a_picture_is_an_https_url_or_is_dropped(picture: Any, told: bool) -> None:
    expected = picture if told else None
    assert claims_of({**NAMED_WALLET, "name_service": {"avatar": picture}}).get("picture") == expected
    assert claims_of({**GITHUB, "oauth_account_photos": [5, picture]}).get("picture") == expected


def test_the_picture_of_the_account_that_signed_in_comes_first() -> None:
    first, second = ({**GITHUB, "id": n, "oauth_account_photos": [f"https://img.example.com/{n}"]} for n in "ab")
    assert claims_of(first, second, signin_credential_id="b")["picture"] == "https://img.example.com/b"
    assert claims_of(first, second)["picture"] == "https://img.example.com/a"


def test_groups_are_access_lists_and_the_customers_own_scope_words() -> None:
    found = claims_of(
        lists=["beta", "vip", "beta", 5, "a\nb"], scope="user:basic vip admin userDataForm device:register"
    )
    assert found == {"groups": ["beta", "vip", "admin"]}


@pytest.mark.parametrize(
    ("credential", "amr"),
    [
        ("email", ("otp",)),
        ("phoneNumber", ("sms",)),
        ("blockchain", ("swk",)),
        ("oauth", ("fed",)),
        ("passkey", ("pop",)),
        ("totp", ()),
        (["email"], ()),
        (None, ()),
    ],
)
def test_amr_tells_how_the_session_was_opened(credential: Any, amr: tuple[str, ...]) -> None:
    entries = [{"id": "other", "format": "email"}, {"id": "signin", "format": credential}]
    claims = {"verified_credentials": entries, "signin_credential_id": "signin"}
    assert identity_of(assertion(**claims), ()).amr == amr
    assert identity_of(assertion(verified_credentials=entries), ()).amr == ()


VALUES: dict[str, tuple[list[Any], list[Any]]] = {
    "string": (["a", "é", "a" * 4000], ["", 1, True, None, ["a"], SURROGATE, "a\x00b", "a" * 5000]),
    "integer": ([0, -5, 2**63], [1.0, "1", True, None]),
    "number": ([0, 1.5], ["1", False, float("inf"), float("nan"), None]),
    "boolean": ([True, False], [0, 1, "true", None]),
    "list": ([[], ["a", {"b": 1}]], [{}, "a", None, [SURROGATE], ["a" * 5000], [float("nan")], ["\x00"]]),
    "object": ([{}, {"a": [1]}], [[], "a", None, {SURROGATE: 1}, {"a": "b" * 5000}, {"\x00": 1}]),
}


@pytest.mark.parametrize(("wanted", "value"), [(wanted, value) for wanted in VALUES for value in VALUES[wanted][0]])
def test_a_mapped_value_of_the_right_type_is_told(wanted: Any, value: Any) -> None:
    rule = ClaimRule("metadata.a.1.b", "mapped", type=wanted)
    assert claims_of(rules=(rule,), metadata={"a": [0, {"b": value}]}) == {"mapped": value}


@pytest.mark.parametrize(("wanted", "value"), [(wanted, value) for wanted in VALUES for value in VALUES[wanted][1]])
def test_a_mapped_value_that_is_empty_or_of_another_type_is_dropped(wanted: Any, value: Any) -> None:
    rule = ClaimRule("metadata.a.1.b", "mapped", type=wanted)
    assert claims_of(rules=(rule,), metadata={"a": [0, {"b": value}]}) == {}


@pytest.mark.parametrize("path", ["a.2", "a.-1", "a.x", "b", "a.0.0", "a.1.c", "a.²"])
def test_a_path_that_leads_nowhere_maps_nothing(path: str) -> None:
    rules = tuple(ClaimRule(f"metadata.{path}", "mapped", type=wanted) for wanted in VALUES)  # type: ignore[arg-type]
    assert claims_of(rules=rules, metadata={"a": [0, {"b": 1}]}) == {}


def test_a_mapped_value_nested_deeper_than_any_token_may_be_is_dropped() -> None:
    deep: Any = []
    for _ in range(600):
        deep = [deep]
    rules = (ClaimRule("metadata.deep", "deep", type="list"),)
    profile = {"verified_credentials": [], "metadata": {"deep": deep}}
    assert "deep" not in identity_with_profile(assertion(), profile, rules, now=1).claims


def test_a_small_token_proves_who_but_not_what() -> None:
    identity = identity_of(assertion(email="demo@example.com", username="demo", signin_credential_id="e"), ())
    assert (identity.complete, identity.amr, dict(identity.claims)) == (
        *(False, ()),
        {"name": "demo", "preferred_username": "demo"},
    )


def test_a_token_tells_of_its_own_time_and_a_profile_of_now() -> None:
    assert identity_of(assertion(verified_credentials=[]), ()).told_at == 1_000
    assert identity_with_profile(assertion(), {"verified_credentials": []}, (), now=1_500).told_at == 1_500


def test_the_digest_follows_the_credentials_and_is_empty_if_dynamic_does_not_tell() -> None:
    one, other = ({"email": "0cc1", "oauth": "92eb"}, {"email": "0cc1"})
    assert credentials_digest(assertion(verifiedCredentialsHashes=one)) == credentials_digest(
        assertion(verifiedCredentialsHashes=dict(reversed(one.items())), verified_credentials=[])
    )
    digests = [credentials_digest(assertion(verifiedCredentialsHashes=hashes)) for hashes in (one, other)]
    assert len({*digests, ""}) == 3
    assert [credentials_digest(assertion(verifiedCredentialsHashes=no)) for no in ({}, None, [1], "a")] == [""] * 4


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.sampled_from(["e", "g"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=8,
)
MEMBERS = (
    *(
        "id",
        "email",
        "signInEnabled",
        "verifiedAt",
        "lastSelectedAt",
        "address",
        "chain",
        "wallet_name",
        "name_service",
    ),
    *("wallet_provider", "oauth_provider", "oauth_emails", "oauth_display_name", "oauth_account_photos"),
    *("phoneNumber", "phoneCountryCode"),
)
FORMATS = st.sampled_from(["email", "oauth", "blockchain", "phoneNumber", "passkey"])
ENTRY = st.fixed_dictionaries({"format": FORMATS | ANYTHING}, optional=dict.fromkeys(MEMBERS, ANYTHING))
TOP_LEVEL = (
    *("signin_credential_id", "last_verified_credential_id", "given_name", "family_name", "alias", "username", "email"),
    *("country", "lists", "scope", "metadata", "verifiedCredentialsHashes"),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(ENTRY | ANYTHING, max_size=4), st.fixed_dictionaries({}, optional=dict.fromkeys(TOP_LEVEL, ANYTHING)))
def test_nothing_in_a_token_can_fail_a_sign_in(credentials: list[Any], claims: dict[str, Any]) -> None:
    rules = tuple(ClaimRule("metadata", name, type=name) for name in VALUES)  # type: ignore[arg-type]
    found = claims_of(*credentials, rules=rules, **claims)
    text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    assert text.encode("utf-8")
    assert "\\u0000" not in text.replace("\\\\", "")
    profile = {**claims, "verified_credentials": credentials}
    assert identity_with_profile(assertion(), profile, rules, now=1).claims == found
