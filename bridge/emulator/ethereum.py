"""Who signed a text with an Ethereum key (EIP-191), as an address with its checksum (EIP-55).

Two libraries do the arithmetic, and only wallets need them: they come with the extra `emulator`, and without them
everything else of the emulator works (docs/decisions/0014).
"""

import re
from importlib.util import find_spec

from bridge.emulator.errors import InvalidSignatureError, NotInstalledError

INSTALLED = find_spec("coincurve") is not None and find_spec("Crypto") is not None
if INSTALLED:
    import coincurve
    from Crypto.Hash import keccak

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
# Electrum's offset, which most wallets kept, or none. EIP-155's other offsets belong to transactions.
RECOVERY_IDS = {0: 0, 1: 1, 27: 0, 28: 1}


def signer(text: str, signature: str) -> str:
    """The address whose key made this signature by `personal_sign`: r, s and v in hex, 65 bytes. InvalidSignatureError
    if no key can have, NotInstalledError."""
    if not SIGNATURE.fullmatch(signature):
        raise InvalidSignatureError("the signature is not 65 bytes in hex")
    raw = bytes.fromhex(signature[2:])
    if raw[64] not in RECOVERY_IDS:
        raise InvalidSignatureError("the signature's last byte is none of 0, 1, 27, 28")
    message = text.encode()
    digest = keccak256(b"\x19Ethereum Signed Message:\n%d" % len(message) + message)
    recoverable = raw[:64] + bytes([RECOVERY_IDS[raw[64]]])
    try:
        key = coincurve.PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except ValueError:
        raise InvalidSignatureError("the signature fits no key") from None
    return checksummed(keccak256(key.format(compressed=False)[1:])[-20:].hex())


def checksummed(address: str) -> str:
    """The 40 hex digits with the upper case that EIP-55 gives them, and 0x. NotInstalledError."""
    digits = address.removeprefix("0x").lower()
    pattern = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(other, 16) > 7 else digit for digit, other in zip(digits, pattern, strict=False)
    )


def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum has it: from before SHA-3 was given other padding. NotInstalledError."""
    if not INSTALLED:
        raise NotInstalledError("sign-in by wallet needs: pip install 'dynamic-oidc-bridge[emulator]'")
    return keccak.new(digest_bits=256, data=data).digest()
