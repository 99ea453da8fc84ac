"""Token exchange, parameter by parameter (RFC 8693)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid5

import pytest
from conftest import ADDRESS, APP_ORIGIN, ISSUER, JWT, Bridge, HeldClock
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.emulator import Emulator, NewWallet, run
from bridge.model import TOKEN_EXCHANGE
from bridge.store import users

pytestmark = pytest.mark.both_databases

TYPE = "urn:ietf:params:oauth:token-type:"
API, OTHER = "https://api.example.com", "https://other.example.com/v1"


def claims(bridge: Bridge, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(bridge.http.get("/jwks").json)
    return dict(jwt.decode(token, keys, algorithms=["RS256", "ES256", "Ed25519"]).claims)


def test_the_answer_is_the_one_of_rfc_8693(bridge: Bridge) -> None:
    bridge.add_client()
    answer = bridge.exchange(bridge.assertion()).json
    assert answer["issued_token_type"] == f"{TYPE}access_token"
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 600
    assert answer["scope"] == "openid profile email"
    assert None not in answer.values()


def test_an_access_token_has_the_claims_of_rfc_9068(bridge: Bridge) -> None:
    bridge.add_client()
    user = bridge.user()
    access = claims(bridge, bridge.exchange(bridge.assertion(user)).json["access_token"])
    now = bridge.clock()
    assert access["jti"]
    assert access["sid"]
    expected = {"iss": ISSUER, "sub": user.id, "aud": ISSUER, "client_id": "app", "iat": now, "exp": now + 600}
    assert expected.items() <= access.items()
    assert access["scope"] == "openid profile email"
    assert not {"email", "name", "wallets"} & access.keys()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subject_token": None}, "parameter_missing"),
        ({"subject_token": ""}, "parameter_missing"),
        ({"subject_token_type": None}, "parameter_missing"),
        ({"subject_token_type": f"{TYPE}access_token"}, "parameter_invalid"),
        ({"subject_token_type": f"{TYPE}refresh_token"}, "parameter_invalid"),
        ({"subject_token_type": "jwt"}, "parameter_invalid"),
        ({"actor_token": "x", "actor_token_type": JWT}, "parameter_invalid"),
        ({"actor_token_type": JWT}, "parameter_invalid"),
        ({"requested_token_type": f"{TYPE}saml2"}, "parameter_invalid"),
        ({"subject_token": "not a token"}, "assertion_malformed"),
    ],
)
def test_a_missing_or_unfit_parameter_never_leads_elsewhere(
    bridge: Bridge, changes: dict[str, Any], reason: str
) -> None:
    bridge.add_client()
    answer = bridge.exchange(bridge.assertion(), **changes)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert answer.json["error_uri"].endswith(f"/{reason}")


@pytest.mark.parametrize("kind", [f"{TYPE}jwt", f"{TYPE}id_token"])
def test_a_dynamic_jwt_may_be_called_a_jwt_or_an_id_token(bridge: Bridge, kind: str) -> None:
    bridge.add_client()
    assert bridge.exchange(bridge.assertion(), subject_token_type=kind).status_code == 200


def test_an_id_token_asked_for_by_type_sits_in_access_token(bridge: Bridge) -> None:
    bridge.add_client()
    answer = bridge.exchange(bridge.assertion(), requested_token_type=f"{TYPE}id_token").json
    assert (answer["token_type"], answer["issued_token_type"]) == ("N_A", f"{TYPE}id_token")
    assert "id_token" not in answer
    id_token = claims(bridge, answer["access_token"])
    assert id_token["aud"] == "app"
    assert "at_hash" not in id_token


def test_an_id_token_needs_openid(bridge: Bridge) -> None:
    bridge.add_client()
    answer = bridge.exchange(bridge.assertion(), requested_token_type=f"{TYPE}id_token", scope="email")
    assert answer.json["error"] == "invalid_scope"
    assert "id_token" not in bridge.exchange(bridge.assertion(), scope="email").json


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (None, "openid profile email"),
        ("openid", "openid"),
        ("email openid", "openid email"),
        ("openid offline_access", "openid"),
    ],
)
def test_scope_is_narrowed_to_what_is_asked(bridge: Bridge, asked: str | None, granted: str) -> None:
    bridge.add_client(scopes=("openid", "profile", "email", "offline_access"))
    assert bridge.exchange(bridge.assertion(), scope=asked).json["scope"] == granted


@pytest.mark.parametrize("asked", ["wallets", "openid wallets", "openid  email", " openid", 'a"b', "o\u00e9"])
def test_a_scope_that_the_client_does_not_have_is_refused(bridge: Bridge, asked: str) -> None:
    bridge.add_client()
    answer = bridge.exchange(bridge.assertion(), scope=asked)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    ("parameters", "audience"),
    [
        ({}, ISSUER),
        ({"scope": "email"}, ISSUER),
        ({"resource": API}, [API, ISSUER]),
        ({"resource": API, "scope": "email"}, API),
        ({"audience": "orders"}, ["orders", ISSUER]),
        ({"resource": [API, OTHER], "audience": "orders", "scope": "email"}, [API, OTHER, "orders"]),
        ({"resource": [API, API], "scope": "email"}, API),
    ],
)
def test_the_audience_is_what_was_asked_for_and_the_issuer_with_openid(
    bridge: Bridge, parameters: dict[str, Any], audience: str | list[str]
) -> None:
    bridge.add_client(audiences=(API, OTHER, "orders"))
    answer = bridge.exchange(bridge.assertion(), **parameters)
    assert claims(bridge, answer.json["access_token"])["aud"] == audience


@pytest.mark.parametrize(
    "parameters",
    [
        {"resource": OTHER},
        {"audience": OTHER},
        {"resource": [API, OTHER]},
        {"resource": f"{API}#fragment"},
        {"resource": "orders"},
        {"resource": "//api.example.com"},
        {"resource": "http://["},
        {"resource": API.upper()},
    ],
)
def test_a_target_that_the_client_does_not_list_is_refused(bridge: Bridge, parameters: dict[str, Any]) -> None:
    bridge.add_client(audiences=(API, "orders"))
    answer = bridge.exchange(bridge.assertion(), **parameters)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")


def test_more_than_ten_targets_are_refused(bridge: Bridge) -> None:
    bridge.add_client(audiences=(API,))
    answer = bridge.exchange(bridge.assertion(), resource=[API] * 11)
    assert answer.json["error_uri"].endswith("parameter_repeated")


def test_no_token_outlives_the_assertion(bridge: Bridge) -> None:
    bridge.add_client()
    answer = bridge.exchange(bridge.assertion(lifetime=120)).json
    assert answer["expires_in"] == 120
    for name in ("access_token", "id_token"):
        assert claims(bridge, answer[name])["exp"] == bridge.clock() + 120


def test_an_assertion_issued_to_another_app_is_refused(bridge: Bridge) -> None:
    bridge.add_client("app")
    bridge.add_client("other", assertion_origins=("https://other.example.com",))
    bridge.add_client("none", assertion_origins=())
    assertion = bridge.assertion()
    assert bridge.exchange(assertion, "app").status_code == 200
    for client_id in ("other", "none"):
        answer = bridge.exchange(assertion, client_id)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert answer.json["error_uri"].endswith("audience_not_listed")


def test_an_assertion_may_come_again_while_it_is_young(bridge: Bridge) -> None:
    bridge.add_client(assertion_max_age=300)
    assertion = bridge.assertion()
    assert [bridge.exchange(assertion).status_code for _ in range(2)] == [200, 200]
    bridge.clock.forward(331)
    assert bridge.exchange(assertion).json["error_uri"].endswith("assertion_too_old")


def test_a_client_set_to_once_takes_each_assertion_once(bridge: Bridge) -> None:
    bridge.add_client(assertion_once=True)
    assertion = bridge.assertion()
    refused = bridge.exchange(assertion, scope="openid wallets")
    assert refused.json["error"] == "invalid_scope"
    assert bridge.exchange(assertion).status_code == 200
    assert bridge.exchange(assertion).json["error_uri"].endswith("assertion_replayed")


def test_a_refusal_by_policy_burns_no_assertion(bridge: Bridge) -> None:
    bridge.add_client(assertion_once=True)
    user = bridge.user()
    bridge.exchange(bridge.assertion(user))
    assertion = bridge.assertion(user, lifetime=3600)
    with bridge.database.writing() as tx:
        assert users.set_disabled(tx, user.id, disabled=True, now=bridge.clock())
    assert bridge.exchange(assertion).json["error_uri"].endswith("user_disabled")
    with bridge.database.writing() as tx:
        users.set_disabled(tx, user.id, disabled=False, now=bridge.clock())
    assert bridge.exchange(assertion).status_code == 200


def test_auth_time_is_the_earliest_sign_in_of_the_session_and_sid_stays(bridge: Bridge) -> None:
    bridge.add_client()
    emulator = bridge.dynamic.emulator
    session = emulator.sign_in(bridge.user().id, origin=APP_ORIGIN)
    first = claims(bridge, bridge.exchange(emulator.mint(session)).json["id_token"])
    bridge.clock.forward(3600)
    renewed = emulator.refresh(session.sid)
    second = claims(bridge, bridge.exchange(emulator.mint(renewed)).json["id_token"])
    assert renewed.sid != session.sid
    assert second["auth_time"] == first["auth_time"] == bridge.clock() - 3600
    assert second["sid"] == first["sid"]


def test_the_same_person_is_another_session_to_another_client(bridge: Bridge) -> None:
    bridge.add_client("app")
    bridge.add_client("other")
    assertion = bridge.assertion()
    sids = {claims(bridge, bridge.exchange(assertion, c).json["id_token"])["sid"] for c in ("app", "other")}
    assert len(sids) == 2


@pytest.mark.parametrize("alg", ["RS256", "ES256", "Ed25519"])
def test_a_client_chooses_its_algorithms(bridge: Bridge, alg: str) -> None:
    bridge.add_client(id_token_alg=alg, access_token_alg=alg)
    answer = bridge.exchange(bridge.assertion()).json
    keys = KeySet.import_key_set(bridge.http.get("/jwks").json)
    for name in ("id_token", "access_token"):
        token = jwt.decode(answer[name], keys, algorithms=[alg])
        assert token.header["alg"] == alg
        assert token.header["kid"] in {key["kid"] for key in bridge.http.get("/jwks").json["keys"]}


def test_a_pairwise_client_sees_one_sub_everywhere_and_another_than_others(bridge: Bridge) -> None:
    bridge.add_client("one", subject_type="pairwise")
    bridge.add_client("two", subject_type="pairwise")
    user = bridge.user()
    subs = set()
    for client_id in ("one", "two"):
        answer = bridge.exchange(bridge.assertion(user), client_id).json
        userinfo = bridge.http.get("/userinfo", headers={"Authorization": f"Bearer {answer['access_token']}"})
        seen = {claims(bridge, answer[name])["sub"] for name in ("id_token", "access_token")} | {userinfo.json["sub"]}
        assert len(seen) == 1
        subs |= seen
    assert len(subs) == 2
    assert user.id not in subs


def test_claims_stay_out_of_the_id_token_where_the_client_wants_them_at_userinfo_alone(bridge: Bridge) -> None:
    bridge.add_client(claims_in_id_token=False)
    answer = bridge.exchange(bridge.assertion()).json
    assert "email" not in claims(bridge, answer["id_token"])
    userinfo = bridge.http.get("/userinfo", headers={"Authorization": f"Bearer {answer['access_token']}"})
    assert userinfo.json["email"] == "demo@example.com"


def test_what_dynamic_never_proved_is_not_said(bridge: Bridge) -> None:
    bridge.add_client(scopes=("openid", "profile", "email", "phone"))
    user = bridge.user(email="wish@example.com", email_verified=False, phone_number="+15555550100", wallets=[])
    id_token = claims(bridge, bridge.exchange(bridge.assertion(user)).json["id_token"])
    assert not {"email", "email_verified", "phone_number", "phone_number_verified"} & id_token.keys()


SMUGGLED = {
    "iss": None,
    "acr": "high",
    "amr": ["mfa"],
    "cnf": {"jkt": "x"},
    "act": {"sub": "x"},
    "at_hash": "x",
    "email_verified": True,
    "phone_number_verified": True,
    "groups": ["admin"],
    "wallet_address": "0xdead",
    "nonce": "x",
    "client_id": "x",
    "azp": "x",
    "jti": "x",
    "auth_time": 1,
    "_claim_names": {},
    "may_act": {},
    "preferred_username": "admin",
    "wallets": [{"address": "0xdead"}],
    "session_expiry": 1,
    "entitlements": ["x"],
}


def test_no_claim_is_smuggled_into_our_tokens(bridge: Bridge) -> None:
    bridge.add_client(scopes=("openid", "profile", "email", "phone", "wallets", "groups"))
    extra = {name: value for name, value in SMUGGLED.items() if value is not None}
    user = bridge.user(email=None, wallets=[])
    answer = bridge.exchange(bridge.assertion(user, claims=extra)).json
    for name in ("id_token", "access_token"):
        issued = claims(bridge, answer[name])
        for claim, value in extra.items():
            assert issued.get(claim) != value, claim


def test_a_mapped_claim_reaches_id_token_and_userinfo(make_bridge: Callable[..., Bridge]) -> None:
    bridge = make_bridge(
        toml='[[claims]]\nsource = "metadata.department"\nclaim = "department"\nscope = "hr"\n'
        '[[claims]]\nsource = "metadata.birthday"\nclaim = "birthdate"\nid_token = false\n'
    )
    bridge.add_client(scopes=("openid", "profile", "hr"))
    user = bridge.user(metadata={"department": "research", "birthday": "1990-01-01"})
    answer = bridge.exchange(bridge.assertion(user)).json
    id_token = claims(bridge, answer["id_token"])
    assert id_token["department"] == "research"
    assert "birthdate" not in id_token
    userinfo = bridge.http.get("/userinfo", headers={"Authorization": f"Bearer {answer['access_token']}"}).json
    assert (userinfo["department"], userinfo["birthdate"]) == ("research", "1990-01-01")
    assert "hr" in bridge.http.get("/.well-known/openid-configuration").json["scopes_supported"]


def test_users_of_a_second_environment_get_a_sub_of_their_own(
    make_bridge: Callable[..., Bridge], clock: HeldClock
) -> None:
    second_id = "5ec0d000-0000-4000-8000-000000000002"
    with run(Emulator(environment_id=second_id, clock=clock)) as second:
        both = make_bridge(
            toml=f'[[environments]]\nenvironment_id = "{second_id}"\napi_base_url = "{second.base_url}"\n'
        )
        both.add_client("app")
        both.add_client("first-only", environments=(both.dynamic.emulator.environment_id,))
        same_id = both.user().id
        twin = second.emulator.create_user(email="demo@example.com", id=same_id)
        ours, theirs = (
            both.assertion(both.dynamic.emulator.get_user(same_id)),
            second.emulator.mint(twin, origin=APP_ORIGIN),
        )
        subs = [claims(both, both.exchange(assertion).json["id_token"])["sub"] for assertion in (ours, theirs)]
        assert subs == [same_id, str(uuid5(UUID(second_id), same_id))]
        refused = both.exchange(theirs, "first-only")
        assert (refused.status_code, refused.json["error"]) == (400, "invalid_request")
        assert refused.json["error_uri"].endswith("environment_not_allowed")


class TestSmallTokens:
    """A small token carries no wallets: they come from what is remembered, else from Dynamic."""

    SCOPES = ("openid", "email", "wallets")

    def wallet(self, bridge: Bridge, assertion: str) -> str | None:
        answer = bridge.exchange(assertion)
        assert answer.status_code == 200
        return claims(bridge, answer.json["id_token"]).get("wallet_address")

    def test_the_profile_is_asked_of_dynamic_once(self, bridge: Bridge) -> None:
        bridge.add_client(scopes=self.SCOPES)
        user = bridge.user()
        for _ in range(3):
            assert self.wallet(bridge, bridge.assertion(user, shape="small")) == ADDRESS
        assert bridge.dynamic.emulator.count("/users") == 1

    def test_a_profile_that_a_large_token_brought_is_remembered(self, bridge: Bridge) -> None:
        bridge.add_client(scopes=self.SCOPES)
        user = bridge.user()
        bridge.exchange(bridge.assertion(user))
        assert self.wallet(bridge, bridge.assertion(user, shape="small")) == ADDRESS
        assert bridge.dynamic.emulator.count("/users") == 0

    def test_a_remembered_profile_of_other_credentials_is_not_used(self, bridge: Bridge) -> None:
        bridge.add_client(scopes=self.SCOPES)
        user = bridge.user()
        bridge.exchange(bridge.assertion(user))
        wallet = next(c for c in user.credentials if c.format == "blockchain")
        user = bridge.dynamic.emulator.unlink(user.id, wallet.id)
        assert self.wallet(bridge, bridge.assertion(user, shape="small")) is None
        bridge.dynamic.emulator.faults.set("/sdk", "error")
        assert self.wallet(bridge, bridge.assertion(user, shape="small")) is None

    def test_nothing_is_asked_where_no_scope_needs_it(self, bridge: Bridge) -> None:
        bridge.add_client(scopes=self.SCOPES)
        answer = bridge.exchange(bridge.assertion(bridge.user(), shape="small"), scope="openid")
        assert answer.status_code == 200
        assert bridge.dynamic.emulator.count("/users") == 0

    @pytest.mark.parametrize("fault", ["down", "error", "garbage", "empty", "redirecting", "huge", "rate_limited"])
    def test_a_failing_dynamic_costs_the_optional_claims_and_nothing_else(self, bridge: Bridge, fault: str) -> None:
        bridge.add_client(scopes=self.SCOPES)
        user = bridge.user()
        bridge.exchange(bridge.assertion(bridge.user(email="first@example.com")))  # the keys are fetched
        bridge.dynamic.emulator.faults.set(f"/sdk/{bridge.dynamic.emulator.environment_id}/users", fault)
        assert self.wallet(bridge, bridge.assertion(user, shape="small")) is None

    def test_both_spellings_of_dynamics_profile_are_read(self, bridge: Bridge) -> None:
        bridge.add_client(scopes=self.SCOPES)
        bridge.dynamic.emulator.switch(profile_entries="camelCase")
        assert self.wallet(bridge, bridge.assertion(bridge.user(), shape="small")) == ADDRESS


def test_the_grant_type_is_offered_in_discovery(bridge: Bridge) -> None:
    assert TOKEN_EXCHANGE in bridge.http.get("/.well-known/openid-configuration").json["grant_types_supported"]


def test_an_older_token_brings_nothing_back_that_was_unlinked_since(bridge: Bridge) -> None:
    bridge.add_client(scopes=("openid", "wallets"))
    user = bridge.user()
    old = bridge.assertion(user)
    assert claims(bridge, bridge.exchange(old).json["id_token"])["wallet_address"] == ADDRESS
    bridge.clock.forward(60)
    wallet = next(c for c in user.credentials if c.format == "blockchain")
    bridge.exchange(bridge.assertion(bridge.dynamic.emulator.unlink(user.id, wallet.id)))
    assert "wallet_address" not in claims(bridge, bridge.exchange(old).json["id_token"])


def test_a_token_that_was_never_shown_brings_nothing_back_either(bridge: Bridge) -> None:
    bridge.add_client(scopes=("openid", "wallets"))
    emulator = bridge.dynamic.emulator
    user = bridge.user(wallets=[])
    bridge.exchange(bridge.assertion(user))
    bridge.clock.forward(60)
    wallet = emulator.link(user.id, NewWallet(address=ADDRESS))
    with_wallet = bridge.assertion(emulator.get_user(user.id))
    bridge.clock.forward(60)
    bridge.exchange(bridge.assertion(emulator.unlink(user.id, wallet.id)))
    assert "wallet_address" not in claims(bridge, bridge.exchange(with_wallet).json["id_token"])


class TestGroupsOfSmallTokens:
    """Dynamic's hashes do not cover access lists: what is remembered of them is never handed out."""

    SCOPES = ("openid", "email", "groups")

    def groups(self, bridge: Bridge, assertion: str) -> list[str] | None:
        answer = bridge.exchange(assertion).json
        told: list[str] | None = claims(bridge, answer["id_token"]).get("groups")
        userinfo = bridge.http.get("/userinfo", headers={"Authorization": f"Bearer {answer['access_token']}"})
        assert userinfo.json.get("groups") == told
        return told

    def test_a_group_that_was_taken_away_is_gone(self, bridge: Bridge) -> None:
        bridge.add_client(scopes=self.SCOPES)
        user = bridge.user(lists=["vip"], scopes=["admin"])
        assert self.groups(bridge, bridge.assertion(user)) == ["vip", "admin"]
        bridge.clock.forward(60)
        user = bridge.dynamic.emulator.update_user(user.id, lists=[], scopes=[])
        assert self.groups(bridge, bridge.assertion(user, shape="small")) is None

    def test_without_dynamic_the_tokens_own_words_are_all(self, bridge: Bridge) -> None:
        bridge.add_client(scopes=self.SCOPES)
        user = bridge.user(lists=["vip"], scopes=["admin"])
        bridge.exchange(bridge.assertion(user))
        bridge.clock.forward(60)
        bridge.dynamic.emulator.faults.set(f"/sdk/{bridge.dynamic.emulator.environment_id}/users", "error")
        answer = bridge.exchange(bridge.assertion(user, shape="small"))
        id_token = claims(bridge, answer.json["id_token"])
        assert id_token["groups"] == ["admin"]
        assert id_token["email"] == "demo@example.com"


