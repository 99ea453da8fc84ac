"""Dynamic's paths for a customer's server, below /api/v0, all with the API token: users, sessions, webhooks, events."""

from typing import Any

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from bridge.emulator.callers import require_api_token
from bridge.emulator.clock import iso
from bridge.emulator.errors import (
    UnknownMessageError,
    UnknownSessionError,
    UnknownUserError,
    UnknownWebhookError,
)
from bridge.emulator.inputs import body_object, flag, members, text, texts
from bridge.emulator.journal import EVENT_TYPES
from bridge.emulator.model import User
from bridge.emulator.server_views import profile_fields, session_view, user_view
from bridge.emulator.webhooks import Message, Webhook
from bridge.emulator.world import Emulator

PAGE = 20
_WEBHOOK = {"url": text, "isEnabled": flag, "events": texts}


def management_api(api: Blueprint, emulator: Emulator) -> None:
    """Adds these endpoints to Dynamic's API. An unknown id is 404, a bad body or query 400."""

    @api.errorhandler(UnknownUserError)
    @api.errorhandler(UnknownSessionError)
    @api.errorhandler(UnknownWebhookError)
    @api.errorhandler(UnknownMessageError)
    def not_found(error: Exception) -> ResponseReturnValue:
        return {"error": str(error), "code": "not_found"}, 404

    @api.errorhandler(ValueError)
    def bad_request(error: Exception) -> ResponseReturnValue:
        return {"error": str(error), "code": "bad_request"}, 400

    _users(api, emulator)
    _sessions(api, emulator)
    _webhooks(api, emulator)
    _messages(api, emulator)
    _events(api, emulator)


