"""What an event at Dynamic does here, in one transaction: the same twice, and in any order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.dynamic.claims import identity_of_user
from bridge.dynamic.effects import CredentialRemoved, Effect, SessionRevoked, UserChanged, UserDeleted, UserMerged
from bridge.dynamic.management import DynamicSession
from bridge.dynamic.wallets import without_wallet
from bridge.history import DYNAMIC, AuditEntry, Cause, Event
from bridge.lifecycle.closing import Ending
from bridge.lifecycle.dynamic_sessions import Revocation, end_revoked
from bridge.lifecycle.endings import delete_user
from bridge.model import ClaimRule, Environment, Json
from bridge.store import Tx, audit, outbox, recognition, users
from bridge.store.outbox import Kind, Message


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that Dynamic tells: of which environment, `at` which moment of its clock, and when we learn of it.

    `detail`: what the audit log says of it beside that.
    """

    environment: Environment
    at: int
    now: int
    detail: Json = field(default_factory=dict)

    @property
    def environment_id(self) -> str:
        """The environment's id."""
        return self.environment.environment_id

    def ending(self, cause: Cause) -> Ending:
        """The end of something for this."""
        return Ending(cause, DYNAMIC, self.now, self.detail)


@dataclass(frozen=True, slots=True)
class Effects:
    """How this bridge takes what Dynamic tells: its claim mapping, and which environment's ids are the subs."""

    rules: Sequence[ClaimRule]
    primary_environment: str

    def apply(
        self, tx: Tx, occasion: Occasion, effect: Effect, sessions: Sequence[DynamicSession] | None = None
    ) -> None:
        """Do what an effect says. `sessions`: what Dynamic answered where that decides (dynamic_sessions)."""
        match effect:
            case SessionRevoked():
                revocation = Revocation(occasion.environment_id, effect, occasion.at, sessions)
                end_revoked(tx, revocation, occasion.ending(Cause.DYNAMIC_SESSION_ENDED))
            case UserDeleted(user_id):
                self._delete(tx, occasion, user_id, Cause.USER_DELETED)
            case UserMerged(gone, survivor):
                self._delete(tx, occasion, gone, Cause.USER_MERGED, merged_into=survivor)
                _owe_reread(tx, occasion, survivor)
            case UserChanged(user_id, None):
                _owe_reread(tx, occasion, user_id)
            case UserChanged(user_id, profile) if profile is not None:
                self.bring_up_to_date(tx, occasion, user_id, profile)
            case CredentialRemoved():
                for user_id in effect.user_ids:
                    _take_away(tx, occasion, user_id, effect)
                    _owe_reread(tx, occasion, user_id)

    def bring_up_to_date(self, tx: Tx, occasion: Occasion, user_id: str, profile: Json) -> bool:
        """Keep what Dynamic tells of a user, unless they told something later; False if they are not known here.

        Nobody is made known by it: who never came here is none of our business.
        """
        before = users.by_id(tx, occasion.environment_id, user_id)
        if before is None:
            return False
        identity = identity_of_user(
            occasion.environment_id, user_id, profile, self.rules, told_at=occasion.at, known=before.claims
        )
        known = recognition.bring_up_to_date(tx, identity, occasion.now)
        _note_change(tx, occasion, user_id, before.claims)
        return known

    def _delete(
        self, tx: Tx, occasion: Occasion, user_id: str, cause: Cause, *, merged_into: str | None = None
    ) -> None:
        """They never come back, though we never saw them: a `user.created` may come after this."""
        user = recognition.by_id(
            tx, occasion.environment_id, user_id, primary_environment=self.primary_environment, now=occasion.now
        )
        if user is not None:
            delete_user(tx, user, occasion.ending(cause), merged_into=merged_into)


def _take_away(tx: Tx, occasion: Occasion, user_id: str, removed: CredentialRemoved) -> None:
    before = users.by_id(tx, occasion.environment_id, user_id)
    if before is None:
        return
    recognition.take_away(
        tx,
        occasion.environment_id,
        user_id,
        lambda claims: _without(claims, removed),
        told_at=occasion.at,
        now=occasion.now,
    )
    _note_change(tx, occasion, user_id, before.claims)


def _without(claims: Json, removed: CredentialRemoved) -> Json:
    left = claims if removed.address is None else without_wallet(claims, removed.address)
    if removed.any_email or (removed.email is not None and removed.email == left.get("email")):
        left = {name: value for name, value in left.items() if name not in ("email", "email_verified")}
    return left


def _owe_reread(tx: Tx, occasion: Occasion, user_id: str) -> None:
    """Have Dynamic asked how a user is now, if they are known here and we may ask."""
    if occasion.environment.api_token is None:
        return
    user = users.by_id(tx, occasion.environment_id, user_id)
    if user is not None and not user.deleted:
        message = Message(Kind.REREAD_USER, occasion.environment_id, {"user_id": user_id})
        outbox.put(tx, [message], occasion.now)


def _note_change(tx: Tx, occasion: Occasion, user_id: str, before: Json) -> None:
    after = users.by_id(tx, occasion.environment_id, user_id)
    if after is None or after.claims == before:
        return
    entry = AuditEntry(at=occasion.now, event=Event.USER_CHANGED, actor=DYNAMIC, sub=after.sub, detail=occasion.detail)
    audit.record(tx, entry)
