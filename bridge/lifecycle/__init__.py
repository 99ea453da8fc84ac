"""What may live and what must end.

    gate      the one gate before every issue and every use
    signin    whom a browser's session serves, when a sign-in is fresh, what it opens
    refresh   the states of a refresh token, and what follows from each; how long a kept grant may live
    closing   every ending, with who ended it, why, and the entry that remembers it

No Authlib, no Flask: rules over values of bridge.model and the verbs of bridge.store.
"""
