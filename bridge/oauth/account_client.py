"""The client that the users' own page is to /authorize: built in, in no table, and with no way to get a token.

It has no secret, so that nobody can be it at /token and the like; and /authorize sends it no code: the page is ours,
and sees the browser's session itself. What counts for it is a session that was proven on a page of the bridge, or on
the one that its operator names for everybody (BRIDGE_SIGNIN_URL). One that was proven on a client's own page does not:
whoever runs that app would get at everything its users have here.
"""

from urllib.parse import urlencode

from bridge.model import AUTHORIZATION_CODE, Client

ACCOUNT = "bridge-account"
RECENT = 600  # seconds since a sign-in that counts as one for what cannot be undone

_SCOPES = ("openid", "profile", "email", "phone", "wallets")


def account_url(issuer: str) -> str:
    """Where the page is."""
    return f"{issuer}/account"


def erasure_url(issuer: str) -> str:
    """Where a user erases their data."""
    return f"{issuer}/account/erase"


def account_client(issuer: str) -> Client:
    """The client."""
    return Client(
        ACCOUNT,
        name="Your account",
        grants=(AUTHORIZATION_CODE,),
        scopes=_SCOPES,
        redirect_uris=(account_url(issuer), erasure_url(issuer)),
        require_pkce=False,
        consent="skip",
    )


def sign_in_url(issuer: str, to: str, **more: str) -> str:
    """Where somebody signs in who then comes to one of these pages."""
    asked = {"client_id": ACCOUNT, "redirect_uri": to, "response_type": "code", "scope": " ".join(_SCOPES), **more}
    return f"{issuer}/authorize?{urlencode(asked)}"
