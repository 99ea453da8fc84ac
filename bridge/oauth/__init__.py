"""The protocol. The only door to Authlib, of which we take the kernel; it never sees Flask.

HttpRequest ──▶ server ──▶ a Redemption: prove() ──▶ decide(tx) ──▶ Grant ──mint──▶ Answer
                 │
                 ├─ request      what came in, read strictly and once
                 ├─ client_auth  who asks
                 ├─ rules        what a client may ask for
                 ├─ exchange, client_credentials   one module per way to come by a Grant
                 ├─ userinfo, introspect           what happens to tokens later
                 ├─ discovery    what we say of ourselves, made of what is registered
                 └─ refusals     our reasons in OAuth's words: one table
"""
