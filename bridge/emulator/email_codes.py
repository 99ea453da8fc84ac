"""The codes that Dynamic sends by e-mail. These go nowhere: whoever runs the emulator reads them here."""

import hmac
import secrets
import uuid
from collections import deque
from dataclasses import dataclass
from threading import RLock

from bridge.emulator.accounts import is_email
from bridge.emulator.errors import InvalidEmailError, VerificationEndedError, WrongCodeError

LIFETIME = 10 * 60
"""Seconds. Dynamic does not say how long one of its own is good."""
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class EmailCode:
    """One e-mail: six digits, good until `expires_at` (Unix seconds) for the verification they belong to."""

    verification_uuid: str
    email: str
    code: str
    expires_at: int


class EmailCodes:
    """The codes sent, and which of them are still open. Thread-safe."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._open: dict[str, EmailCode] = {}
        self._sent: deque[EmailCode] = deque(maxlen=REMEMBERED)

    def send(self, email: str, now: int) -> EmailCode:
        """A code for this address. InvalidEmailError."""
        if not is_email(email):
            raise InvalidEmailError("not an e-mail address")
        return self._send(str(uuid.uuid4()), email, now)

    def send_again(self, verification_uuid: str, email: str, now: int) -> EmailCode:
        """Another code for the same verification; the first is good no longer. VerificationEndedError."""
        with self._lock:
            known = self._find(verification_uuid, now)
            if known.email != email:
                raise VerificationEndedError("the verification is another address's")
            return self._send(verification_uuid, email, now)

    def redeem(self, verification_uuid: str, code: str, now: int) -> str:
        """The address that is proven by this, once. WrongCodeError; VerificationEndedError, if it never began too."""
        with self._lock:
            known = self._find(verification_uuid, now)
            if not hmac.compare_digest(known.code.encode(), code.encode("utf-8", "surrogatepass")):
                raise WrongCodeError("the code is wrong")
            del self._open[verification_uuid]
            return known.email

    def latest(self, email: str) -> str:
        """The digits sent to this address last, in whatever case it is written. LookupError if there were none."""
        wanted = email.casefold()
        for sent in self.sent():
            if sent.email.casefold() == wanted:
                return sent.code
        raise LookupError("no code was sent to this address")

    def sent(self) -> list[EmailCode]:
        """All of them, the latest first."""
        with self._lock:
            return list(reversed(self._sent))

    def _send(self, verification_uuid: str, email: str, now: int) -> EmailCode:
        made = EmailCode(verification_uuid, email, f"{secrets.randbelow(10**6):06}", now + LIFETIME)
        with self._lock:
            self._open[verification_uuid] = made
            self._sent.append(made)
        return made

    def _find(self, verification_uuid: str, now: int) -> EmailCode:
        known = self._open.get(verification_uuid)
        if known is None or now >= known.expires_at:
            raise VerificationEndedError("the verification is unknown, used or expired")
        return known
