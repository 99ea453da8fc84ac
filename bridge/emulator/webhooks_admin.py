"""The part of the admin API that is about webhooks, and about what an admin does to users."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from bridge.emulator.errors import UnknownMessageError, UnknownWebhookError
from bridge.emulator.inputs import BadInputError, Check, body_object, flag, members, optional, text, texts, whole
from bridge.emulator.webhooks import LIVE, SANDBOX, Message
from bridge.emulator.world import Emulator

INDEX = {
    "DELETE /admin/users/<id>": "delete a user",
    "POST /admin/users/<id>/merge": "into: the id of the user that goes on",
    "POST /admin/users/<id>/transfer": "credential_id, to: a wallet goes to another user",
    "GET /admin/webhooks": "every webhook, and every message with what became of it",
    "POST /admin/webhooks": "register one: url, secret, events (none named: all)",
    "DELETE /admin/webhooks/<id>": "forget it",
    "PUT /admin/webhooks": "held: nothing goes out by itself; schedule: live or sandbox",
    "POST /admin/webhooks/send": "now: messages (ids; none named: all that wait), reverse, copies",
    "POST /admin/webhooks/drop": "lose messages (ids; none named: all that wait)",
    "POST /admin/webhooks/messages/<id>/redeliver": "once more, as by hand at Dynamic",
}

_REGISTER: Mapping[str, Check] = {"url": text, "secret": text, "events": texts}
_DELIVERY: Mapping[str, Check] = {"held": flag, "schedule": text}
_SEND: Mapping[str, Check] = {"messages": optional(texts), "reverse": flag, "copies": whole}
_MOST_COPIES = 100


def webhooks_admin(admin: Blueprint, emulator: Emulator) -> None:
    """Adds these endpoints to the admin API."""

    @admin.errorhandler(UnknownWebhookError)
    @admin.errorhandler(UnknownMessageError)
    def unknown(error: Exception) -> ResponseReturnValue:
        return {"error": str(error), "code": "not_found"}, 404

    _users(admin, emulator)
    _webhooks(admin, emulator)
    _messages(admin, emulator)


def _users(admin: Blueprint, emulator: Emulator) -> None:
    @admin.delete("/users/<user_id>")
    def delete(user_id: str) -> ResponseReturnValue:
        emulator.management.delete_user(user_id)
        return {"deleted": user_id}

    @admin.post("/users/<user_id>/merge")
    def merge(user_id: str) -> ResponseReturnValue:
        sent = _sent({"into": text}, "into")
        return {"survivor": emulator.management.merge_users(user_id, sent["into"]).id}

    @admin.post("/users/<user_id>/transfer")
    def transfer(user_id: str) -> ResponseReturnValue:
        sent = _sent({"credential_id": text, "to": text}, "credential_id", "to")
        emulator.management.transfer_wallet(user_id, sent["to"], sent["credential_id"])
        return {"owner": sent["to"]}


def _webhooks(admin: Blueprint, emulator: Emulator) -> None:
    hooks = emulator.webhooks

    @admin.get("/webhooks")
    def every() -> ResponseReturnValue:
        shown = [{"id": h.webhook_id, "url": h.url, "events": h.events, "enabled": h.is_enabled} for h in hooks.every()]
        return {"webhooks": shown, "messages": [_shown(message) for message in hooks.messages()]}

    @admin.post("/webhooks")
    def register() -> ResponseReturnValue:
        webhook_id = hooks.register(**_sent(_REGISTER, "url"))
        return {"id": webhook_id, "secret": hooks.get(webhook_id).secret}, 201

    @admin.delete("/webhooks/<webhook_id>")
    def remove(webhook_id: str) -> ResponseReturnValue:
        hooks.remove(webhook_id)
        return {"removed": webhook_id}

    @admin.put("/webhooks")
    def delivery() -> ResponseReturnValue:
        sent = _sent(_DELIVERY)
        if sent.get("schedule") not in (None, "live", "sandbox"):
            raise BadInputError("schedule must be live or sandbox")
        if "schedule" in sent:
            hooks.schedule = LIVE if sent["schedule"] == "live" else SANDBOX
        if "held" in sent:
            (hooks.hold if sent["held"] else hooks.release)()
        return sent


def _messages(admin: Blueprint, emulator: Emulator) -> None:
    hooks = emulator.webhooks

    @admin.post("/webhooks/send")
    def send() -> ResponseReturnValue:
        sent = _sent(_SEND)
        copies = sent.get("copies", 1)
        if not 1 <= copies <= _MOST_COPIES:
            raise BadInputError(f"copies must be 1 to {_MOST_COPIES}")
        answers = hooks.send(sent.get("messages"), reverse=sent.get("reverse", False), copies=copies)
        return {"sent": [{"id": m.message_id, "event": m.event.name, "status": status} for m, status in answers]}

    @admin.post("/webhooks/drop")
    def drop() -> ResponseReturnValue:
        return {"dropped": hooks.drop(_sent({"messages": optional(texts)}).get("messages"))}

    @admin.post("/webhooks/messages/<message_id>/redeliver")
    def redeliver(message_id: str) -> ResponseReturnValue:
        return {"status": hooks.redeliver(message_id)}


def _shown(message: Message) -> dict[str, Any]:
    return {
        "id": message.message_id,
        "webhook": message.webhook_id,
        "event": message.event.name,
        "event_id": message.event.event_id,
        "attempts": message.attempts,
        "status": message.status,
        "next_at": message.next_at,
    }


def _sent(checks: Mapping[str, Check], *required: str) -> dict[str, Any]:
    return members(body_object(request.get_data()), checks, required=required)
