"""A browser on its way to a social provider and back: the SDK's part in the page, the provider's page by its forms."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from sdk_page import EMAIL, ORIGIN, Page

BACK = f"{ORIGIN}/authorize?flow=1"


@dataclass
class Journey:
    """One sign-in."""

    page: Page
    provider: str = "google"
    state: str = field(default_factory=lambda: secrets.token_hex(16))
    verifier: str = ""

    def __post_init__(self) -> None:
        if self.provider == "github":
            self.verifier = secrets.token_urlsafe(32)

    def settings(self) -> dict[str, Any]:
        told = self.page.call("GET", "/settings").json()["providers"]
        return next(each for each in told if each["provider"] == self.provider)

    def begin(self, back: Any = BACK, **changed: Any) -> requests.Response:
        body = {"state": self.state, "redirectUrl": back, **changed}
        return self.page.call("POST", f"/providers/{self.provider}/initAuth", json=body)

    def query(self, **changed: str) -> dict[str, str]:
        settings = self.settings()
        query = {
            "client_id": settings["clientId"],
            "response_type": "code",
            "redirect_uri": settings["redirectUrl"],
            "scope": settings["scopes"],
            "state": self.state,
        }
        if self.verifier:
            digest = hashlib.sha256(self.verifier.encode()).digest()
            query["code_challenge"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            query["code_challenge_method"] = "S256"
        return {**query, **changed}

    def ask(self, **changed: str) -> requests.Response:
        url = self.settings()["baseAuthUrl"]
        return requests.get(url, params=self.query(**changed), timeout=10)

    def post(self, *, headers: dict[str, str] | None = None, **form: str) -> requests.Response:
        url = self.settings()["baseAuthUrl"]
        return requests.post(url, data={**self.query(), **form}, headers=headers, timeout=10, allow_redirects=False)

    def answer(self, **form: str) -> dict[str, str]:
        """What the app's page finds in its URL in the end."""
        to_dynamic = self.post(**form)
        assert to_dynamic.status_code == 303, to_dynamic.text
        to_page = requests.get(to_dynamic.headers["Location"], timeout=10, allow_redirects=False)
        assert to_page.status_code == 302, to_page.text
        target = urlsplit(to_page.headers["Location"])
        assert f"{target.scheme}://{target.netloc}{target.path}" == BACK.partition("?")[0]
        return {name: value for name, (value,) in parse_qs(target.query).items()}

    def code(self, email: str = EMAIL, name: str = "Demo User") -> str:
        assert self.begin().status_code == 204
        found = self.answer(email=email, name=name)
        assert (found["flow"], found["dynamicOauthState"]) == ("1", self.state)
        return found["dynamicOauthCode"]

    def finish(self, code: Any, path: str = "signIn", **more: Any) -> requests.Response:
        how = {name: more.pop(name) for name in ("token", "headers") if name in more}
        body = {"code": code, "state": self.state, **({"codeVerifier": self.verifier} if self.verifier else {}), **more}
        return self.page.call("POST", f"/providers/{self.provider}/{path}", json=body, **how)
