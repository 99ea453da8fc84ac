"""Rows that stand in the server's database before it is asked: codes to redeem, and a great many users and tokens."""

import hashlib
import time
from base64 import urlsafe_b64encode
from uuid import UUID

from sqlalchemy import insert, text

from bench.stage import APP_ORIGIN, SCOPES, Stage
from bridge.model import AuthorizationRequest, Grant
from bridge.store import Database, Tx, clients, codes, grants, users
from bridge.store.grants import Ground
from bridge.store.tables import grants as grants_table
from bridge.store.tables import refresh_tokens as tokens_table
from bridge.store.tables import users as users_table

REDIRECT_URI = f"{APP_ORIGIN}/callback"
VERIFIER = "v" * 64
_CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
_BATCH = 5000


def handed_out(stage: Stage, sub: str, count: int) -> list[str]:
    """As many fresh codes of a user who has been met, by the verbs that /authorize uses."""
    now = int(time.time())
    with Database(stage.database_url) as database, database.writing() as tx:
        client, user = clients.find(tx, stage.rs256.client_id), users.by_sub(tx, sub)
        assert client is not None
        assert user is not None
        session = tx.execute(
            text("SELECT session_key FROM upstream_sessions WHERE user_id = :user LIMIT 1"), {"user": user.user_id}
        ).scalar()
        ground = Ground(user.environment_id, session, now)
        scope = ("openid", *SCOPES[1:])
        audience = (f"http://127.0.0.1:{stage.port}",)
        request = AuthorizationRequest(client, REDIRECT_URI, "query", None, scope, audience, code_challenge=_CHALLENGE)
        grant = Grant(client=client, user=user, scope=scope, audience=audience, sid="bench", auth_time=now)
        made = []
        for _ in range(count):
            kept = grants.open_grant(tx, grant, ground, expires_at=now + 86400, now=now)
            made.append(codes.hand_out(tx, str(kept.grant_id), request, ends_at=now + 86400, now=now))
    return made


def grow(stage: Stage, rows: int) -> None:
    """Let so many users, each with a grant and a refresh token, stand in the database beside those that are asked."""
    now = int(time.time())
    with Database(stage.database_url) as database:
        for first in range(0, rows, _BATCH):
            numbers = range(first, min(first + _BATCH, rows))
            with database.writing() as tx:
                _insert(tx, stage, numbers, now)


def _insert(tx: Tx, stage: Stage, numbers: range, now: int) -> None:
    environment = stage.dynamic.emulator.environment_id
    claims = '{"email":"somebody@example.com","email_verified":true,"name":"Some Body"}'
    people = [{"id": str(UUID(int=(1 << 127) + _scattered(number))), "number": number} for number in numbers]
    tx.execute(
        insert(users_table),
        [
            {
                "environment_id": environment,
                "user_id": one["id"],
                "sub": one["id"],
                "claims": claims,
                "credentials_digest": "",
                "told_at": now,
                "created_at": now,
                "updated_at": now,
            }
            for one in people
        ],
    )
    tx.execute(
        insert(grants_table),
        [
            {
                "grant_id": f"g{one['number']}",
                "client_id": stage.rs256.client_id,
                "sub": one["id"],
                "environment_id": environment,
                "session_key": one["id"],
                "sid": "bench",
                "scope": "openid",
                "audience": "[]",
                "auth_time": now,
                "amr": "[]",
                "opened_at": now,
                "expires_at": now + 86400,
            }
            for one in people
        ],
    )
    tx.execute(
        insert(tokens_table),
        [
            {
                "digest": _digest(one["number"]),
                "grant_id": f"g{one['number']}",
                "sequence": 0,
                "state": "unspent",
                "issued_at": now,
                "expires_at": now + 86400,
            }
            for one in people
        ],
    )


def _scattered(number: int) -> int:
    return int.from_bytes(_digest(number)[:15])


def _digest(number: object) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()
