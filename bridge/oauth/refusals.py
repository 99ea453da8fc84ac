"""Our reasons in OAuth's words: one table, so that every endpoint gives the same answer to the same fault.

The description is the reason's fixed sentence and echoes nothing of the request. The error_uri is the reason's page.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from bridge.errors import NotServed, Refused
from bridge.oauth.request import Answer, HttpRequest, json_answer
from bridge.reasons import Explained, Reason
from bridge.signin_reasons import SignInReason


class GrantRefused(Refused):
    """What was presented as a grant is no good: invalid_grant, unless the table says otherwise.

    An assertion at jwt-bearer (RFC 7523 section 3.1), a code and a refresh token (RFC 6749 section 5.2) are refused so.
    """


class SignInRefused(Refused):
    """This user gets nothing at this client: access_denied, unless the table says otherwise (RFC 6749 4.1.2.1)."""


@contextmanager
def as_grant() -> Iterator[None]:
    """Whatever is refused within was presented as a grant."""
    try:
        yield
    except Refused as refused:
        raise GrantRefused(refused.reason, refused.detail, refused.retry_after) from refused


# RFC 6749 section 5.2 and RFC 8693 section 2.2.2; what is not named here is invalid_request.
_ERRORS: Mapping[Explained, tuple[str, int]] = {
    Reason.CLIENT_AUTHENTICATION_FAILED: ("invalid_client", 401),
    Reason.CLIENT_DISABLED: ("invalid_client", 401),
    Reason.GRANT_NOT_ALLOWED: ("unauthorized_client", 400),
    Reason.GRANT_TYPE_UNSUPPORTED: ("unsupported_grant_type", 400),
    Reason.SCOPE_NOT_ALLOWED: ("invalid_scope", 400),
    Reason.TARGET_NOT_ALLOWED: ("invalid_target", 400),
    Reason.TOKEN_OF_ANOTHER_CLIENT: ("invalid_grant", 400),
    Reason.TOO_MANY_TRIES: ("temporarily_unavailable", 429),
    Reason.TOO_MANY_REQUESTS: ("temporarily_unavailable", 429),
    Reason.BODY_TOO_LARGE: ("invalid_request", 413),
    Reason.ACCESS_TOKEN_INVALID: ("invalid_token", 401),
    Reason.SCOPE_INSUFFICIENT: ("insufficient_scope", 403),
    SignInReason.RESPONSE_TYPE_UNSUPPORTED: ("unsupported_response_type", 400),
    SignInReason.REQUEST_OBJECT_UNSUPPORTED: ("request_not_supported", 400),
    SignInReason.REQUEST_URI_UNSUPPORTED: ("request_uri_not_supported", 400),
    SignInReason.LOGIN_REQUIRED: ("login_required", 400),
    SignInReason.CONSENT_REQUIRED: ("consent_required", 400),
    SignInReason.ACCESS_DENIED: ("access_denied", 400),
    SignInReason.ACR_UNMET: ("unmet_authentication_requirements", 400),
    Reason.KEYS_UNAVAILABLE: ("temporarily_unavailable", 503),
    Reason.LIVE_CHECK_UNAVAILABLE: ("temporarily_unavailable", 503),
    Reason.DATABASE_UNAVAILABLE: ("temporarily_unavailable", 503),
    Reason.TOO_BUSY: ("temporarily_unavailable", 503),
}
_INVALID_REQUEST = ("invalid_request", 400)
_OTHERWISE = ((GrantRefused, ("invalid_grant", 400)), (SignInRefused, ("access_denied", 400)))

_FORBIDDEN = str.maketrans({'"': "'", "\\": "/"})  # RFC 6749 section 5.2 keeps these out of a description


def error_document(why: NotServed, reasons_url: str) -> dict[str, str]:
    """The body that says so: error, error_description, error_uri."""
    return {
        "error": _error(why)[0],
        "error_description": why.reason.means.translate(_FORBIDDEN),
        "error_uri": f"{reasons_url}/{why.reason.code}",
    }


def page_status(why: NotServed) -> int:
    """The HTTP status of a page that says so; never 401, for a browser has nothing to authenticate with."""
    status = _error(why)[1]
    return 400 if status == 401 else status


def refusal_answer(why: NotServed, reasons_url: str, request: HttpRequest) -> Answer:
    """The refusal as an answer of an endpoint that authenticates clients.

    What is unavailable is 503 and never invalid_grant, on which clients would sign their users out.
    """
    error, status = _error(why)
    answer = json_answer(status, error_document(why, reasons_url))
    headers = dict(answer.headers)
    if error == "invalid_client" and "authorization" in request.headers:
        headers["WWW-Authenticate"] = 'Basic realm="oidc-bridge"'  # RFC 6749 section 5.2
    if why.retry_after is not None:
        headers["Retry-After"] = str(why.retry_after)
    return replace(answer, headers=headers, why=why)


def _error(why: NotServed) -> tuple[str, int]:
    by_kind = next((error for kind, error in _OTHERWISE if isinstance(why, kind)), _INVALID_REQUEST)
    return _ERRORS.get(why.reason, by_kind)
