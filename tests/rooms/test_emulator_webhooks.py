"""The emulator's webhooks and its API for the customer's server, from the outside."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any

import pytest
import requests

from bridge.emulator import Emulator, NewEmail, NewOAuth, NewWallet, RunningEmulator, User, run

NOW = 1_800_000_000
ORIGIN = "https://app.example.com"
URL = "http://127.0.0.1:9/hook"
SECRET = "dyn_hook-secret"


@dataclass
class Receiver:
    """Stands where the receiver's server would, and answers what it is told to."""

    status: int | None = 200
    taken: list[tuple[bytes, Mapping[str, str]]] = field(default_factory=list)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        assert url == URL
        self.taken.append((body, headers))
        return self.status

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body, _ in self.taken]

    def names(self) -> list[str]:
        return [message["eventName"] for message in self.messages()]


@dataclass
class Room:
    emulator: Emulator
    receiver: Receiver
    webhook_id: str
    user: User
    now: int = NOW

    def told(self) -> list[dict[str, Any]]:
        """What the receiver is told of everything since the last look."""
        self.receiver.taken.clear()
        self.emulator.webhooks.deliver()
        return self.receiver.messages()


@pytest.fixture
def room() -> Iterator[Room]:
    receiver = Receiver()
    emulator = Emulator()
    user = emulator.create_user(email="demo@example.com", wallets=[NewWallet()])
    emulator.webhooks.transport = receiver
    webhook_id = emulator.webhooks.register(URL, secret=SECRET)
    room = Room(emulator, receiver, webhook_id, user)
    emulator.clock = lambda: room.now
    room.told()
    yield room
    emulator.release_keys()


@pytest.fixture
def served(room: Room) -> Iterator[RunningEmulator]:
    with run(room.emulator) as running:
        yield running


