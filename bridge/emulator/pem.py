"""PKCS#1, the older of the two PEM forms found in the wild: joserfc writes only the other."""

import base64
import textwrap


def pkcs1_pem(n: str, e: str) -> str:
    """RSAPublicKey (RFC 8017 A.1.1) of a JWK's `n` and `e` (base64url), as PEM text."""
    der = _element(0x30, _integer(n) + _integer(e))
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join(["-----BEGIN RSA PUBLIC KEY-----", *lines, "-----END RSA PUBLIC KEY-----", ""])


def _integer(value: str) -> bytes:
    raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    # DER integers are signed: a leading zero keeps the high bit from making it negative.
    return _element(0x02, b"\0" + raw if raw[0] & 0x80 else raw)


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content
