"""examples/nextauth takes logout tokens: a good one ends the session, and nothing else does.

The tokens are made here, with the bridge's own key or with others (Back-Channel Logout 1.0 sections 2.4 and 2.6).
"""

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey
from joserfc.jws import JWSRegistry
from nextauth_visits import LOGOUT_PATH, STRATEGIES, Place, Visitor
from provider import Provider

from bridge.config.sources import load
from bridge.store import Database
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]  # the app may have to be built first

EVENT = "http://schemas.openid.net/event/backchannel-logout"
SHARED = OctKey.import_key("x" * 32)
ANOTHER_KEY = RSAKey.generate_key(2048)
REGISTRY = JWSRegistry(algorithms=["RS256", "HS256"])

Token = dict[str, Any]
"""Header members and claims, and by `key` another key than the bridge's."""


def bridge_key(provider: Provider) -> tuple[str, RSAKey]:
    """The key that signs by RS256, and its kid: what somebody with the operator's secrets could read."""
    config = load(provider.command.environ, env_file=provider.command.folder / "bridge.env")
    with Database(f"sqlite:///{provider.command.folder}/bridge.db") as database:
        found = Rotation(database, Sealer(config.secret_keys), interval=0).load()
    kid, key = next((key.kid, key.key) for life, key in found if (life.alg, life.state) == ("RS256", "active"))
    return kid, RSAKey.import_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


class Teller:
    """Tells an app who is signed out, as the bridge would."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.kid, self.key = bridge_key(place.provider)

    def token(self, *, key: Any = None, head: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A logout token. What is given takes the place of what is right; None leaves it out."""
        now = int(time.time())
        right = {
            "iss": self.place.provider.issuer,
            "aud": self.place.strategy,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(),
            "events": {EVENT: {}},
        }
        members = {"alg": "RS256", "typ": "logout+jwt", "kid": self.kid, **(head or {})}
        said = {name: value for name, value in {**right, **claims}.items() if value is not None}
        if members["alg"] == "none":
            return f"{_encoded(members)}.{_encoded(said)}."
        return jws.serialize_compact(members, json.dumps(said).encode(), key or self.key, registry=REGISTRY)

    def tell(self, token: str) -> int:
        """The status that the app answers with."""
        answer = requests.post(f"{self.place.app.url}{LOGOUT_PATH}", {"logout_token": token}, timeout=20)
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status_code


