"""Grant → Tokens: which claims are handed over, what the mint signs, and what it reads back."""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from dataclasses import replace
from string import ascii_letters, digits
from typing import Any, cast, get_args
from uuid import UUID, uuid5

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.errors import Refused
from bridge.jose import SigningKey, generate_signing_key, signing_key
from bridge.keylife import KeyLife
from bridge.model import ClaimRule, Client, Grant, SigningAlgorithm, User
from bridge.reasons import Reason
from bridge.subjects import client_session, subject
from bridge.tokens.claims import PROTOCOL_CLAIMS, SCOPE_CLAIMS, ClaimSelection
from bridge.tokens.keyring import Keyring
from bridge.tokens.mint import Mint
from bridge.tokens.pairwise import PairwiseSubjects, new_pairwise_key
from bridge.tokens.read import read_access_token

ALGORITHMS: tuple[SigningAlgorithm, ...] = get_args(SigningAlgorithm)
KEYS: tuple[SigningKey, ...] = tuple(signing_key(alg, generate_signing_key(alg)) for alg in ALGORITHMS)
ISSUER = "https://id.example.com"
NOW = 1_795_400_000
KEYRING = Keyring(lambda: [(KeyLife(key.kid, key.alg, "active", NOW, NOW), key) for key in KEYS], lambda *_: False, NOW)
ENVIRONMENT_ID = "11111111-1111-4111-8111-111111111111"
USER_ID = "22222222-2222-4222-8222-222222222222"
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
SUBJECTS = PairwiseSubjects(new_pairwise_key())
WALLETS = [{"address": f"0x{number}", "primary": number == 6} for number in range(8)]
CLAIMS = {
    **dict.fromkeys((name for names in SCOPE_CLAIMS.values() for name in names), "told"),
    "wallets": WALLETS,
    "wallet_address": ADDRESS,
    "unheard_of": "told",
}


def grant(claims: dict[str, Any] | None = None, **settings: Any) -> Grant:
    client = {name: settings.pop(name) for name in set(settings) & set(Client.__dataclass_fields__) - {"scope"}}
    return Grant(
        **{
            "client": Client("app", **client),
            "user": User(USER_ID, ENVIRONMENT_ID, USER_ID, claims or {}),
            "scope": ("openid", "profile"),
            "audience": (ISSUER,),
            **settings,
        }
    )


def mint(rules: tuple[ClaimRule, ...] = ()) -> Mint:
    return Mint(issuer=ISSUER, keyring=KEYRING, selection=ClaimSelection(rules), subjects=SUBJECTS)


def read(token: str | None, alg: str = "RS256") -> jwt.Token:
    """The token as a stock library reads it, with the keys that we publish."""
    assert token is not None
    return jwt.decode(token, KeySet.import_key_set(json.loads(KEYRING.jwks(NOW))), algorithms=[alg])


@pytest.mark.parametrize("scope", [*SCOPE_CLAIMS])
def test_a_scope_hands_over_its_claims_and_no_others(scope: str) -> None:
    selection = ClaimSelection(())
    assert set(selection.for_userinfo(CLAIMS, [scope])) == set(SCOPE_CLAIMS[scope])
    assert set(selection.for_id_token(CLAIMS, [scope])) == set(SCOPE_CLAIMS[scope])
    assert selection.for_userinfo(CLAIMS, ["openid"]) == selection.for_id_token(CLAIMS, []) == {}


def test_a_mapped_claim_goes_where_its_rule_says() -> None:
    rules = [
        ClaimRule("a", "everywhere", scope="staff"),
        ClaimRule("a", "told_only", scope="staff", id_token=False),
        ClaimRule("a", "signed_only", scope="staff", userinfo=False),
        ClaimRule("a", "name", scope="staff"),  # a standard claim follows its mapping
    ]
    selection = ClaimSelection(rules)
    claims = {"everywhere": 1, "told_only": 2, "signed_only": 3, "name": 4, "nickname": 5}
    assert selection.for_id_token(claims, ["staff"]) == {"everywhere": 1, "signed_only": 3, "name": 4}
    assert selection.for_userinfo(claims, ["staff"]) == {"everywhere": 1, "told_only": 2, "name": 4}
    assert selection.for_userinfo(claims, ["profile"]) == {"nickname": 5}
    assert set(selection.scopes) == {*SCOPE_CLAIMS, "staff"}
    assert "told_only" in selection.supported
    assert "signed_only" not in selection.supported


