"""What the emulator refuses with, in the process; over HTTP each has a status code (see api and admin)."""


class UnknownUserError(LookupError):
    """No user has this id."""


class UnknownSessionError(LookupError):
    """No session has this id."""


class UnknownCredentialError(LookupError):
    """The user has no credential of this id."""


class UnknownKeyError(LookupError):
    """The environment never had a key of this id."""


class UnknownWebhookError(LookupError):
    """No webhook has this id."""


class UnknownMessageError(LookupError):
    """No webhook message has this id."""


class WrongPasswordError(Exception):
    """Not the password that opens this user's account."""


class SessionEndedError(Exception):
    """The session was revoked, replaced, or is past its refresh window."""


class NotAuthenticatedError(Exception):
    """A bearer token that is not ours, has expired, or whose session has ended."""


class InvalidEmailError(Exception):
    """No code can be sent there."""


class WrongCodeError(Exception):
    """Not the code that was sent; the right one is still good."""


class VerificationEndedError(Exception):
    """The code was used or has expired, or the verification never began."""


class InvalidMessageError(Exception):
    """The text that a wallet signed is no sign-in message, or not one for here and now."""


class InvalidSignatureError(Exception):
    """Not a signature, or another key's."""


class LinkedElsewhereError(Exception):
    """Another user has proven this before."""


class CaptchaError(Exception):
    """The environment demands a captcha, and none came along."""


class RateLimitedError(Exception):
    """Too many calls. `seconds` is when to call again."""

    def __init__(self, seconds: int) -> None:
        super().__init__("too many requests")
        self.seconds = seconds


class SocialError(Exception):
    """A sign-in by social account that was not begun here, has ended, or is not the one it says."""


class NotInstalledError(Exception):
    """A library that only this needs is not there."""
