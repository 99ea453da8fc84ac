"""The protocol. The only door to Authlib, of which we take the kernel; it never sees Flask.

HttpRequest ──▶ server ──▶ a Redemption: prove() ──▶ decide(tx) ──▶ Grant ──mint──▶ Answer
                 │
                 ├─ request      what came in, read strictly and once (notes: what the log will tell of it)
                 ├─ client_auth  who asks (ratelimit: how often)
                 ├─ rules        what a client may ask for
                 ├─ code, refresh, exchange, jwt_bearer, client_credentials   one module per way to come by a Grant
                 ├─ assertions   what every door for a Dynamic JWT shares
                 ├─ userinfo, introspect, revoke   what happens to tokens later (holders: whose they are)
                 ├─ discovery    what we say of ourselves, made of what is registered
                 └─ refusals     our reasons in OAuth's words: one table

BrowserRequest ──▶ authorize ──▶ Outcome: a step and cookies
                 │
                 ├─ authorization_request, authorization_response   what is asked, what is answered
                 ├─ signin       where a sign-in page hands back a Dynamic JWT
                 ├─ own_page     our own sign-in page
                 ├─ consent, logout
                 ├─ account      the users' own page; account_client: the client that it is
                 ├─ standing     whether who is signed in counts for a request
                 ├─ site         what these share: URLs, stored requests, the seal of our forms
                 └─ steps        what a browser is told to do next; nothing else can redirect
"""
