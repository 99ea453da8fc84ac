"""Users as people name them: found by what is typed, checked by a password, shown on a page. Pure."""

import hmac
from collections.abc import Iterable

from bridge.emulator.errors import UnknownUserError, WrongPasswordError
from bridge.emulator.model import User

NAMED_BY = ("email", "address")
LONGEST_EMAIL = 254  # RFC 5321, section 4.5.3.1.3: the path, without its brackets


def find(users: Iterable[User], name: str) -> tuple[User, str | None]:
    """The user whose e-mail address, username, alias or wallet address this is, in any case, and the credential so
    named if it may sign in. The first of several. UnknownUserError."""
    wanted = name.strip().casefold()
    for user in users if wanted else ():
        for credential in user.credentials:
            if wanted in (str(credential.members.get(member, "")).casefold() for member in NAMED_BY):
                return user, credential.id if credential.sign_in else None
        if wanted in ((own or "").casefold() for own in (user.email, user.username, user.alias)):
            return user, None
    raise UnknownUserError("no user is called that")


def is_email(text: str) -> bool:
    """Whether an e-mail could be sent there."""
    name, _, domain = text.rpartition("@")
    return bool(name and domain) and len(text) <= LONGEST_EMAIL and text.isprintable() and " " not in text


def check_password(user: User, password: str) -> None:
    """WrongPasswordError if it is empty, or the user was given another; a user without one takes any."""
    if not password or not hmac.compare_digest(_bytes(password), _bytes(user.password or password)):
        raise WrongPasswordError("wrong password")


def shown_name(user: User) -> str:
    """What a page calls the user. Half a character, which a user may be given but UTF-8 cannot write, becomes `?`."""
    full = " ".join(part for part in (user.given_name, user.family_name) if part)
    wallets = (str(c.members["address"]) for c in user.credentials if c.format == "blockchain")
    short = (address if len(address) < 16 else f"{address[:6]}…{address[-4:]}" for address in wallets)
    name = full or user.email or user.username or user.alias or next(short, user.id)
    return _bytes(name, "replace").decode()


def _bytes(text: str, errors: str = "surrogatepass") -> bytes:
    return text.encode("utf-8", errors)
