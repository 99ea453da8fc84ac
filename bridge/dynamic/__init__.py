"""Assertion → Identity: what Dynamic says, checked and put into OIDC's words.

    raw ──verify──▶ Assertion ──claims──▶ Identity
         (keys)                 (profile)

`verify` is the one verifier of every door. `claims` is pure. `keys` and `profile` are the only calls to Dynamic, and
only through bridge.fetch.
"""
