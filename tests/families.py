"""Families of refresh tokens without the web around them: one user, one client, the lifecycle's verbs."""

from collections.abc import Callable

from bridge.errors import Refused
from bridge.lifecycle.refresh import HandleState, keep, presented_by, renew
from bridge.model import Assertion, Client, Environment, Grant, Identity
from bridge.reasons import Reason
from bridge.store import Database, Tx, recognition

NOW = 1_795_400_000
DAY = 86400
ENVIRONMENT = Environment("11111111-1111-4111-8111-111111111111")
SUB = "22222222-2222-4222-8222-222222222222"
IDENTITY = Identity(
    ENVIRONMENT.environment_id, SUB, {"name": "Demo"}, complete=True, told_at=NOW, credentials_digest="d"
)
APP = Client("app")


def open_family(database: Database, client: Client = APP, *, now: int = NOW) -> str:
    """The first refresh token of a new grant."""
    return database.decide(lambda tx: open_in(tx, now, client))


def open_in(
    tx: Tx, now: int, client: Client = APP, *, told_at: int = NOW, between: Callable[[], object] = lambda: None
) -> str:
    """The first refresh token of a new grant, from an assertion that was issued at `told_at` and lives for long.

    `between` is done after the user was recognised, before the grant is kept.
    """
    assertion = Assertion(ENVIRONMENT, SUB, "sid", None, told_at, told_at + 4000 * DAY, None, "large", b"1" * 32, {})
    known = recognition.recognise(tx, IDENTITY, assertion, primary_environment=ENVIRONMENT.environment_id, now=now)
    if known.user.was_revoked_since(told_at):
        raise Refused(Reason.ASSERTION_REVOKED)
    between()
    grant = Grant(client, known.user, ("openid", "offline_access"), (), sid="sid", auth_time=told_at)
    return keep(tx, grant, assertion, now).refresh_token


def present(tx: Tx, client: Client, token: str, now: int) -> tuple[str, HandleState]:
    """A refresh as an endpoint does it: the newest token that a presented one leads to, and the state it was in."""
    return renew(tx, presented_by(tx, client, token, now), client, now)
