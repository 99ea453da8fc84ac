"""What may live and what must end.

    gate          the one gate before every issue and every use
    signin        whom a browser's session serves, when a sign-in is fresh, what it opens
    refresh       the states of a refresh token, and what follows from each; how long a kept grant may live
    closing       every single ending, with who ended it, why, and the entry that remembers it
    endings       what each cause ends: the cascades
    dynamic_…     what Dynamic tells by itself: events, their effects here, which session a revocation ends
    liveness      the live check: Dynamic is asked before a silent use
    disclosure    what is known of a user, for themselves and for an operator
    identifiers   what the audit log says of who signed in

No Authlib, no Flask: rules over values of bridge.model and the verbs of bridge.store.
"""
