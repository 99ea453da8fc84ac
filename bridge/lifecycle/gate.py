"""May these act, and may this be issued? Asked by every grant and by every use of a token (threats A21)."""

from collections.abc import Mapping

from bridge.errors import Refused
from bridge.model import Client, Environment, User
from bridge.reasons import Reason


def may_act(client: Client, user: User | None, environment: Environment | None) -> None:
    """Raises Refused if the client, the user or their environment is switched off, or they do not belong together."""
    if client.disabled:
        raise Refused(Reason.CLIENT_DISABLED)
    if environment is not None:
        listed = not client.environments or environment.environment_id in client.environments
        if environment.disabled or not listed:
            raise Refused(Reason.ENVIRONMENT_NOT_ALLOWED)
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
