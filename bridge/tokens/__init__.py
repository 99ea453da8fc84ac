"""Grant → Tokens: what a client takes away.

    Grant ──claims──▶ user claims ──mint──▶ Tokens          access token ──read──▶ its claims
                       keyring: which key signs             pairwise: whom a pairwise sub stands for

There is one mint. Nothing here decides whether tokens may be issued; that was decided when the Grant was made.
"""
