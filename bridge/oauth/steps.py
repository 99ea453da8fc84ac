"""What a person's browser is told to do next. bridge/web turns each into a response; nothing else can redirect."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from bridge.errors import NotServed
from bridge.lifecycle.disclosure import Overview
from bridge.model import AuthorizationRequest, Client, Environment, Json, Session, User


@dataclass(frozen=True, slots=True)
class Redirect:
    """303 to a URL that configuration or a client's registration vouches for."""

    url: str


@dataclass(frozen=True, slots=True)
class PostForm:
    """A page whose form is posted to a registered redirect_uri (OAuth 2.0 Form Post Response Mode)."""

    url: str
    client: Client
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShowError:
    """A page that says why there is no way on; `again`: where to begin anew."""

    why: NotServed
    client: Client | None = None
    again: str | None = None


@dataclass(frozen=True, slots=True)
class ShowSignInMissing:
    """A page that says that there is no page yet on which this client's users could sign in."""

    client: Client


@dataclass(frozen=True, slots=True)
class ShowSignIn:
    """Our own sign-in page, for a request that began. `restart`: where the sign-in can begin in another browser."""

    client: Client
    environment: Environment
    request_id: str
    prompt: str | None
    login_hint: str | None = field(repr=False)
    restart: str


@dataclass(frozen=True, slots=True)
class ShowSigningOut:
    """A page that ends the session at Dynamic which our own sign-in page holds, then goes on to `target` if any.

    `erased`: it says that the user's data is erased, too.
    """

    client: Client | None
    environment: Environment
    target: str | None
    erased: bool = False


@dataclass(frozen=True, slots=True)
class ShowConsent:
    """A page that asks the user to let a client have what it asks for."""

    request: AuthorizationRequest
    user: User
    fields: Mapping[str, str] = field(repr=False)
    switch: str  # where the user signs in with another account


@dataclass(frozen=True, slots=True)
class ShowLogout:
    """A page that asks whether to sign out."""

    client: Client | None
    user: User
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShowLoggedOut:
    """A page that says that nobody is signed in any more."""

    client: Client | None = None


@dataclass(frozen=True, slots=True)
class ShowAccount:
    """The users' own page. `seals`: of each form on it, by what it does and to what. `notice`: what was just done."""

    session: Session
    user: User
    overview: Overview
    clients: Mapping[str, Client]
    seals: Mapping[tuple[str, str], str] = field(repr=False)
    notice: str | None
    now: int


@dataclass(frozen=True, slots=True)
class ShowErasure:
    """A page that asks whether the user's data shall be erased."""

    user: User
    seal: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShowErased:
    """A page that says that the user's data has been erased."""


@dataclass(frozen=True, slots=True)
class Download:
    """A JSON document for the user to keep."""

    name: str
    document: Json = field(repr=False)


Step = (
    Redirect
    | PostForm
    | ShowError
    | ShowSignInMissing
    | ShowSignIn
    | ShowSigningOut
    | ShowConsent
    | ShowLogout
    | ShowLoggedOut
    | ShowAccount
    | ShowErasure
    | ShowErased
    | Download
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step, and the cookies that go with it: None leaves one as it is, an empty string takes it away.

    `why`: what a client is told by a redirect; a page that says so knows it itself.
    """

    step: Step
    browser: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)
    why: NotServed | None = None


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """A URL with parameters added to those it has (RFC 6749 section 3.1.2)."""
    if not parameters:
        return url
    joint = "&" if urlsplit(url).query else ("" if url.endswith("?") else "?")
    return f"{url}{joint}{urlencode(parameters)}"