def _encoded(members: Mapping[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="module", params=STRATEGIES)
def teller(nextauth_places: Mapping[str, Place], request: pytest.FixtureRequest) -> Teller:
    return Teller(nextauth_places[request.param])


@pytest.fixture(scope="module")
def visitor(teller: Teller) -> Visitor:
    """Somebody who stays signed in."""
    made = Visitor(teller.place)
    made.sign_in()
    return made


def test_a_logout_token_ends_the_session_with_its_sid_and_no_other(teller: Teller, visitor: Visitor) -> None:
    leaving = Visitor(teller.place)
    leaving.sign_in()
    kept = leaving.cookie
    assert teller.tell(teller.token(sid=leaving.sid())) == 200
    assert leaving.session() is None
    leaving.put_back(kept)
    assert leaving.session() is None
    assert visitor.session() is not None


def test_a_logout_token_without_sid_ends_all_that_the_user_had_till_then(teller: Teller) -> None:
    name = f"mary@{teller.place.strategy}.example.com"
    user = teller.place.add_user(name)
    devices = [Visitor(teller.place), Visitor(teller.place)]
    for device in devices:
        device.sign_in(name)
    assert teller.tell(teller.token(sub=user, iat=int(time.time()) - 60)) == 200  # it was on its way for long
    assert [device.session() is None for device in devices] == [False, False]
    assert teller.tell(teller.token(sub=user)) == 200
    assert [device.session() is None for device in devices] == [True, True]


def test_a_logout_token_is_good_once(teller: Teller, visitor: Visitor) -> None:
    token = teller.token(sid="of nobody here", jti="the same")
    assert [teller.tell(token), teller.tell(token)] == [200, 400]
    assert teller.tell(teller.token(sid=visitor.sid(), jti="the same")) == 400
    assert visitor.session() is not None


MINUTE, HOUR = 60, 3600
BAD: Mapping[str, Callable[[int], Token]] = {
    "another aud": lambda now: {"aud": "other"},
    "no aud": lambda now: {"aud": None},
    "another iss": lambda now: {"iss": "https://id.example.com"},
    "an ID token": lambda now: {"head": {"typ": "JWT"}, "events": None, "jti": None},
    "typ of an ID token": lambda now: {"head": {"typ": "JWT"}},
    "typ of an access token": lambda now: {"head": {"typ": "at+jwt"}},
    "a nonce": lambda now: {"nonce": "n"},
    "an empty nonce": lambda now: {"nonce": ""},
    "no events": lambda now: {"events": None},
    "events that are a list": lambda now: {"events": [EVENT]},
    "another event": lambda now: {"events": {"http://schemas.openid.net/event/other": {}}},
    "an event that is no object": lambda now: {"events": {EVENT: True}},
    "an event that is a list": lambda now: {"events": {EVENT: []}},
    "no jti": lambda now: {"jti": None},
    "a jti that is a number": lambda now: {"jti": 7},
    "an empty jti": lambda now: {"jti": ""},
    "expired": lambda now: {"iat": now - 4 * MINUTE, "exp": now - 2 * MINUTE},
    "no exp": lambda now: {"exp": None},
    "no iat": lambda now: {"iat": None},
    "issued in the future": lambda now: {"iat": now + 2 * MINUTE, "exp": now + 4 * MINUTE},
    "issued long ago": lambda now: {"iat": now - HOUR},
    "not yet good": lambda now: {"nbf": now + 2 * MINUTE},
    "neither sid nor sub": lambda now: {"sid": None, "sub": None},
    "a sid that is a number": lambda now: {"sid": 7},
    "an empty sid": lambda now: {"sid": ""},
    "a sub that is a number": lambda now: {"sub": 7},
    "alg none": lambda now: {"head": {"alg": "none"}},
    "signed by a shared secret": lambda now: {"head": {"alg": "HS256"}, "key": SHARED},
    "another key by the name of the right one": lambda now: {"key": ANOTHER_KEY},
    "a key that is not published": lambda now: {"key": ANOTHER_KEY, "head": {"kid": "unknown"}},
}


@pytest.mark.parametrize("bad", BAD)
def test_a_token_that_is_not_a_logout_token_for_the_app_ends_nothing(
    teller: Teller, visitor: Visitor, bad: str
) -> None:
    token = {"sub": visitor.place.provider.user.id, "sid": visitor.sid(), **BAD[bad](int(time.time()))}
    assert teller.tell(teller.token(**token)) == 400
    assert visitor.session() is not None


@pytest.mark.parametrize("raw", ["", "logout", "a.b.c", "e30.e30.e30", "é" * 900])
def test_what_is_no_token_at_all_is_refused(teller: Teller, raw: str) -> None:
    assert teller.tell(raw) == 400


@pytest.mark.parametrize("length", ["announced", "unknown"])
def test_of_a_body_that_no_token_has_no_more_is_read_than_is_good(teller: Teller, length: str) -> None:
    body = b"logout_token=" + b"a" * 20_000
    sent = body if length == "announced" else iter([body[:10_000], body[10_000:]])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{teller.place.app.url}{LOGOUT_PATH}", data=sent, headers=headers, timeout=20)
    assert answer.status_code == 413


def test_the_endpoint_takes_posts_with_a_token_alone(teller: Teller) -> None:
    url = f"{teller.place.app.url}{LOGOUT_PATH}"
    assert requests.get(url, timeout=20).status_code == 405
    assert requests.post(url, json={"logout_token": teller.token(sid="x")}, timeout=20).status_code == 400
    assert requests.post(f"{url}?logout_token={teller.token(sid='x')}", timeout=20).status_code == 400


def test_a_token_that_cannot_be_verified_now_is_to_be_sent_again(
    nextauth_places: Mapping[str, Place], tmp_path: Path
) -> None:
    """The bridge is away and the app has never seen its keys."""
    place = nextauth_places["jwt"]
    with place.beside(tmp_path, AUTH_DYNAMIC_ISSUER="http://localhost:9") as lonely:
        assert Teller(place).tell(Teller(place).token(sid="x")) == 200
        answer = requests.post(f"{lonely.url}{LOGOUT_PATH}", {"logout_token": "e30.e30.e30"}, timeout=20)
        assert (answer.status_code, answer.json()) == (503, {"error": "temporarily_unavailable"})