def _users(api: Blueprint, emulator: Emulator) -> None:
    def shown(user: User, *, with_sessions: bool = True) -> dict[str, Any]:
        sessions = emulator.management.sessions(user.id) if with_sessions else ()
        return user_view(user, emulator.switches, emulator.environment_id, sessions)

    @api.get("/environments/<environment>/users/<user_id>")
    @api.get("/users/<user_id>")
    def one_user(user_id: str, environment: str | None = None) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        return {"user": shown(emulator.get_user(user_id))}

    @api.get("/environments/<environment>/users")
    def all_users(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        everyone, offset = emulator.users(), request.args.get("offset", 0, type=int)
        page = everyone[max(0, offset) :][: request.args.get("limit", PAGE, type=int)]
        with_sessions = request.args.get("includeSessions") == "true"
        return {"count": len(everyone), "users": [shown(user, with_sessions=with_sessions) for user in page]}

    @api.put("/environments/<environment>/users/<user_id>")
    @api.put("/users/<user_id>")
    def change_user(user_id: str, environment: str | None = None) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        changes: Any = profile_fields(body_object(request.get_data()))
        return {"user": shown(emulator.update_user(user_id, **changes))}

    @api.delete("/environments/<environment>/users/<user_id>")
    @api.delete("/users/<user_id>")
    def delete_user(user_id: str, environment: str | None = None) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        emulator.management.delete_user(user_id)
        return "", 204


def _sessions(api: Blueprint, emulator: Emulator) -> None:
    @api.get("/users/<user_id>/sessions/<sid>")
    def session_of_user(user_id: str, sid: str) -> ResponseReturnValue:
        require_api_token(emulator)
        return session_view(emulator.management.session(user_id, sid), emulator.environment_id)

    @api.put("/sessions/<sid>/revoke")
    def revoke_session(sid: str) -> ResponseReturnValue:
        require_api_token(emulator)
        return session_view(emulator.management.revoke_session(sid), emulator.environment_id)

    @api.post("/environments/<environment>/users/<user_id>/sessions/revoke")
    @api.post("/users/<user_id>/sessions/revoke")
    def revoke_sessions(user_id: str, environment: str | None = None) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        emulator.management.revoke_sessions(user_id)
        return "", 200


def _webhooks(api: Blueprint, emulator: Emulator) -> None:
    hooks = emulator.webhooks

    @api.get("/environments/<environment>/webhooks")
    def all_webhooks(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        return {"data": [_webhook(hook, emulator) for hook in hooks.every()]}

    @api.post("/environments/<environment>/webhooks")
    def create_webhook(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        sent = members(body_object(request.get_data()), _WEBHOOK, required=("url", "isEnabled", "events"))
        made = hooks.register(sent["url"], events=sent["events"], enabled=sent["isEnabled"])
        return _webhook(hooks.get(made), emulator), 201

    @api.get("/environments/<environment>/webhooks/<webhook_id>")
    def one_webhook(environment: str, webhook_id: str) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        return _webhook(hooks.get(webhook_id), emulator, secret=request.args.get("includeSecret") == "true")

    @api.put("/environments/<environment>/webhooks/<webhook_id>")
    def change_webhook(environment: str, webhook_id: str) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        sent = members(body_object(request.get_data()), _WEBHOOK, required=("url", "isEnabled", "events"))
        changed = hooks.change(webhook_id, url=sent["url"], events=sent["events"], enabled=sent["isEnabled"])
        return _webhook(changed, emulator)

    @api.delete("/environments/<environment>/webhooks/<webhook_id>")
    def delete_webhook(environment: str, webhook_id: str) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        hooks.remove(webhook_id)
        return "", 204


def _messages(api: Blueprint, emulator: Emulator) -> None:
    @api.get("/environments/<environment>/webhooks/<webhook_id>/messages")
    def messages(environment: str, webhook_id: str) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        emulator.webhooks.get(webhook_id)
        return {"data": [_message(message, emulator) for message in emulator.webhooks.messages(webhook_id)]}

    @api.post("/environments/<environment>/webhooks/<webhook_id>/messages/<message_id>/redeliver")
    def redeliver(environment: str, webhook_id: str, message_id: str) -> ResponseReturnValue:  # noqa: ARG001
        require_api_token(emulator)
        emulator.webhooks.get(webhook_id)
        emulator.webhooks.redeliver(message_id)
        return {"message": "redelivered"}


def _events(api: Blueprint, emulator: Emulator) -> None:
    @api.get("/eventTypes")
    def event_types() -> ResponseReturnValue:
        require_api_token(emulator)
        return {"data": list(EVENT_TYPES)}

    @api.get("/environments/<environment>/events")
    def events(environment: str) -> ResponseReturnValue:
        """The latest first, a page at a time; the cursor is the id of the last one shown."""
        require_api_token(emulator)
        since, until = request.args.get("startDate", ""), request.args.get("endDate", "9999")
        found = [e for e in reversed(emulator.management.events()) if since <= iso(e.at) <= until]
        cursor = request.args.get("cursor")
        if cursor is not None:
            ids = [event.event_id for event in found]
            if cursor not in ids:
                abort(400, "no such cursor")
            found = found[ids.index(cursor) + 1 :]
        page, more = found[:PAGE], len(found) > PAGE
        told = {"data": [{**event.envelope(environment), "context": {"userId": event.user_id}} for event in page]}
        return {**told, "cursor": page[-1].event_id} if more else told


def _webhook(hook: Webhook, emulator: Emulator, *, secret: bool = False) -> dict[str, Any]:
    return {
        "environmentId": emulator.environment_id,
        "webhookId": hook.webhook_id,
        "url": hook.url,
        "version": "1",
        "events": list(hook.events),
        "isEnabled": hook.is_enabled,
        "createdAt": iso(hook.created_at),
        "updatedAt": iso(hook.created_at),
        **({"secret": hook.secret} if secret else {}),
    }


def _message(message: Message, emulator: Emulator) -> dict[str, Any]:
    delivered = message.status is not None and 200 <= message.status < 300
    return {
        "messageId": message.message_id,
        "eventId": message.event.event_id,
        "webhookId": message.webhook_id,
        "environmentId": emulator.environment_id,
        "status": "success" if delivered else "pending" if message.next_at is not None else "failed",
        "deliveryAttempt": message.attempts,
        "eventCreatedAt": iso(message.event.at),
        "request": {"eventName": message.event.name},
        "response": {"status": message.status},
    }