def call(served: RunningEmulator, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
    bearer = served.emulator.api_token if token is None else token
    headers = {"Authorization": f"Bearer {bearer}"}
    return requests.request(method, served.base_url + path, json=body, headers=headers, timeout=5)


def admin(served: RunningEmulator, method: str, path: str, body: Any = None) -> Any:
    answer = requests.request(method, f"{served.origin}/admin{path}", json=body, timeout=5)
    return answer.json()


def test_a_new_webhook_is_pinged(room: Room) -> None:
    room.emulator.webhooks.register(URL)
    assert [message["eventName"] for message in room.told()] == ["ping"]


def test_a_message_is_compact_json_signed_over_its_bytes(room: Room) -> None:
    room.emulator.revoke(room.emulator.sign_in(room.user.id, origin=ORIGIN).sid)
    room.told()
    for body, headers in room.receiver.taken:
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-dynamic-signature-256"] == f"sha256={digest}"
        assert body == json.dumps(json.loads(body), separators=(",", ":")).encode()


def test_the_envelope_is_dynamics(room: Room) -> None:
    session = room.emulator.sign_in(room.user.id, origin=ORIGIN)
    room.emulator.revoke(session.sid)
    created, revoked = room.told()
    assert created["eventName"] == "user.session.created"
    assert [entry["format"] for entry in created["data"]["verifiedCredentials"]] == ["email", "blockchain"]
    assert revoked["eventName"] == "user.session.revoked"
    assert revoked["timestamp"] == "2027-01-15T08:00:00.000Z"
    assert revoked["userId"] == room.user.id
    assert revoked["environmentId"] == room.emulator.environment_id
    assert revoked["redelivery"] is False
    assert revoked["data"]["id"] == session.sid
    assert revoked["data"]["revokedAt"] == "2027-01-15T08:00:00.000Z"
    assert len({created["eventId"], revoked["eventId"], created["messageId"], revoked["messageId"]}) == 4


def test_every_change_makes_its_event_and_no_other(room: Room) -> None:
    emulator, user = room.emulator, room.user
    email, wallet = user.credentials
    other = emulator.create_user(username="other")
    github = emulator.link(user.id, NewOAuth("github", "1"))
    emulator.link(user.id, NewEmail("second@example.com"))
    emulator.unlink(user.id, github.id)
    emulator.unlink(user.id, email.id)
    emulator.update_user(user.id, given_name="Demo")
    emulator.management.transfer_wallet(user.id, other.id, wallet.id)
    emulator.unlink(other.id, wallet.id)
    emulator.link(other.id, NewWallet())
    session = emulator.sign_in(user.id, origin=ORIGIN)
    emulator.management.revoke_session(session.sid)
    emulator.management.merge_users(other.id, user.id)
    emulator.management.delete_user(user.id)
    told = room.told()
    assert [message["eventName"] for message in told] == [
        "user.created",
        "user.social.linked",
        "user.social.unlinked",
        "user.email.unlinked",
        "user.updated",
        "wallet.transferred",
        "wallet.unlinked",
        "wallet.linked",
        "user.session.created",
        "admin.user.session.revoked",
        "user.merged",
        "user.deleted",
    ]
    by_name = {message["eventName"]: message for message in told}
    assert by_name["wallet.unlinked"]["data"]["publicKey"] == wallet.members["address"]
    assert by_name["user.merged"]["data"]["mergedUserId"] == other.id
    assert by_name["user.merged"]["data"]["id"] == user.id
    assert "userId" not in by_name["admin.user.session.revoked"]


def test_a_silent_refresh_is_no_event(room: Room) -> None:
    session = room.emulator.sign_in(room.user.id, origin=ORIGIN)
    room.told()
    room.emulator.refresh(session.sid)
    assert room.told() == []


def test_a_webhook_gets_only_the_events_it_wants(room: Room) -> None:
    room.emulator.webhooks.change(room.webhook_id, url=URL, events=["user.created"], enabled=True)
    room.emulator.update_user(room.user.id, given_name="Demo")
    room.emulator.create_user()
    assert [message["eventName"] for message in room.told()] == ["user.created"]


def test_a_refused_message_comes_again_by_the_schedule_and_then_the_webhook_is_off(room: Room) -> None:
    room.receiver.status = 500
    room.emulator.create_user()
    assert len(room.told()) == 1
    for pause in (15, 60, 600, 3600, 86400):
        room.now += pause - 1
        assert room.told() == []
        room.now += 1
        assert len(room.told()) == 1
    room.now += 10 * 86400
    assert room.told() == []
    assert not room.emulator.webhooks.get(room.webhook_id).is_enabled
    room.emulator.create_user()
    assert room.told() == []


def test_a_message_that_was_taken_at_last_does_not_come_again(room: Room) -> None:
    room.receiver.status = None
    room.emulator.create_user()
    room.told()
    room.receiver.status = 204
    room.now += 15
    assert len(room.told()) == 1
    room.now += 86400
    assert room.told() == []


def test_held_messages_go_out_in_the_order_and_number_that_is_asked(room: Room) -> None:
    room.emulator.webhooks.hold()
    first, second = room.emulator.create_user(), room.emulator.create_user()
    assert room.told() == []
    room.emulator.webhooks.send(reverse=True, copies=2)
    assert [m["data"]["id"] for m in room.receiver.messages()] == [second.id, second.id, first.id, first.id]
    room.emulator.webhooks.release()
    assert room.told() == []


def test_a_dropped_message_is_lost_but_can_be_redelivered(room: Room) -> None:
    room.emulator.webhooks.hold()
    room.emulator.create_user()
    assert room.emulator.webhooks.drop() == 1
    room.emulator.webhooks.release()
    assert room.told() == []
    message = room.emulator.webhooks.messages()[-1]
    room.emulator.webhooks.redeliver(message.message_id)
    assert [m["redelivery"] for m in room.receiver.messages()] == [True]
    assert room.receiver.messages()[0]["eventId"] == message.event.event_id


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "http://example.com/", "http://127.0.0.1@example.com/", "file:///etc/passwd", "x"]
)
def test_a_webhook_leads_to_this_machine_alone(room: Room, url: str) -> None:
    with pytest.raises(ValueError, match="this machine"):
        room.emulator.webhooks.register(url)


