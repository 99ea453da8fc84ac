"""The cryptography that no exchange can do without: one RS256 verification and two signatures, with nothing around."""

import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

KEY_BITS = 2048


class BareCryptography:
    """Verifies one assertion and signs what the answer to it signs, with key objects made beforehand."""

    def __init__(self, assertion: str, public_pem: str, signed: Mapping[str, tuple[str, str]]) -> None:
        """`signed`: by algorithm, the access token and the ID token of an answer."""
        key = load_pem_public_key(public_pem.encode("ascii"))
        assert isinstance(key, rsa.RSAPublicKey)
        assert key.key_size == KEY_BITS
        self._key = key
        self._asserted, self._signature = _parts(assertion)
        self._signed = {alg: tuple(_parts(token)[0] for token in tokens) for alg, tokens in signed.items()}
        rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        ec_key = ec.generate_private_key(ec.SECP256R1())
        self._sign: Mapping[str, Callable[[bytes], bytes]] = {
            "RS256": lambda data: rsa_key.sign(data, padding.PKCS1v15(), SHA256()),
            "ES256": lambda data: ec_key.sign(data, ec.ECDSA(SHA256())),
        }

    def seconds(self, alg: str, count: int) -> float:
        """CPU seconds of one exchange's cryptography, the mean of `count`."""
        sign, (access_token, id_token) = self._sign[alg], self._signed[alg]
        # Of this thread alone: the emulator lives in this process too.
        began_at = time.thread_time()
        for _ in range(count):
            self._key.verify(self._signature, self._asserted, padding.PKCS1v15(), SHA256())
            sign(access_token)
            sign(id_token)
        return (time.thread_time() - began_at) / count


def _parts(token: str) -> tuple[bytes, bytes]:
    """What a compact JWS signs, and its signature."""
    signing_input, _, signature = token.rpartition(".")
    return signing_input.encode("ascii"), urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
