"""The things of an environment: users, their credentials, their sessions. Values only; times are Unix seconds, UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypedDict


class UserState(StrEnum):
    """How far a sign-in has come, as a server sees it in the token's scope."""

    complete = "complete"
    mfa_owed = "mfa_owed"
    profile_incomplete = "profile_incomplete"
    device_unconfirmed = "device_unconfirmed"


@dataclass(frozen=True, slots=True)
class NewWallet:
    """A wallet to link. Left out: an EVM `address` is drawn at random; the name and `sign_in` follow the provider
    (embedded wallets cannot sign in); `verified_at` is the moment of linking. A `name_service` given as a string is
    its name; as a mapping it may carry `avatar` too."""

    chain: str = "eip155"
    address: str | None = None
    wallet_name: str | None = None
    wallet_provider: str = "browserExtension"
    name_service: str | Mapping[str, str] | None = None
    sign_in: bool | None = None
    last_selected_at: int | None = None
    verified_at: int | None = None
    properties: Mapping[str, object] | None = None
    additional_addresses: Sequence[Mapping[str, object]] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True)
class NewEmail:
    """An e-mail address that its owner has proven by a code."""

    email: str
    sign_in: bool = True
    verified_at: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class NewPhone:
    """A phone number proven by a code: `number` without the country code, `country_code` without a plus."""

    number: str
    country_code: str = "1"
    iso_country: str = "US"
    sign_in: bool = True
    verified_at: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class NewOAuth:
    """An account at a social provider; `account_id` is that provider's own subject."""

    provider: str
    account_id: str
    username: str | None = None
    display_name: str | None = None
    emails: Sequence[str] = ()
    photos: Sequence[str] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    sign_in: bool = True
    verified_at: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class NewOther:
    """A credential of another format (passkey, totp, externalUser, or one nobody knows yet), members as on the wire."""

    format: str
    members: Mapping[str, object] = field(default_factory=dict)
    sign_in: bool = True
    verified_at: int | None = None
    id: str | None = None


NewCredential = NewWallet | NewEmail | NewPhone | NewOAuth | NewOther


@dataclass(frozen=True, slots=True)
class Credential:
    """A linked credential. `members` holds what is particular to the format, under its wire names."""

    id: str
    format: str
    members: Mapping[str, object]
    sign_in: bool
    verified_at: int
    last_selected_at: int | None = None


class UserFields(TypedDict, total=False):
    """What can be said of a user besides the credentials. All of it is self-asserted but `scopes`, `lists`, `roles`.

    `scopes` are the words a customer's gates add to a complete scope; `profile` are further claims of the large token
    under their wire names (`btc_wallet`, `policies_consent`, ...); `metadata` is Dynamic's free object. The
    `password` is the sign-in page's alone; a user without one signs in with any.
    """

    email: str | None
    username: str | None
    given_name: str | None
    family_name: str | None
    phone_number: str | None
    alias: str | None
    country: str | None
    job_title: str | None
    team: str | None
    t_shirt_size: str | None
    lists: Sequence[str]
    scopes: Sequence[str]
    roles: Sequence[str]
    metadata: Mapping[str, object] | None
    profile: Mapping[str, object] | None
    state: UserState | str
    password: str | None


@dataclass(frozen=True, slots=True)
class User:
    """A user as of now; the emulator replaces the value on every change."""

    id: str
    created_at: int
    last_visit_at: int
    credentials: tuple[Credential, ...] = ()
    last_verified_credential_id: str | None = None
    state: UserState = UserState.complete
    email: str | None = None
    username: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    phone_number: str | None = None
    alias: str | None = None
    country: str | None = None
    job_title: str | None = None
    team: str | None = None
    t_shirt_size: str | None = None
    lists: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    profile: Mapping[str, object] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser. Tokens issued before `valid_from` have been superseded by a refresh."""

    sid: str
    original_sid: str
    user_id: str
    origin: str
    created_at: int
    valid_from: int
    refresh_expires_at: int
    signin_credential_id: str
    session_public_key: str
    new_user: bool = False
    revoked_at: int | None = None
