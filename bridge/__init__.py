"""An OpenID Provider that takes Dynamic JWTs as identity assertions and issues standard OIDC tokens.

    Assertion ──verify──▶ Identity ──allow──▶ Grant ──mint──▶ Tokens

The rooms of the house, and which may import which, are in docs/architecture.md.
"""

__version__ = "0.1.0"