def test_a_small_token_that_knows_nothing_takes_nothing_from_what_others_told(bridge: Bridge) -> None:
    bridge.add_client("app")
    bridge.add_client("tiny", scopes=("openid",))
    user = bridge.user()
    access_token = bridge.exchange(bridge.assertion(user)).json["access_token"]
    bridge.clock.forward(1)
    bare = bridge.assertion(user, shape="small", without=["verifiedCredentialsHashes"])
    assert bridge.exchange(bare, "tiny").status_code == 200
    userinfo = bridge.http.get("/userinfo", headers={"Authorization": f"Bearer {access_token}"})
    assert userinfo.json["email"] == "demo@example.com"


def test_after_no_answer_dynamic_is_left_alone_for_a_while(bridge: Bridge) -> None:
    bridge.add_client(scopes=("openid", "email"))
    emulator = bridge.dynamic.emulator
    users_path = f"/sdk/{emulator.environment_id}/users"
    bridge.exchange(bridge.assertion())
    emulator.faults.set(users_path, "down")
    for number in range(4):
        bridge.exchange(bridge.assertion(bridge.user(email=f"demo{number}@example.com"), shape="small"))
    assert emulator.count("/users") == 1
    emulator.faults.clear()
    bridge.clock.forward(5)
    answer = bridge.exchange(bridge.assertion(shape="small"))
    assert claims(bridge, answer.json["id_token"])["email"] == "demo@example.com"


def test_a_client_of_another_environment_leaves_no_trace_of_the_user(bridge: Bridge) -> None:
    bridge.add_client("elsewhere", environments=("5ec0d000-0000-4000-8000-000000000002",))
    user = bridge.user()
    answer = bridge.exchange(bridge.assertion(user, shape="small"), "elsewhere")
    assert answer.json["error_uri"].endswith("environment_not_allowed")
    assert bridge.dynamic.emulator.count("/users") == 0
    with bridge.database.reading() as tx:
        assert users.by_sub(tx, user.id) is None
