"""Sign-in by wallet, below /api/v0/sdk/<environment>: a text, and the signature that shows whose it is.

POST /wallets/signin, /verify          a session (the second is what the React widget calls)
POST /wallets/verify, /verify/link     one more credential for who is signed in
"""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from bridge.emulator.arrivals import Arrivals
from bridge.emulator.callers import caller, page_origin, verify_response
from bridge.emulator.captcha import check_captcha
from bridge.emulator.device import check_device
from bridge.emulator.errors import InvalidMessageError, InvalidSignatureError, NotInstalledError
from bridge.emulator.ethereum import ADDRESS, signer
from bridge.emulator.inputs import BadInputError, body_object, texts_of
from bridge.emulator.model import NewWallet
from bridge.emulator.siwe import check_message, parsed
from bridge.emulator.world import Emulator

PROVIDERS = ("browserExtension", "walletConnect", "qrCode", "deepLink", "custodialService", "smartContractWallet")
"""WalletProviderEnum, without the embedded wallets: those are made by a user who is already signed in."""


def wallet_sign_in(api: Blueprint, emulator: Emulator, arrivals: Arrivals) -> None:
    """Adds these endpoints. A message or signature that does not hold is 422."""
    _errors(api)

    @api.post("/sdk/<environment>/wallets/signin")
    def signin_by_wallet(environment: str) -> Response:  # noqa: ARG001 - checked before the request
        return _session(emulator, arrivals)

    @api.post("/sdk/<environment>/verify")
    def signin_by_wallet_from_device(environment: str) -> Response:  # noqa: ARG001
        check_device(request.headers, emulator.nonces, emulator.switches)
        return _session(emulator, arrivals)

    @api.post("/sdk/<environment>/wallets/verify")
    @api.post("/sdk/<environment>/verify/link")
    def link_wallet(environment: str) -> Response:  # noqa: ARG001
        session = caller(emulator)
        check_device(request.headers, emulator.nonces, emulator.switches)
        return verify_response(emulator, arrivals.link(_proven(emulator), session))


def _errors(api: Blueprint) -> None:
    @api.errorhandler(InvalidMessageError)
    @api.errorhandler(InvalidSignatureError)
    def not_proven(error: Exception) -> ResponseReturnValue:
        return {"error": str(error), "code": "other_verify_failure"}, 422

    @api.errorhandler(NotInstalledError)
    def not_installed(error: NotInstalledError) -> ResponseReturnValue:
        return {"error": str(error), "code": "not_installed"}, 422


def _session(emulator: Emulator, arrivals: Arrivals) -> Response:
    return verify_response(emulator, arrivals.sign_in(_proven(emulator), page_origin()))


def _proven(emulator: Emulator) -> NewWallet:
    """The wallet that the body proves. BadInputError, InvalidMessageError, InvalidSignatureError."""
    body = body_object(request.get_data())
    check_captcha(body, emulator.switches)
    names = ("chain", "messageToSign", "signedMessage", "publicWalletAddress", "walletName", "walletProvider")
    chain, text, signature, address, name, provider = texts_of(body, *names)
    if chain not in ("EVM", "ETH"):
        raise BadInputError("chain must be EVM; the emulator knows no other")
    if provider not in PROVIDERS:
        raise BadInputError(f"walletProvider must be one of: {', '.join(PROVIDERS)}")
    if not ADDRESS.fullmatch(address):
        raise BadInputError("publicWalletAddress must be 20 bytes in hex")
    message = parsed(text)
    check_message(
        message,
        address=address,
        origin=page_origin(),
        environment_id=emulator.environment_id,
        now=emulator.clock(),
    )
    if signer(text, signature) != message.address:
        raise InvalidSignatureError("the signature is not the address's")
    # Last, so that only who holds the key can use up a nonce.
    if not emulator.nonces.spend(message.nonce):
        raise InvalidMessageError("the nonce is unknown or was used before")
    return NewWallet(address=message.address, wallet_name=name, wallet_provider=provider, sign_in=True)
