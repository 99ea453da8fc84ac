"""What Dynamic's browser SDKs call before anybody is signed in, below /api/v0/sdk/<environment>.

    GET  /nonce, /nonces             for the device's proof, and for the message that a wallet signs
    POST /emailVerifications/...     create: a code by e-mail; retry: another; signin: the code for a session
    POST /sdkSettings, /connect      what the SDK reports; nothing comes of it

Sign-in by wallet (/wallets/signin, /verify) and by social account (/providers/...) would stand beside that by e-mail.
"""

from collections.abc import Mapping
from threading import Lock
from typing import Any

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from bridge.emulator.accounts import owner
from bridge.emulator.callers import verify_response
from bridge.emulator.device import check_device
from bridge.emulator.email_codes import EmailCode
from bridge.emulator.errors import InvalidEmailError, VerificationEndedError, WrongCodeError
from bridge.emulator.inputs import BadInputError, body_object, text
from bridge.emulator.world import DEMO_ORIGIN, Emulator

# From the list of Dynamic's own codes, UnprocessableEntityErrorCode of its OpenAPI description.
CODES: Mapping[type[Exception], str] = {
    WrongCodeError: "wrong_email_verification_token",
    VerificationEndedError: "invalid_email_verification",
    InvalidEmailError: "invalid_email",
}
MOST_NONCES = 5


def browser_sdk(api: Blueprint, emulator: Emulator) -> None:
    """Adds these endpoints to Dynamic's API. A body that is not the right one is 400, one that does not hold 422."""
    _errors(api)
    _nonces(api, emulator)
    _email(api, emulator)
    _reports(api)


def _errors(api: Blueprint) -> None:
    @api.errorhandler(BadInputError)
    def bad_input(error: BadInputError) -> ResponseReturnValue:
        return {"error": str(error), "code": "bad_request"}, 400

    @api.errorhandler(WrongCodeError)
    @api.errorhandler(VerificationEndedError)
    @api.errorhandler(InvalidEmailError)
    def unprocessable(error: Exception) -> ResponseReturnValue:
        return {"error": str(error), "code": CODES[type(error)]}, 422


def _nonces(api: Blueprint, emulator: Emulator) -> None:
    @api.get("/sdk/<environment>/nonce")
    def nonce(environment: str) -> ResponseReturnValue:  # noqa: ARG001 - checked before the request
        return {"nonce": emulator.nonces.fresh()}

    @api.get("/sdk/<environment>/nonces")
    def nonces(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        count = request.args.get("count", 1, type=int)
        if not 1 <= count <= MOST_NONCES:
            abort(400, f"count must be 1 to {MOST_NONCES}")
        return {"nonces": [emulator.nonces.fresh() for _ in range(count)]}


def _email(api: Blueprint, emulator: Emulator) -> None:
    arriving = Lock()  # of two pages at once, the second finds the user that the first has made

    @api.post("/sdk/<environment>/emailVerifications/create")
    def create(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        (email,) = _texts("email")
        return _sent(emulator.email_codes.send(email, emulator.clock()))

    @api.post("/sdk/<environment>/emailVerifications/retry")
    def retry(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        verification, email = _texts("verificationUUID", "email")
        return _sent(emulator.email_codes.send_again(verification, email, emulator.clock()))

    @api.post("/sdk/<environment>/emailVerifications/signin")
    def sign_in(environment: str) -> Response:  # noqa: ARG001
        check_device(request.headers, emulator.nonces)
        verification, code = _texts("verificationUUID", "verificationToken")
        email = emulator.email_codes.redeem(verification, code, emulator.clock())
        with arriving:
            user, credential_id = owner(emulator.users(), email) or (emulator.create_user(email=email), None)
        origin = request.headers.get("Origin", DEMO_ORIGIN)  # a server has none
        return verify_response(emulator, emulator.sign_in(user.id, origin=origin, credential_id=credential_id))


def _reports(api: Blueprint) -> None:
    @api.post("/sdk/<environment>/sdkSettings")
    @api.post("/sdk/<environment>/connect")
    def report(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        return "", 204


def _texts(*names: str) -> list[str]:
    """These members of the body, all of them strings; it may have others. BadInputError."""
    body: dict[str, Any] = body_object(request.get_data())
    return [text(name, body.get(name)) for name in names]


def _sent(sent: EmailCode) -> ResponseReturnValue:
    return {"verificationUUID": sent.verification_uuid, "email": sent.email}
