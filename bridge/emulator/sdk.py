"""What Dynamic's browser SDKs call before anybody is signed in, below /api/v0/sdk/<environment>.

    GET  /nonce, /nonces             for the device's proof, and for the message that a wallet signs
    POST /emailVerifications/...     create: a code by e-mail; retry: another; signin, verify: what the code is for
    POST /sdkSettings, /connect      what the SDK reports; nothing comes of it

Beside it stand `wallets` and `providers`. Each of the three ends in /signin or in /verify, which adds a credential.
"""

from collections.abc import Mapping

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from bridge.emulator.arrivals import Arrivals
from bridge.emulator.callers import caller, page_origin, verify_response
from bridge.emulator.captcha import check_captcha
from bridge.emulator.device import check_device
from bridge.emulator.email_codes import EmailCode
from bridge.emulator.errors import (
    CaptchaError,
    InvalidEmailError,
    LinkedElsewhereError,
    VerificationEndedError,
    WrongCodeError,
)
from bridge.emulator.inputs import BadInputError, body_object, texts_of
from bridge.emulator.model import NewEmail
from bridge.emulator.providers import social_sign_in
from bridge.emulator.wallets import wallet_sign_in
from bridge.emulator.world import Emulator

# From the list of Dynamic's own codes, UnprocessableEntityErrorCode of its OpenAPI description.
CODES: Mapping[type[Exception], str] = {
    WrongCodeError: "wrong_email_verification_token",
    VerificationEndedError: "invalid_email_verification",
    InvalidEmailError: "invalid_email",
    LinkedElsewhereError: "merge_accounts_confirmation",
}
MOST_NONCES = 5


def browser_sdk(api: Blueprint, emulator: Emulator) -> None:
    """Adds these endpoints to Dynamic's API. A body that is not the right one is 400, one that does not hold 422."""
    _errors(api)
    _nonces(api, emulator)
    arrivals = Arrivals(emulator)
    _email(api, emulator, arrivals)
    wallet_sign_in(api, emulator, arrivals)
    social_sign_in(api, emulator, arrivals)
    _reports(api)


def _errors(api: Blueprint) -> None:
    @api.errorhandler(BadInputError)
    def bad_input(error: BadInputError) -> ResponseReturnValue:
        return {"error": str(error), "code": "bad_request"}, 400

    @api.errorhandler(CaptchaError)
    def captcha(error: CaptchaError) -> ResponseReturnValue:
        return {"error": str(error), "code": "invalid_captcha"}, 400

    @api.errorhandler(WrongCodeError)
    @api.errorhandler(VerificationEndedError)
    @api.errorhandler(InvalidEmailError)
    @api.errorhandler(LinkedElsewhereError)
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


def _email(api: Blueprint, emulator: Emulator, arrivals: Arrivals) -> None:
    @api.post("/sdk/<environment>/emailVerifications/create")
    def create(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        body = body_object(request.get_data())
        check_captcha(body, emulator.switches)
        (email,) = texts_of(body, "email")
        return _sent(emulator.email_codes.send(email, emulator.clock()))

    @api.post("/sdk/<environment>/emailVerifications/retry")
    def retry(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        body = body_object(request.get_data())
        check_captcha(body, emulator.switches)
        verification, email = texts_of(body, "verificationUUID", "email")
        return _sent(emulator.email_codes.send_again(verification, email, emulator.clock()))

    @api.post("/sdk/<environment>/emailVerifications/signin")
    def signin_by_email(environment: str) -> Response:  # noqa: ARG001
        check_device(request.headers, emulator.nonces, emulator.switches)
        email = _redeemed(emulator)
        return verify_response(emulator, arrivals.sign_in(NewEmail(email), page_origin(), email=email))

    @api.post("/sdk/<environment>/emailVerifications/verify")
    def link_email(environment: str) -> Response:  # noqa: ARG001
        session = caller(emulator)
        check_device(request.headers, emulator.nonces, emulator.switches)
        return verify_response(emulator, arrivals.link(NewEmail(_redeemed(emulator)), session))


def _redeemed(emulator: Emulator) -> str:
    verification, code = texts_of(body_object(request.get_data()), "verificationUUID", "verificationToken")
    return emulator.email_codes.redeem(verification, code, emulator.clock())


def _reports(api: Blueprint) -> None:
    @api.post("/sdk/<environment>/sdkSettings")
    @api.post("/sdk/<environment>/connect")
    def report(environment: str) -> ResponseReturnValue:  # noqa: ARG001
        return "", 204


def _sent(sent: EmailCode) -> ResponseReturnValue:
    return {"verificationUUID": sent.verification_uuid, "email": sent.email}