def test_a_running_emulator_posts_by_itself() -> None:
    arrived: list[tuple[str, bytes]] = []
    complete = Event()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            if len(arrived) == 2:
                complete.set()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, daemon=True).start()
    with run() as running:
        made = admin(running, "POST", "/webhooks", {"url": f"http://127.0.0.1:{server.server_port}/a?b=c"})
        running.emulator.create_user()
        assert complete.wait(10)
        assert {path for path, _ in arrived} == {"/a?b=c"}
        assert [json.loads(body)["eventName"] for _, body in arrived] == ["ping", "user.created"]
        assert running.emulator.webhooks.get(made["id"]).secret == made["secret"]
    running.emulator.release_keys()
    server.shutdown()
    server.server_close()


# The API for the customer's server


def test_the_customers_server_needs_the_api_token(room: Room, served: RunningEmulator) -> None:
    env = room.emulator.environment_id
    for method, path in (
        ("GET", f"/environments/{env}/users"),
        ("GET", f"/environments/{env}/users/{room.user.id}"),
        ("DELETE", f"/environments/{env}/users/{room.user.id}"),
        ("PUT", "/sessions/x/revoke"),
        ("GET", f"/environments/{env}/webhooks"),
        ("POST", f"/environments/{env}/webhooks"),
        ("GET", f"/environments/{env}/events"),
        ("GET", "/eventTypes"),
    ):
        assert call(served, method, path, token="dyn_wrong").status_code == 401, path


def test_a_users_sessions_are_seen_and_revoked(room: Room, served: RunningEmulator) -> None:
    env, user = room.emulator.environment_id, room.user
    first, second = (room.emulator.sign_in(user.id, origin=ORIGIN) for _ in range(2))
    shown = call(served, "GET", f"/environments/{env}/users/{user.id}").json()["user"]
    assert [(s["id"], s["revokedAt"]) for s in shown["sessions"]] == [(first.sid, None), (second.sid, None)]
    assert call(served, "PUT", f"/sessions/{first.sid}/revoke").json()["revokedAt"] is not None
    assert call(served, "GET", f"/users/{user.id}/sessions/{second.sid}").json()["revokedAt"] is None
    assert call(served, "POST", f"/environments/{env}/users/{user.id}/sessions/revoke").status_code == 200
    assert call(served, "GET", f"/users/{user.id}/sessions/{second.sid}").json()["revokedAt"] is not None
    assert call(served, "GET", f"/users/{user.id}/sessions/unknown").status_code == 404
    assert call(served, "PUT", "/sessions/unknown/revoke").status_code == 404


def test_a_user_is_changed_and_deleted(room: Room, served: RunningEmulator) -> None:
    users = f"/environments/{room.emulator.environment_id}/users"
    session = room.emulator.sign_in(room.user.id, origin=ORIGIN)
    assert call(served, "PUT", f"{users}/{room.user.id}", {"firstName": "Mira"}).json()["user"]["firstName"] == "Mira"
    assert call(served, "DELETE", f"{users}/{room.user.id}").status_code == 204
    assert call(served, "GET", f"{users}/{room.user.id}").status_code == 404
    assert call(served, "GET", users).json() == {"count": 0, "users": []}
    assert room.emulator.session(session.sid).revoked_at is not None


def test_webhooks_are_managed_and_their_secret_shown_on_request(room: Room, served: RunningEmulator) -> None:
    hooks = f"/environments/{room.emulator.environment_id}/webhooks"
    made = call(served, "POST", hooks, {"url": URL, "isEnabled": True, "events": ["user.deleted"]})
    assert made.status_code == 201
    assert "secret" not in made.json()
    one = f"{hooks}/{made.json()['webhookId']}"
    assert call(served, "GET", f"{one}?includeSecret=true").json()["secret"].startswith("dyn_")
    assert "secret" not in call(served, "GET", one).json()
    changed = call(served, "PUT", one, {"url": URL, "isEnabled": False, "events": []})
    assert changed.json()["isEnabled"] is False
    assert len(call(served, "GET", hooks).json()["data"]) == 2
    assert call(served, "DELETE", one).status_code == 204
    assert call(served, "GET", one).status_code == 404
    assert (
        call(served, "POST", hooks, {"url": "http://example.com", "isEnabled": True, "events": []}).status_code == 400
    )


