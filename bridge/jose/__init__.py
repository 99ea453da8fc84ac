"""JOSE, as strictly as the bridge needs it. The only door to PyJWT.

    parse     a stranger's string ─▶ Unverified: well formed, nothing more
    keys      a stranger's key set ─▶ VerificationKey: bound to one algorithm
    signing   our own keys and signatures

PyJWT's decoder is not used: it accepts repeated members, strings as times, any typ and several spellings of one token.
Its algorithm objects read and write JWKs and sign; the parsing, the policy and the look at a signature are ours.
"""

from bridge.jose.keys import VerificationKey, rsa_key_from_pem, rsa_keys
from bridge.jose.parse import Unverified, check_header, key_id, parse, strict_json_object
from bridge.jose.signing import SigningKey, generate_signing_key, half_hash, signing_key

__all__ = [
    "SigningKey",
    "Unverified",
    "VerificationKey",
    "check_header",
    "generate_signing_key",
    "half_hash",
    "key_id",
    "parse",
    "rsa_key_from_pem",
    "rsa_keys",
    "signing_key",
    "strict_json_object",
]
