"""The accounts at a social provider: those that users have, and those that somebody makes up. Pure."""

import hashlib
from collections.abc import Iterable

from bridge.emulator.accounts import is_email
from bridge.emulator.model import Credential, NewOAuth, User, UserFields

LONGEST_NAME = 100


def known_accounts(users: Iterable[User], provider: str) -> list[NewOAuth]:
    """The accounts at this provider by which somebody can sign in."""
    found = (credential for user in users for credential in user.credentials if credential.sign_in)
    return [_account(each) for each in found if each.members.get("oauth_provider") == provider]


def chosen(known: Iterable[NewOAuth], account_id: str) -> NewOAuth | None:
    """The account of this id."""
    return next((account for account in known if account.account_id == account_id), None)


def typed(known: Iterable[NewOAuth], provider: str, email: str, name: str) -> NewOAuth | None:
    """The account of this e-mail address: one that is known, or else a new one, which is the same each time. None if it
    is no address."""
    if not is_email(email):
        return None
    for account in known:
        if email.casefold() in (each.casefold() for each in account.emails):
            return account
    digest = hashlib.sha256(f"{provider} {email.casefold()}".encode()).digest()
    return NewOAuth(
        provider=provider,
        account_id=str(int.from_bytes(digest[:8])),
        username=email.partition("@")[0] if provider == "github" else email,
        display_name=name[:LONGEST_NAME] or None,
        emails=(email,),
    )


def profile(account: NewOAuth) -> UserFields:
    """What a user has of this account who has nothing else."""
    given, _, family = (account.display_name or "").partition(" ")
    return {
        "email": next(iter(account.emails), None),
        "given_name": given or None,
        "family_name": family or None,
    }


def _account(credential: Credential) -> NewOAuth:
    members = credential.members
    name, username = members.get("oauth_display_name"), members.get("oauth_username")
    emails = members.get("oauth_emails")
    return NewOAuth(
        provider=str(members.get("oauth_provider")),
        account_id=str(members.get("oauth_account_id")),
        username=None if username is None else str(username),
        display_name=None if name is None else str(name),
        emails=tuple(str(each) for each in emails) if isinstance(emails, list) else (),
    )
