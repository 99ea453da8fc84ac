"""Assertion → Identity: what Dynamic says, checked and put into OIDC's words.

    raw ──verify──▶ Assertion ──claims──▶ Identity
         (keys)                 (profile)

`verify` is the one verifier of every door. `claims` is pure, and so are `webhooks` (is a message genuine, and which
event does it tell of) and `effects` (what that means here). `api` is the only way to Dynamic, `management` what its API
token opens; a request may cause `keys`, `profile` and `session_check` (within an `allowance`) to use it, a webhook
`management`, the command line also `live` and `own_page` (their `findings`) and `probe`.
"""
