"""A bridge whose emulator has a webhook there. Messages wait until the test lets them out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from conftest import APP_ORIGIN, WEBHOOK_SECRET, Bridge
from werkzeug.test import TestResponse

from bridge.emulator import Emulator, Session, User

HEADER = "x-dynamic-signature-256"


@dataclass
class Hooked:
    """The bridge, the emulator behind it, and one user's way from a session at Dynamic to tokens here."""

    bridge: Bridge

    @property
    def dynamic(self) -> Emulator:
        return self.bridge.dynamic.emulator

    @property
    def path(self) -> str:
        return f"/webhooks/dynamic/{self.dynamic.environment_id}"

    def post(self, body: bytes, signature: str | None, path: str | None = None) -> TestResponse:
        headers = {} if signature is None else {HEADER: signature}
        return self.bridge.http.post(path or self.path, data=body, headers=headers)

    def send(self, **how: Any) -> list[int | None]:
        """Let out what waits; the answers' statuses."""
        return [status for _, status in self.dynamic.webhooks.send(**how)]

    def sign_in(self, user: User) -> Session:
        """A session at Dynamic, the message of which has been dealt with."""
        session = self.dynamic.sign_in(user.id, origin=APP_ORIGIN)
        self.send()
        return session

    def tokens(self, session: Session, **parameters: Any) -> dict[str, Any]:
        """What an exchange of the session's token as of now gives."""
        asked = {"scope": "openid profile email wallets offline_access", **parameters}
        answer = self.bridge.exchange(self.dynamic.mint(session, origin=APP_ORIGIN), **asked)
        assert answer.status_code == 200, answer.json
        return dict(answer.json)

    def refreshes(self, tokens: Mapping[str, Any]) -> bool:
        return self.bridge.refresh(tokens["refresh_token"]).status_code == 200

    def renewed(self, tokens: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.bridge.refresh(tokens["refresh_token"])
        assert answer.status_code == 200, answer.json
        return dict(answer.json)

    def is_active(self, tokens: Mapping[str, Any]) -> bool:
        return bool(self.bridge.call("/introspect", tokens["access_token"]).json["active"])

    def claims(self, tokens: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.bridge.userinfo(tokens["access_token"])
        assert answer.status_code == 200, answer.json
        return dict(answer.json)


def hook(make_bridge: Callable[..., Bridge], **settings: str) -> Hooked:
    """A bridge that listens to its emulator's webhooks, by the settings given."""
    made = make_bridge(DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET, **settings)
    hooked = Hooked(made)
    webhooks = hooked.dynamic.webhooks
    webhooks.hold()
    webhooks.transport = lambda url, body, headers: hooked.post(body, headers[HEADER], urlsplit(url).path).status_code
    webhooks.register(f"http://127.0.0.1:9{hooked.path}", secret=WEBHOOK_SECRET)
    assert hooked.send() == [200]  # the ping
    return hooked
