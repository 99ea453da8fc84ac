"""May these act, and may this be issued? Asked by every grant and by every use of a token (threats A21)."""

from collections.abc import Mapping

from bridge.errors import Refused
from bridge.model import Client, Environment, User
from bridge.reasons import Reason
from bridge.store.grants import KeptGrant


def may_act(client: Client, user: User | None, environment: Environment | None) -> None:
    """Raises Refused if the client, the user or their environment is switched off, or they do not belong together."""
    if client.disabled:
        raise Refused(Reason.CLIENT_DISABLED)
    if environment is not None:
        listed = not client.environments or environment.environment_id in client.environments
        if environment.disabled or not listed:
            raise Refused(Reason.ENVIRONMENT_NOT_ALLOWED)
    if user is not None and user.deleted:
        raise Refused(Reason.USER_DELETED)
    if user is not None and user.disabled:
        raise Refused(Reason.USER_DISABLED)


def may_issue(client: Client, user: User | None, environment: Environment | None, grant_type: str) -> None:
    """The gate before every issue. Raises Refused. `user` and `environment` are None where a client acts for itself."""
    may_act(client, user, environment)
    if grant_type not in client.grants:
        raise Refused(Reason.GRANT_NOT_ALLOWED)


def environment_of(user: User, environments: Mapping[str, Environment]) -> Environment:
    """The environment that a remembered user belongs to. Raises Refused if it is no longer configured."""
    environment = environments.get(user.environment_id)
    if environment is None:
        raise Refused(Reason.ENVIRONMENT_NOT_ALLOWED, "no longer configured")
    return environment


def must_be_open(grant: KeptGrant, user: User, now: int) -> None:
    """Raises Refused(GRANT_ENDED), with the cause for the log, unless a kept grant of the user still lives."""
    if not grant.is_open(now) or user.was_revoked_since(grant.opened_at):
        raise Refused(Reason.GRANT_ENDED, grant.closed_cause or "expired or signed out")