def test_an_id_token_carries_five_wallets_with_the_primary_one_first() -> None:
    selection = ClaimSelection(())
    chosen = selection.for_id_token(CLAIMS, ["wallets"])["wallets"]
    assert [wallet["address"] for wallet in chosen] == ["0x6", "0x0", "0x1", "0x2", "0x3"]
    assert selection.for_userinfo(CLAIMS, ["wallets"])["wallets"] == WALLETS
    assert selection.for_id_token({"wallets": WALLETS[2:7]}, ["wallets"])["wallets"] == WALLETS[2:7]


@pytest.mark.parametrize(
    ("claims", "scope", "name"),
    [
        ({"wallet_address": ADDRESS}, ["profile", "wallets"], "0x5290…9EE7"),
        ({"wallet_address": "demo.near"}, ["profile", "wallets"], "demo.near"),
        ({"wallet_address": ADDRESS, "name": "Demo"}, ["profile", "wallets"], "Demo"),
        ({"wallet_address": ADDRESS}, ["profile"], None),
        ({"wallet_address": ADDRESS}, ["wallets"], None),
        ({}, ["profile", "wallets"], None),
    ],
)
def test_only_who_may_see_the_wallets_sees_a_name_made_of_one(claims: Any, scope: list[str], name: str | None) -> None:
    selection = ClaimSelection(())
    assert selection.for_id_token(claims, scope).get("name") == name
    assert selection.for_userinfo(claims, scope).get("name") == name


@pytest.mark.parametrize("claim", [*sorted(PROTOCOL_CLAIMS)])
def test_no_user_claim_sets_a_protocol_claim(claim: str) -> None:
    rules = (ClaimRule("a", claim), ClaimRule("a", "kept"))
    claims = {claim: "forged", "kept": "told"}
    assert ClaimSelection(rules).for_userinfo(claims, ["profile"]) == {"kept": "told"}
    found = mint(rules).mint(grant(claims, sid="s", auth_time=1, amr=("otp",), nonce="n"), NOW)
    for token in (found.access_token, found.id_token):
        assert read(token).claims.get(claim) != "forged"
    assert read(found.id_token).claims["kept"] == "told"


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_access_token_says_whose_it_is_for_whom_and_for_how_long(alg: SigningAlgorithm) -> None:
    tokens = mint().mint(grant(access_token_alg=alg, access_token_ttl=300), NOW)
    token = read(tokens.access_token, alg)
    assert token.header == {"alg": alg, "kid": KEYRING.active(alg, NOW).kid, "typ": "at+jwt"}
    jti = token.claims.pop("jti")
    times = {"iat": NOW, "exp": NOW + 300}
    whose = {"iss": ISSUER, "sub": USER_ID, "aud": ISSUER, "client_id": "app", "scope": "openid profile"}
    assert token.claims == whose | times
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", jti)
    assert (tokens.expires_in, tokens.scope) == (300, ("openid", "profile"))
    assert read(mint().mint(grant(), NOW).access_token).claims["jti"] != jti


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_id_token_says_who_signed_in_and_how(alg: SigningAlgorithm) -> None:
    wanted = grant({"name": "Demo"}, id_token_alg=alg, sid="s", auth_time=NOW - 5, amr=("otp",), nonce="n")
    tokens = mint().mint(wanted, NOW)
    token = read(tokens.id_token, alg)
    assert token.header == {"alg": alg, "kid": KEYRING.active(alg, NOW).kid, "typ": "JWT"}
    half = hashlib.sha256(tokens.access_token.encode()).digest()[:16]
    at_hash = {"at_hash": urlsafe_b64encode(half).rstrip(b"=").decode()} if alg != "Ed25519" else {}
    assert token.claims == {
        "iss": ISSUER,
        "sub": USER_ID,
        "aud": "app",
        "iat": NOW,
        "exp": NOW + 600,
        "nonce": "n",
        "name": "Demo",
        "sid": "s",
        "auth_time": NOW - 5,
        "amr": ["otp"],
        **at_hash,
    }


