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
