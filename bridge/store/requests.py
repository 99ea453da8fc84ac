"""Authorization requests on their way through the browser: the query as it came, and how far it has got.

    begun ──keep_sign_in──▶ proven ──redeem_sign_in──▶ signed in ──consent──▶ consented ──finish──▶ finished
                                                                 └──deny────▶ denied

Progress belongs to one browser, whose cookie's digest stands here, and is over after TTL; the query is remembered for
longer, so that a page that was left open begins again.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, bindparam, insert, select, update

from bridge.store.database import Tx
from bridge.store.handles import digest_of
from bridge.store.sessions import SignIn
from bridge.store.tables import requests

TTL = 600  # seconds for which progress counts
KEPT = 86400  # seconds for which the query is remembered


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request has got. `request_id` is None where it is new, and nothing is remembered of it."""

    request_id: str | None = None
    signed_in_as: str | None = None  # the sub: what one user achieved does not count for another
    session_key: str | None = None  # and what one session at Dynamic proved does not count for another of theirs
    is_fresh: bool = False  # the user acted for that sign-in
    consented_by: str | None = None  # the sub
    denied: bool = False


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """An authorization request as it came, and what was achieved of it."""

    request_id: str
    client_id: str
    query: str
    began_at: int
    tries: int
    browser_digest: bytes | None
    is_answered: bool
    achieved: Progress

    def is_over(self, now: int) -> bool:
        """Whether it is answered, or began too long ago: it can only begin again."""
        return self.is_answered or not 0 <= now - self.began_at < TTL

    def is_of(self, browser: str | None) -> bool:
        """Whether it began in the browser with this cookie."""
        return browser is not None and browser.isascii() and self.browser_digest == digest_of(browser)

    def progress(self, browser: str | None, now: int) -> Progress:
        """What counts of what was achieved: all of it in the browser that began, else nothing."""
        return self.achieved if self.is_of(browser) and not self.is_over(now) else Progress()


_FIND = select(requests).where(requests.c.request_id == bindparam("wanted_id"))
_BEGIN = insert(requests)
_UNFINISHED = (requests.c.request_id == bindparam("wanted_id"), requests.c.finished_at.is_(None))
_KEEP_PROOF = (
    update(requests)
    .where(*_UNFINISHED, requests.c.signed_in_as.is_(None))
    .values(
        proof_digest=bindparam("new_digest"),
        proof=bindparam("new_proof"),
        proven_sub=bindparam("new_sub"),
        is_fresh=bindparam("fresh"),
    )
)
_REDEEM_PROOF = (
    update(requests)
    .where(*_UNFINISHED, requests.c.proof_digest == bindparam("given_digest"))
    .values(proof_digest=None, signed_in_as=requests.c.proven_sub)
    .returning(requests.c.proof)
)


def begin(tx: Tx, client_id: str, query: str, browser: str | None, now: int) -> str:
    """Remember a request; its id, which nobody can guess."""
    request_id = secrets.token_urlsafe(32)
    row = {
        "request_id": request_id,
        "client_id": client_id,
        "query": query,
        "browser_digest": None if browser is None else digest_of(browser),
        "began_at": now,
        "expires_at": now + KEPT,
        "tries": 0,
    }
    tx.execute(_BEGIN, row)
    return request_id


def find(tx: Tx, request_id: str) -> StoredRequest | None:
    """The request of that id."""
    row = tx.execute(_FIND, {"wanted_id": request_id}).first()
    if row is None:
        return None
    return StoredRequest(
        request_id=row.request_id,
        client_id=row.client_id,
        query=row.query,
        began_at=row.began_at,
        tries=row.tries,
        browser_digest=row.browser_digest,
        is_answered=row.finished_at is not None,
        achieved=Progress(
            request_id=row.request_id,
            signed_in_as=row.signed_in_as,
            session_key=None if row.signed_in_as is None else json.loads(row.proof)["session_key"],
            is_fresh=bool(row.is_fresh),
            consented_by=row.consented_by,
            denied=row.denied_at is not None,
        ),
    )


def keep_sign_in(tx: Tx, request_id: str, sign_in: SignIn, *, is_fresh: bool) -> str | None:
    """Keep who signed in; the value that opens the session, once. None if the request has got further already."""
    value = secrets.token_urlsafe(32)
    kept = {
        "wanted_id": request_id,
        "new_digest": digest_of(value),
        "new_proof": json.dumps(asdict(sign_in)),
        "new_sub": sign_in.sub,
        "fresh": is_fresh,
    }
    return value if tx.execute(_KEEP_PROOF, kept).rowcount == 1 else None


def redeem_sign_in(tx: Tx, request_id: str, value: str) -> SignIn | None:
    """Who signed in, if the value is the one that was kept; of any number of redeemers one is told."""
    if not value.isascii():
        return None
    given = {"wanted_id": request_id, "given_digest": digest_of(value)}
    proof = tx.execute(_REDEEM_PROOF, given).scalar()
    if proof is None:
        return None
    document: dict[str, Any] = json.loads(proof)
    return SignIn(**{**document, "amr": tuple(document["amr"])})


def ask_again(tx: Tx, request_id: str) -> None:
    """Count that the sign-in page was asked for a fresher sign-in."""
    tx.execute(update(requests).where(*_UNFINISHED).values(tries=requests.c.tries + 1), {"wanted_id": request_id})


def consent(tx: Tx, request_id: str, sub: str) -> bool:
    """The user with that sub has consented; False if the request has ended."""
    return _mark(tx, request_id, requests.c.consented_by, sub)


def deny(tx: Tx, request_id: str, now: int) -> bool:
    """The user does not want to; False if the request has ended."""
    return _mark(tx, request_id, requests.c.denied_at, now)


def finish(tx: Tx, request_id: str, now: int) -> bool:
    """The request is answered; False if it was before."""
    return _mark(tx, request_id, requests.c.finished_at, now)


def _mark(tx: Tx, request_id: str, column: ColumnElement[Any], value: int | str) -> bool:
    return (
        tx.execute(update(requests).where(*_UNFINISHED).values({column: value}), {"wanted_id": request_id}).rowcount
        == 1
    )