def test_what_is_not_known_or_not_wanted_is_absent_rather_than_null() -> None:
    tokens = mint().mint(grant({"name": "Demo"}, claims_in_id_token=False), NOW)
    assert read(tokens.id_token).claims.keys() == {"iss", "sub", "aud", "iat", "exp", "at_hash"}
    assert not {"sid", "auth_time", "amr", "nonce"} & read(tokens.access_token).claims.keys()


def test_an_id_token_minted_alone_has_no_at_hash() -> None:
    token, expires_in = mint().mint_id_token(grant(horizon=NOW + 50), NOW)
    assert "at_hash" not in read(token).claims
    assert read(token).claims["exp"] == NOW + expires_in == NOW + 50


@pytest.mark.parametrize(("horizon", "until"), [(None, 600), (NOW + 601, 600), (NOW + 599, 599), (NOW + 1, 1)])
def test_nothing_minted_lives_past_the_horizon(horizon: int | None, until: int) -> None:
    tokens = mint().mint(grant(horizon=horizon), NOW)
    assert [read(token).claims["exp"] - NOW for token in (tokens.access_token, tokens.id_token)] == [until, until]
    assert tokens.expires_in == until


def test_several_audiences_are_a_list() -> None:
    token = mint().mint(grant(audience=("https://a.example.com", "https://b.example.com")), NOW).access_token
    assert read(token).claims["aud"] == ["https://a.example.com", "https://b.example.com"]
    found = read_access_token(token, keyring=KEYRING, issuer=ISSUER, now=NOW)
    assert found.audience == ("https://a.example.com", "https://b.example.com")


def test_without_openid_or_without_a_user_there_is_no_id_token() -> None:
    assert mint().mint(grant(scope=("profile",)), NOW).id_token is None
    tokens = mint().mint(grant(user=None, subject_type="pairwise"), NOW)
    assert tokens.id_token is None
    assert read(tokens.access_token).claims["sub"] == "app"


def test_an_access_token_is_read_back() -> None:
    found = read_access_token(signed(HEADER), keyring=KEYRING, issuer=ISSUER, now=NOW + 599)
    assert (found.sub, found.client_id, found.audience) == (USER_ID, "app", (ISSUER,))
    assert found.scope == ("openid", "profile")


RIGHT = mint().access_token_claims(grant(), NOW)
OWN, FOREIGN = KEYRING.active("RS256", NOW), signing_key("RS256", generate_signing_key("RS256"))
HEAD, BODY, SIGNATURE = OWN.sign(RIGHT, "at+jwt").split(".")
HEADER = {"alg": "RS256", "kid": OWN.kid, "typ": "at+jwt"}


def base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(header: dict[str, Any]) -> str:
    """The right claims under this header, with a good signature of our own key."""
    signing_input = ".".join(base64url(json.dumps(part).encode()) for part in (header, RIGHT))
    signature = cast("RSAPrivateKey", OWN.key).sign(signing_input.encode(), PKCS1v15(), SHA256())
    return f"{signing_input}.{base64url(signature)}"


@pytest.mark.parametrize(
    "raw",
    [
        *("", "no token", "é.é.é", f"{HEAD}.{BODY}", f"{HEAD}.{BODY}.", f"{HEAD}.{BODY}.{SIGNATURE}="),
        mint().mint(grant(), NOW).id_token,
        FOREIGN.sign(RIGHT, "at+jwt"),
        replace(FOREIGN, kid=OWN.kid).sign(RIGHT, "at+jwt"),
        f"{HEAD}.{base64url(json.dumps({**RIGHT, 'sub': 'x'}).encode())}.{SIGNATURE}",
        OWN.sign({**RIGHT, "iss": "https://other.example.com"}, "at+jwt"),
        OWN.sign({**RIGHT, "iss": f"{ISSUER}/"}, "at+jwt"),
        OWN.sign({**RIGHT, "exp": NOW}, "at+jwt"),
        *(signed({**HEADER, "alg": alg}) for alg in ("none", "HS256", "RS512", "PS256", ["RS256"])),
        *(signed({**HEADER, "typ": typ}) for typ in ("JWT", "AT+JWT", "application/at+jwt", None)),
        *(signed({**HEADER, "kid": kid}) for kid in (KEYRING.active("ES256", NOW).kid, "unknown", None, ["a"])),
        signed({**HEADER, "crit": ["b64"]}),
        *(signed({key: value for key, value in HEADER.items() if key != missing}) for missing in HEADER),
    ],
)
def test_what_is_no_access_token_of_ours_is_refused(raw: str) -> None:
    with pytest.raises(Refused) as refused:
        read_access_token(raw, keyring=KEYRING, issuer=ISSUER, now=NOW)
    assert refused.value.reason is Reason.ACCESS_TOKEN_INVALID


