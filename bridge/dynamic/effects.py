"""What an event at Dynamic means here: its data, whose form is only partly published, as one of a few effects. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bridge.dynamic import text
from bridge.dynamic.profile import in_token_words
from bridge.model import Json

# What a merged-away id and a wallet's former owner are called is not published; these are the likely names.
_GONE = ("mergedUserId", "mergedAwayUserId", "mergedFromUserId", "previousUserId", "deletedUserId", "fromUserId")
_OWNERS = ("userId", "previousUserId", "fromUserId", "toUserId", "oldUserId", "newUserId", "previousOwnerId")


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """A session at Dynamic has ended. Without `sid`, every one that the user had then."""

    sid: str | None
    user_id: str | None
    by_admin: bool


@dataclass(frozen=True, slots=True)
class UserDeleted:
    """A user is no more."""

    user_id: str


@dataclass(frozen=True, slots=True)
class UserMerged:
    """One user has become part of another."""

    gone: str
    survivor: str


@dataclass(frozen=True, slots=True)
class UserChanged:
    """A profile or credentials are others now. `profile`: what they are, in the large token's words, if it is told."""

    user_id: str
    profile: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CredentialRemoved:
    """Whichever of these users had this wallet or this e-mail address before has it no more.

    A new owner may be among them, who is told to have it later than this. `any_email`: the address is not told, so
    whatever they had may be it.
    """

    user_ids: tuple[str, ...]
    address: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    any_email: bool = False


@dataclass(frozen=True, slots=True)
class Ping:
    """A test message."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing that concerns the bridge, or that it understands."""


Effect = SessionRevoked | UserDeleted | UserMerged | UserChanged | CredentialRemoved | Ping | Unknown


def effect_of(event: str, message: Json) -> Effect:
    """What an event means; `Unknown` for one that means nothing here, or whose data have a form that we do not know."""
    data = message.get("data")
    known = _EFFECTS.get(event)
    return Unknown() if known is None else known(data if isinstance(data, dict) else {}, message)


def _revoked(data: Json, message: Json, *, by_admin: bool = False) -> Effect:
    sid, user_id = text.session_id(data.get("id")), text.user_id(data.get("userId"))
    if user_id is None and sid is not None and not by_admin:
        # The one who did it: not the subject if an admin did, nor if we cannot read what was done.
        user_id = text.user_id(message.get("userId"))
    return Unknown() if sid is None and user_id is None else SessionRevoked(sid, user_id, by_admin)


def _revoked_by_admin(data: Json, message: Json) -> Effect:
    return _revoked(data, message, by_admin=True)


def _deleted(data: Json, _: Json) -> Effect:
    user_id = _subject(data)
    return Unknown() if user_id is None else UserDeleted(user_id)


def _merged(data: Json, _: Json) -> Effect:
    survivor = _subject(data)
    gone = next((found for found in _ids(data, _GONE) if found != survivor), None)
    if survivor is None:
        return Unknown()
    return UserChanged(survivor) if gone is None else UserMerged(gone, survivor)


def _changed(data: Json, _: Json) -> Effect:
    user_id = _subject(data)
    if user_id is None:
        return Unknown()
    user = data["user"] if isinstance(data.get("user"), dict) else data
    return UserChanged(user_id, in_token_words(user) if isinstance(user.get("verifiedCredentials"), list) else None)


def _linked(data: Json, message: Json) -> Effect:
    """What was linked comes with the user's next token, which Dynamic issues at once, or with the next look."""
    user_id = next(_owners(data, message), None)
    return Unknown() if user_id is None else UserChanged(user_id)


def _wallet_removed(data: Json, message: Json) -> Effect:
    address = text.line(data.get("publicKey")) or text.line(data.get("address"))
    return _removed(data, message, address=address)


def _email_removed(data: Json, message: Json) -> Effect:
    email = text.email(data.get("email")) or text.email(data.get("publicIdentifier"))
    return _removed(data, message, email=email, any_email=email is None)


def _social_removed(data: Json, message: Json) -> Effect:
    """An account at Google counts as proof of its address, and the event does not tell which that was."""
    return _removed(data, message, any_email=str(data.get("provider")).lower() == "google")


def _removed(
    data: Json, message: Json, *, address: str | None = None, email: str | None = None, any_email: bool = False
) -> Effect:
    owners = tuple(dict.fromkeys(_owners(data, message)))
    return CredentialRemoved(owners, address, email, any_email) if owners else Unknown()


def _subject(data: Json) -> str | None:
    """The user that an event of users is about. Never the envelope's userId: that is who did it."""
    user = data.get("user")
    nested = user.get("id") if isinstance(user, dict) else None
    return text.user_id(nested) or text.user_id(data.get("id")) or text.user_id(data.get("userId"))


def _owners(data: Json, message: Json) -> Iterator[str]:
    """Every user that an event of credentials names; who did it is one of them, unless an admin did."""
    yield from _ids(data, _OWNERS)
    envelope = text.user_id(message.get("userId"))
    if envelope is not None:
        yield envelope


def _ids(data: Json, names: Iterable[str]) -> Iterator[str]:
    yield from (found for name in names if (found := text.user_id(data.get(name))) is not None)


_EFFECTS: Mapping[str, Callable[[Json, Json], Effect]] = {
    "ping": lambda *_: Ping(),
    "user.created": _changed,
    "user.updated": _changed,
    "user.deleted": _deleted,
    "user.merged": _merged,
    "user.session.revoked": _revoked,
    "admin.user.session.revoked": _revoked_by_admin,
    "user.social.linked": _linked,
    "user.social.unlinked": _social_removed,
    "user.email.unlinked": _email_removed,
    "wallet.created": _linked,
    "wallet.linked": _linked,
    "wallet.unlinked": _wallet_removed,
    "wallet.deleted": _wallet_removed,
    "wallet.transferred": _wallet_removed,
}
EVENTS: tuple[str, ...] = tuple(_EFFECTS)
"""The events that mean something here, as Dynamic names them."""

SELECTABLE: tuple[str, ...] = tuple(
    name for name in EVENTS if name not in ("ping", "user.email.unlinked", "wallet.deleted")
)
"""Those that a webhook can ask for; the others are sent without being asked for."""
