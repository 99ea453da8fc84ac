"""Assertion → Identity: what Dynamic says, checked and put into OIDC's words.

    raw ──verify──▶ Assertion ──claims──▶ Identity
         (keys)                 (profile)

`verify` is the one verifier of every door. `claims` is pure. `api` is the only way to Dynamic; a request may cause
`keys`, `profile` and `session_check` to use it, the command line also `live` and `probe`.
"""