ONE, OTHER = (Client(name, subject_type="pairwise") for name in ("one", "other"))
SHARED = [replace(client, sector_identifier="example.com") for client in (ONE, OTHER)]


def test_a_pairwise_client_sees_one_sub_in_all_its_tokens_that_no_other_sees() -> None:
    tokens = mint().mint(grant(client=ONE), NOW)
    shown = {read(token).claims["sub"] for token in (tokens.access_token, tokens.id_token)}
    assert shown == {SUBJECTS.shown_to(ONE, USER_ID)}
    assert len({USER_ID, *(SUBJECTS.shown_to(client, USER_ID) for client in (ONE, OTHER, SHARED[0]))}) == 4
    assert SUBJECTS.shown_to(SHARED[0], USER_ID) == SUBJECTS.shown_to(SHARED[1], USER_ID)
    assert SUBJECTS.shown_to(OTHER, USER_ID) != SUBJECTS.shown_to(replace(ONE, sector_identifier="other"), USER_ID)
    assert SUBJECTS.shown_to(ONE, USER_ID) != SUBJECTS.shown_to(ONE, ENVIRONMENT_ID)
    assert SUBJECTS.shown_to(Client("public"), USER_ID) == USER_ID


def test_only_the_key_leads_a_pairwise_sub_back_to_the_user() -> None:
    shown = SUBJECTS.shown_to(ONE, USER_ID)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", shown)
    assert SUBJECTS.behind(ONE, shown) == USER_ID
    assert SUBJECTS.behind(OTHER, shown) is None
    assert PairwiseSubjects(new_pairwise_key()).behind(ONE, shown) is None
    assert SUBJECTS.behind(Client("public"), USER_ID) == USER_ID


def test_a_pairwise_sub_has_one_spelling() -> None:
    shown = SUBJECTS.shown_to(ONE, USER_ID)
    others = [shown[:-1] + last for last in ascii_letters + digits if last != shown[-1]]
    assert [spelling for spelling in (*others, f"{shown}==") if SUBJECTS.behind(ONE, spelling) is not None] == []


@pytest.mark.parametrize("garbage", ["", "a", "ab", USER_ID, "é", "\x00", "\ud800", "=" * 5, "A" * 70, "A" * 100_000])
def test_garbage_is_nobodys_pairwise_sub(garbage: str) -> None:
    assert SUBJECTS.behind(ONE, garbage) is None


def test_a_sub_is_dynamics_own_id_in_the_primary_environment_and_computable_in_others() -> None:
    other = "33333333-3333-4333-8333-333333333333"
    assert subject(ENVIRONMENT_ID, USER_ID, primary_environment=ENVIRONMENT_ID) == USER_ID
    assert subject(other, USER_ID, primary_environment=ENVIRONMENT_ID) == str(uuid5(UUID(other), USER_ID))


def test_each_client_sees_a_session_under_a_name_of_its_own() -> None:
    seen = [
        client_session(ENVIRONMENT_ID, "session", "one"),
        client_session(ENVIRONMENT_ID, "session", "other"),
        client_session(ENVIRONMENT_ID, "another", "one"),
        client_session(USER_ID, "session", "one"),
    ]
    assert len(set(seen)) == 4
    assert seen[0] == client_session(ENVIRONMENT_ID, "session", "one")
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", sid) for sid in seen)
