"""Sessions of browsers: whom one serves, when a sign-in is fresh, and how long what it opens may live."""

from collections.abc import Set
from dataclasses import dataclass
from urllib.parse import urlsplit

from bridge.history import AuditEntry, Cause, Event, acting_user
from bridge.lifecycle.closing import end_session
from bridge.lifecycle.identifiers import Identifiers, identifiers_of
from bridge.model import Assertion, Client, Session, User
from bridge.store import Tx, audit, grants, sessions, upstream, users
from bridge.store.grants import Ground
from bridge.store.recognition import Known
from bridge.store.sessions import SignIn

FRESHNESS_TOLERANCE = 5  # seconds that clocks may differ


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """How long a browser's session lives, in seconds, and what the audit entry of its sign-in says of its user."""

    idle_ttl: int
    absolute_ttl: int
    identifiers: Identifiers = "none"

    def expires_at(self, sign_in: SignIn, now: int) -> int:
        """Its absolute end: our own, or that of the trust in what it rests on."""
        return min(now + self.absolute_ttl, sign_in.trusted_until)

    def idle_at(self, expires_at: int, now: int) -> int:
        """When it has not been used for too long."""
        return min(now + self.idle_ttl, expires_at)


def origin_of(url: str) -> str:
    """The web origin of a URL that configuration has checked (RFC 6454)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def serves(session: Session, client: Client, signin_url: str | None, trusted: Set[str]) -> bool:
    """Whether a session is worth anything to a client: it is worth what proved it.

    One that was proven on the page where this client's users sign in, or on another of the client's own pages, or by
    the bridge itself (`trusted`, its own page's origin). Else whoever runs one app could become its users at every
    other.
    """
    own_page = () if signin_url is None else (origin_of(signin_url),)
    return session.origin in trusted or session.origin in own_page or session.origin in client.assertion_origins


def is_fresh(assertion: Assertion, known: Known, began_at: int) -> bool:
    """Whether the user acted for this sign-in: Dynamic renews tokens silently, which is none (threats A19).

    Neither the token, nor its session as far as we know it, nor the window of that session is older than the request.
    """
    first = assertion.original_sid in (None, assertion.sid) and assertion.refresh_expires_at is not None
    begun = (assertion.issued_at, known.auth_time, known.first_seen_at or 0)
    return first and min(begun) >= began_at - FRESHNESS_TOLERANCE


def goes_on(tx: Tx, session: Session, policy: SessionPolicy, now: int) -> bool:
    """Whether a session that is being used still lives; until we commit nobody ends it, nor what it rests on."""
    ground = Ground(session.environment_id, session.session_key, session.opened_at)
    return grants.hold(tx, session.sub, ground) and sessions.touch(
        tx, session.session_id, idle_at=policy.idle_at(session.expires_at, now)
    )


def open_or_renew(
    tx: Tx,
    sign_in: SignIn,
    held: tuple[Session, User] | None,
    policy: SessionPolicy,
    *,
    client: Client,
    user_agent: str | None,
    now: int,
) -> str | None:
    """The cookie of the session that a proven sign-in opens, always a new value (no fixation).

    There is one session in a browser. The same user's goes on; another user's ends, while what its apps hold is theirs.
    None if the user has signed out since the sign-in was proven, here, everywhere, or in this very moment.
    """
    user = users.by_sub(tx, sign_in.sub)
    if user is None or user.was_revoked_since(sign_in.kept_at):
        return None
    if upstream.is_over(tx, sign_in.environment_id, sign_in.session_key):
        return None
    actor = acting_user(sign_in.sub)
    expires_at = policy.expires_at(sign_in, now)
    idle_at = policy.idle_at(expires_at, now)
    if held is not None and held[0].sub == sign_in.sub:
        cookie = sessions.sign_in_again(
            tx, held[0], sign_in, user_agent=user_agent, idle_at=idle_at, expires_at=expires_at
        )
    else:
        if held is not None:
            end_session(tx, held[0], Cause.SESSION_REPLACED, actor=actor, now=now)
        cookie = sessions.open_session(tx, sign_in, user_agent=user_agent, idle_at=idle_at, expires_at=expires_at)
    if cookie is not None:
        entry = AuditEntry(
            at=now,
            event=Event.SIGNED_IN,
            actor=actor,
            client_id=client.client_id,
            sub=sign_in.sub,
            detail={"origin": sign_in.origin, **identifiers_of(user.claims, policy.identifiers)},
        )
        audit.record(tx, entry)
    return cookie
