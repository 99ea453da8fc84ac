"""Sign-ins by social account on their way: from the app's page to the provider and back, each good once."""

import base64
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from threading import RLock

from bridge.emulator.errors import SocialError
from bridge.emulator.model import NewOAuth

PROVIDERS = ("google", "github")
WITH_PKCE = ("github",)
"""Where the SDKs send a code_challenge. At the others they cannot, and none is demanded."""
LIFETIME = 10 * 60
"""Seconds, from the button on the app's page to the code's return."""
REMEMBERED = 1000
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Journey:
    """What a page began: it comes back to `redirect_url` with the `state` it made up. `expires_at` in Unix seconds."""

    provider: str
    state: str
    redirect_url: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Granted:
    """What the provider's code stands for."""

    journey: Journey
    challenge: str
    account: NewOAuth


class Social:
    """The journeys under way, by state, and the codes given out. Thread-safe."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._journeys: OrderedDict[str, Journey] = OrderedDict()
        self._codes: OrderedDict[str, Granted] = OrderedDict()

    def begin(self, provider: str, state: str, redirect_url: str, now: int) -> None:
        """A page sets out. SocialError if the state is empty or under way already."""
        with self._lock:
            if not state or state in self._journeys:
                raise SocialError("the state is empty or was used before")
            self._journeys[state] = Journey(provider, state, redirect_url, now + LIFETIME)
            _forget(self._journeys)

    def under_way(self, provider: str, state: str, now: int) -> Journey:
        """The journey of this state. SocialError if it never began, began elsewhere, or took too long."""
        with self._lock:
            journey = self._journeys.get(state)
        if journey is None or journey.provider != provider or now >= journey.expires_at:
            raise SocialError("the sign-in never began, or took too long")
        return journey

    def grant(self, journey: Journey, challenge: str, account: NewOAuth) -> str:
        """The provider's code for this account."""
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = Granted(journey, challenge, account)
            _forget(self._codes)
        return code

    def redeem(self, provider: str, code: str, state: str, verifier: str, now: int) -> NewOAuth:
        """The account that the code stands for. SocialError unless it is this provider's, unused, of a journey of
        this state, and (RFC 7636, section 4.6) the verifier is that of its challenge. Who tries has used it up."""
        with self._lock:
            granted = self._codes.pop(code, None)
            if granted is None:
                raise SocialError("the code is unknown or was used before")
            self._journeys.pop(granted.journey.state, None)
        if granted.journey.provider != provider or now >= granted.journey.expires_at:
            raise SocialError("the code is another provider's or has expired")
        if not hmac.compare_digest(granted.journey.state.encode("utf-8", "replace"), state.encode("utf-8", "replace")):
            raise SocialError("the code belongs to another state")
        if not hmac.compare_digest(granted.challenge, _challenge(verifier)):
            raise SocialError("the verifier does not fit the code_challenge")
        return granted.account


def _challenge(verifier: str) -> str:
    """S256; of no verifier none, so that one which nobody announced does not fit either."""
    if not verifier:
        return ""
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _forget(kept: OrderedDict[str, Journey] | OrderedDict[str, Granted]) -> None:
    while len(kept) > REMEMBERED:
        kept.popitem(last=False)
