"""Dynamic's webhooks as life has them: a served bridge, an emulator that posts by itself, an operator's commands."""

import json
import stat
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from served import Command, free_port
from surfing import Surfer

from bridge.emulator import Emulator, NewWallet, RunningEmulator, Session, User, run

APP = "http://localhost:3000"
CALLBACK = f"{APP}/api/auth/callback/dynamic"
VERIFIER = "v" * 43
SCOPE = "openid profile email wallets offline_access"


@dataclass
class Site:
    """A bridge that is set up but not served yet, its Dynamic, and the app's credentials."""

    issuer: str
    port: int
    dynamic: RunningEmulator
    command: Command
    user: User
    app: Mapping[str, str]
    surfer: Surfer = field(default_factory=lambda: Surfer(APP))

    @property
    def world(self) -> Emulator:
        return self.dynamic.emulator

    def serving(self) -> AbstractContextManager[Any]:
        return self.command.serving("--port", str(self.port), url=f"http://localhost:{self.port}")

    def post(self, path: str, form: Mapping[str, str]) -> requests.Response:
        return requests.post(f"{self.issuer}{path}", data={**self.app, **form}, timeout=10)

    def asked(self, **more: str) -> dict[str, str]:
        """What /authorize tells the app, with the user signing in on Dynamic's page if it takes that."""
        challenge = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": self.app["client_id"],
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": SCOPE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        page = self.surfer.open(f"{self.issuer}/authorize?{urlencode(query)}")
        if not page.url.startswith(APP):
            page = self.surfer.sign_in()
        return dict(parse_qsl(urlsplit(page.url).query))

    def signed_in(self) -> tuple[dict[str, Any], Session]:
        """The tokens of a new sign-in, and its session at Dynamic."""
        code = self.asked()["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        answer = self.post("/token", form)
        assert answer.status_code == 200, answer.text
        return answer.json(), self.world.management.sessions(self.user.id)[-1]

    def refresh(self, tokens: Mapping[str, Any]) -> requests.Response:
        return self.post("/token", {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})

    def renewed(self, tokens: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.refresh(tokens)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def assert_over(self, tokens: Mapping[str, Any]) -> None:
        """Wherever one asks, it has ended."""
        refused = self.refresh(tokens)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        assert self.post("/introspect", {"token": tokens["access_token"]}).json() == {"active": False}
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert requests.get(f"{self.issuer}/userinfo", headers=bearer, timeout=10).status_code == 401
        assert self.asked(prompt="none")["error"] == "login_required"

    def wait_for(self, condition: Callable[[], bool]) -> float:
        """Until it holds; after how many seconds."""
        begun = time.monotonic()
        while not condition():
            assert time.monotonic() < begun + 20, "it did not come"
            time.sleep(0.01)
        return time.monotonic() - begun

    def delivered(self) -> bool:
        return all(message.next_at is None for message in self.world.webhooks.messages())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    issuer = f"http://localhost:{port}"
    world = Emulator(signin_complete_url=f"{issuer}/signin/complete")
    user = world.create_user(email="demo@example.com", wallets=[NewWallet()])
    with run(world) as dynamic:
        settings = {
            "DYNAMIC_API_BASE_URL": dynamic.base_url,
            "DYNAMIC_API_TOKEN": world.api_token,
            "BRIDGE_SIGNIN_URL": dynamic.signin_url,
        }
        command = Command(tmp_path, settings)
        made = command("init", "--environment-id", world.environment_id, "--issuer", issuer, "--origin", APP)
        assert made.returncode == 0, made.stderr
        printed = dict(line.split("=", 1) for line in made.stdout.splitlines())
        app = {"client_id": printed["AUTH_DYNAMIC_ID"], "client_secret": printed["AUTH_DYNAMIC_SECRET"]}
        webhook = command("dynamic", "webhook", "create", "--write", "bridge.env")
        assert webhook.returncode == 0, webhook.stderr
        assert webhook.stdout == ""
        world.webhooks.drop()  # the ping, which came before anybody listened
        yield Site(issuer, port, dynamic, command, user, app)
    world.release_keys()


def test_a_session_revoked_at_dynamic_is_over_here_within_a_second(site: Site) -> None:
    with site.serving():
        tokens, session = site.signed_in()
        tokens = site.renewed(tokens)
        site.world.revoke(session.sid)
        took = site.wait_for(lambda: site.refresh(tokens).status_code == 400)
        assert took < 5, "seconds; one on a machine that does nothing else"
        site.assert_over(tokens)
        again, _ = site.signed_in()
        site.renewed(again)


def test_duplicates_in_reverse_order_end_what_they_should_and_nobody_comes_back(site: Site) -> None:
    with site.serving():
        tokens, session = site.signed_in()
        site.wait_for(site.delivered)
        site.world.webhooks.hold()
        stranger = site.world.create_user(email="stranger@example.com")
        site.world.update_user(site.user.id, given_name="Later")
        site.world.revoke(session.sid)
        site.world.management.delete_user(site.user.id)
        site.world.management.delete_user(stranger.id)
        answers = site.world.webhooks.send(reverse=True, copies=3)
        assert [status for _, status in answers] == [200] * 15
        site.assert_over(tokens)
        for message in site.world.webhooks.messages()[-5:]:
            assert site.world.webhooks.redeliver(message.message_id) == 200
        known = site.command("audit", "why", stranger.id, "--json")
        assert [entry["event"] for entry in json.loads(known.stdout)["entries"]] == ["user_deleted"]


def test_a_dynamic_that_tells_of_the_old_sid_at_each_refresh_throws_nobody_out(site: Site) -> None:
    site.world.switch(revokes_old_sid_on_refresh=True)
    with site.serving():
        tokens, session = site.signed_in()
        for _ in range(5):
            session = site.world.refresh(session.sid)
            site.wait_for(site.delivered)
            tokens = site.renewed(tokens)
        assert "code" in site.asked(prompt="none")
        site.world.revoke(session.sid)
        site.wait_for(site.delivered)
        site.assert_over(tokens)


def test_what_was_missed_in_an_outage_is_caught_up_with_from_the_event_log(site: Site) -> None:
    with site.serving():
        tokens, session = site.signed_in()
        site.wait_for(site.delivered)
    site.world.webhooks.hold()
    site.world.revoke(session.sid)
    site.world.webhooks.drop()
    caught_up = site.command("dynamic", "sync", "--since", "2h")
    assert caught_up.returncode == 0, caught_up.stderr
    assert caught_up.stdout == "3 events, 2 of them news.\n"  # the user, whom nobody had told of, and the revocation
    assert site.command("dynamic", "sync").stdout.endswith(" 0 of them news.\n")
    with site.serving():
        site.assert_over(tokens)


# The command


def test_the_secret_of_a_new_webhook_goes_where_it_is_asked_for(site: Site) -> None:
    env_file = site.command.folder / "bridge.env"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    first = site.world.webhooks.every()[0]
    assert f"DYNAMIC_WEBHOOK_SECRETS={first.secret}\n" in env_file.read_text()
    printed = site.command("dynamic", "webhook", "create", "--url", "http://127.0.0.1:9/other").stdout
    second = site.world.webhooks.every()[1]
    assert printed == f"DYNAMIC_WEBHOOK_SECRETS={first.secret},{second.secret}\n"
    listed = json.loads(site.command("dynamic", "webhook", "list", "--json").stdout)
    assert [one["webhookId"] for one in listed] == [first.webhook_id, second.webhook_id]
    assert (
        f"{site.issuer}/webhooks/dynamic/{site.world.environment_id}"
        in site.command("dynamic", "webhook", "list").stdout
    )


def test_check_live_says_whether_the_webhook_leads_here_and_is_on(site: Site) -> None:
    hook = site.world.webhooks.every()[0]
    assert "a webhook leads here" in site.command("check", "--live").stdout
    site.world.webhooks.change(hook.webhook_id, url=hook.url, events=["user.deleted"], enabled=True)
    assert "does not tell of" in site.command("check", "--live").stdout
    site.world.webhooks.change(hook.webhook_id, url=hook.url, events=(), enabled=False)
    off = site.command("check", "--live")
    assert "switched off" in off.stdout
    assert off.returncode == 1
    site.world.webhooks.remove(hook.webhook_id)
    assert "no webhook leads to" in site.command("check", "--live").stdout


def test_without_an_api_token_or_an_answer_the_commands_say_so(site: Site) -> None:
    site.world.faults.set("/environments", "error")
    for words in (("sync",), ("webhook", "list"), ("webhook", "create")):
        failed = site.command("dynamic", *words)
        assert failed.returncode == 1
        assert "Dynamic did not answer" in failed.stderr
    assert site.command("dynamic", "sync", "--since", "soon").returncode == 2
    assert "not configured" in site.command("dynamic", "sync", "--environment", "x").stderr
    bare = Command(site.command.folder, {"DYNAMIC_API_BASE_URL": site.dynamic.base_url})
    assert "Set DYNAMIC_API_TOKEN" in bare("dynamic", "sync").stderr
