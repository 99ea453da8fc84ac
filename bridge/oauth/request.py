"""A request as the protocol room sees it, and its form, read strictly and once (RFC 6749 section 3.2)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from bridge.errors import NotServed, Refused
from bridge.oauth.notes import Notes
from bridge.reasons import Reason

MAX_BODY_BYTES = 64 * 1024
MAX_PARAMETERS = 64
REPEATABLE = frozenset({"resource", "audience"})  # RFC 8693 section 2.1, RFC 8707 section 2
MAX_REPEATS = 10

_JSON_HEADERS: Mapping[str, str] = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "X-Content-Type-Options": "nosniff",
}
_DUMP = json.JSONEncoder(separators=(",", ":")).encode
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request: header names in lower case, the whole body, the peer's address, and the moment it is judged at."""

    method: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    peer: str
    now: int
    notes: Notes = field(default_factory=Notes, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class BrowserRequest:
    """One request of a person's browser: query and body undecoded, and the values of our two cookies.

    `browser` names the browser, from its first request on; `session` stands for who is signed in with it; `peer` is the
    address it comes from.
    """

    method: str
    query: str = field(repr=False)
    body: bytes = field(repr=False)
    content_type: str
    origin: str | None
    browser: str | None = field(repr=False)
    session: str | None = field(repr=False)
    peer: str
    now: int
    user_agent: str | None = field(default=None, repr=False)  # printable ASCII of bounded length, else None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, ready to be sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    why: NotServed | None = None  # for the log; the body says the same in OAuth's words


def json_answer(status: int, document: Mapping[str, Any]) -> Answer:
    """A JSON answer that nobody may keep (RFC 6749 section 5.1)."""
    return Answer(status, _JSON_HEADERS, _DUMP(document).encode())


class Form:
    """The parameters of a request body. The query string is never looked at (threats O13)."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    def get(self, name: str) -> str | None:
        """The parameter's value; None if absent or empty, which mean the same (RFC 6749 section 3.2)."""
        return next(filter(None, self._values.get(name, ())), None)

    def require(self, name: str) -> str:
        """The parameter's value. Raises Refused(PARAMETER_MISSING)."""
        value = self.get(name)
        if value is None:
            raise Refused(Reason.PARAMETER_MISSING, name)
        return value

    def repeats(self, name: str) -> bool:
        """Whether the parameter stands more often than it may."""
        return len(self._values.get(name, ())) > (MAX_REPEATS if name in REPEATABLE else 1)

    def repeated(self) -> frozenset[str]:
        """Every parameter that stands more often than it may."""
        return frozenset(name for name in self._values if self.repeats(name))

    def every(self, name: str) -> Sequence[str]:
        """All values of a parameter that may repeat, without empty ones."""
        return tuple(filter(None, self._values.get(name, ())))


def is_form(request: HttpRequest | BrowserRequest) -> bool:
    """Whether the body is said to be a form. Multipart is none here: no OAuth client sends it."""
    named = request.content_type if isinstance(request, BrowserRequest) else request.headers.get("content-type", "")
    return named.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"


def read_form(request: HttpRequest | BrowserRequest) -> Form:
    """The body as a form. Raises Refused: another content type, not UTF-8, control characters, repeats, too many."""
    form = parse_parameters(_encoded_form(request))
    if form.repeated():
        raise Refused(Reason.PARAMETER_REPEATED)
    return form


def form_as_query(request: BrowserRequest) -> str:
    """The body as a query, repeats included. It is spelt anew, so that nothing in it ends a header or a URL.

    Raises Refused like parse_parameters, and for another content type.
    """
    return urlencode(_pairs(_encoded_form(request)))


def parse_parameters(encoded: str) -> Form:
    """A form or query as written, repeats included. Raises Refused: not UTF-8, control characters, too many."""
    values: dict[str, list[str]] = {}
    for name, value in _pairs(encoded):
        values.setdefault(name, []).append(value)
    return Form(values)


def _encoded_form(request: HttpRequest | BrowserRequest) -> str:
    if not is_form(request):
        raise Refused(Reason.REQUEST_MALFORMED, "content type")
    if len(request.body) > MAX_BODY_BYTES:
        raise Refused(Reason.BODY_TOO_LARGE)
    try:
        return request.body.decode("ascii")
    except UnicodeDecodeError as error:
        raise Refused(Reason.REQUEST_MALFORMED, "not a form in UTF-8") from error


def _pairs(encoded: str) -> list[tuple[str, str]]:
    """As parse_qsl of the standard library, which spends most of its time on what needs no decoding."""
    fields = encoded.split("&")
    if len(fields) > MAX_PARAMETERS:
        raise Refused(Reason.REQUEST_MALFORMED, "not a form in UTF-8")
    if not encoded.isprintable() and _CONTROL.search(encoded):  # the first is quick, and right for ASCII
        raise Refused(Reason.REQUEST_MALFORMED, "control character")
    pairs = []
    for field_ in fields:
        if field_:
            name, _, value = field_.partition("=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _decoded(text: str) -> str:
    """Form-decoded. Raises Refused: not UTF-8, a control character."""
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        text = unquote(text, "utf-8", "strict")
    except ValueError as error:
        raise Refused(Reason.REQUEST_MALFORMED, "not a form in UTF-8") from error
    if _CONTROL.search(text):
        raise Refused(Reason.REQUEST_MALFORMED, "control character")
    return text