def test_the_event_log_is_read_in_pages_between_two_moments(room: Room, served: RunningEmulator) -> None:
    events = f"/environments/{room.emulator.environment_id}/events"
    room.now += 100
    made = [room.emulator.create_user().id for _ in range(45)]
    room.now += 100
    room.emulator.create_user()
    between = {"startDate": "2027-01-15T08:01:40.000Z", "endDate": "2027-01-15T08:02:00.000Z"}
    seen, cursor = [], None
    while True:
        query = "&".join(f"{k}={v}" for k, v in {**between, **({"cursor": cursor} if cursor else {})}.items())
        page = call(served, "GET", f"{events}?{query}").json()
        seen += [event["data"]["id"] for event in page["data"]]
        cursor = page.get("cursor")
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)
    assert call(served, "GET", f"{events}?cursor=none").status_code == 400
    assert "user.session.revoked" in call(served, "GET", "/eventTypes").json()["data"]


def test_a_message_is_redelivered_over_the_api(room: Room, served: RunningEmulator) -> None:
    room.emulator.create_user()
    room.told()
    room.receiver.taken.clear()
    hook = f"/environments/{room.emulator.environment_id}/webhooks/{room.webhook_id}"
    message = call(served, "GET", f"{hook}/messages").json()["data"][-1]
    assert (message["status"], message["request"]) == ("success", {"eventName": "user.created"})
    assert call(served, "POST", f"{hook}/messages/{message['messageId']}/redeliver").status_code == 200
    assert [m["redelivery"] for m in room.receiver.messages()] == [True]
    assert call(served, "POST", f"{hook}/messages/unknown/redeliver").status_code == 404


# The admin API


def test_by_hand_messages_are_held_sent_dropped_and_redelivered(room: Room, served: RunningEmulator) -> None:
    assert admin(served, "PUT", "/webhooks", {"held": True, "schedule": "sandbox"}) == {
        "held": True,
        "schedule": "sandbox",
    }
    session = room.emulator.sign_in(room.user.id, origin=ORIGIN)
    admin(served, "POST", f"/sessions/{session.sid}/revoke", {"by_admin": True})
    room.receiver.taken.clear()
    sent = admin(served, "POST", "/webhooks/send", {"reverse": True, "copies": 2})["sent"]
    assert [message["event"] for message in sent] == ["admin.user.session.revoked"] * 2 + ["user.session.created"] * 2
    assert [message["status"] for message in sent] == [200] * 4
    room.emulator.create_user()
    assert admin(served, "POST", "/webhooks/drop") == {"dropped": 1}
    last = admin(served, "GET", "/webhooks")["messages"][-1]
    assert last["event"] == "user.created"
    assert admin(served, "POST", f"/webhooks/messages/{last['id']}/redeliver") == {"status": 200}
    for body in ({"copies": 0}, {"copies": 101}, {"messages": "all"}, {"x": 1}):
        assert admin(served, "POST", "/webhooks/send", body)["code"] == "bad_input"
    assert admin(served, "PUT", "/webhooks", {"schedule": "weekly"})["code"] == "bad_input"
    assert admin(served, "POST", "/webhooks/send", {"messages": ["unknown"]})["code"] == "not_found"


def test_by_hand_users_are_merged_deleted_and_give_wallets(room: Room, served: RunningEmulator) -> None:
    other = room.emulator.create_user()
    wallet = room.user.credentials[1]
    path = f"/users/{room.user.id}"
    assert admin(served, "POST", f"{path}/transfer", {"credential_id": wallet.id, "to": other.id}) == {
        "owner": other.id
    }
    assert room.emulator.get_user(other.id).credentials == (wallet,)
    assert (
        admin(served, "POST", f"{path}/transfer", {"credential_id": wallet.id, "to": other.id})["code"] == "not_found"
    )
    assert admin(served, "POST", f"{path}/merge", {"into": room.user.id})["code"] == "bad_input"
    assert admin(served, "POST", f"{path}/merge", {"into": other.id}) == {"survivor": other.id}
    assert admin(served, "DELETE", path)["code"] == "not_found"
    assert admin(served, "DELETE", f"/users/{other.id}") == {"deleted": other.id}
    assert room.emulator.users() == []
