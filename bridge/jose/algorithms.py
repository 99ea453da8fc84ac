"""The algorithms that exist here, each by PyJWT's object for it."""

from collections.abc import Mapping

from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ALGORITHMS: Mapping[str, Algorithm] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "Ed25519": OKPAlgorithm(),  # RFC 9864: the full name, where PyJWT would write EdDSA
}
