"""The proof that a call comes from the device it says: a nonce, signed by a key that never leaves the browser.

x-dynamic-device-publickey      a point on P-256, compressed, in hex
x-dynamic-device-nonce          from /nonces
x-dynamic-device-signed-nonce   r and s of ECDSA with SHA-256 over the nonce's text, in hex
"""

import re

from joserfc.jwa import ESAlgorithm
from joserfc.jwk import ECKey
from werkzeug.datastructures import Headers

from bridge.emulator.errors import NotAuthenticatedError
from bridge.emulator.keys import b64
from bridge.emulator.nonces import Nonces
from bridge.emulator.switches import Switches

ES256 = ESAlgorithm("ES256", "P-256", 256)
POINT = re.compile(r"0[23][0-9a-f]{64}")
SIGNATURE = re.compile(r"[0-9a-f]{128}")

# FIPS 186-4, D.1.2.3: the prime, and the b of y² = x³ - 3x + b.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def check_device(headers: Headers, nonces: Nonces, switches: Switches) -> None:
    """Nothing if the proof is good, or there is none (SDKs leave it out on servers, and wherever the token is in a
    cookie) and the switches do not demand one. NotAuthenticatedError."""
    names = ("x-dynamic-device-publickey", "x-dynamic-device-nonce", "x-dynamic-device-signed-nonce")
    point, nonce, signature = (headers.get(name, "") for name in names)
    if not (point or nonce or signature):
        if switches.device_proof_required and not switches.cookie_mode:
            raise NotAuthenticatedError("the device's proof is missing")
        return
    if not POINT.fullmatch(point) or not SIGNATURE.fullmatch(signature) or not nonce:
        raise NotAuthenticatedError("the device's proof is not complete")
    if not nonces.spend(nonce):
        raise NotAuthenticatedError("the device's nonce is unknown or was used before")
    if not ES256.verify(nonce.encode(), bytes.fromhex(signature), _key(point)):
        raise NotAuthenticatedError("the device's signature is wrong")


def _key(point: str) -> ECKey:
    """The key of a compressed point (SEC 1, section 2.3.4)."""
    x, is_odd = int(point[2:], 16), point[1] == "3"
    squared = (x**3 - 3 * x + B) % P
    root = pow(squared, (P + 1) // 4, P)
    if root * root % P != squared:
        raise NotAuthenticatedError("the device's key is no point of P-256")
    y = root if root % 2 == is_odd else P - root
    numbers = {"x": b64(x.to_bytes(32)).decode(), "y": b64(y.to_bytes(32)).decode()}
    return ECKey.import_key({"kty": "EC", "crv": "P-256", **numbers})
