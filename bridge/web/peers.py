"""Where a request comes from: the address that our own proxies saw, and nothing that a client writes itself."""


def peer_of(connected: str, forwarded: str | None, proxies: int) -> str:
    """The address of the peer. `connected`: who holds the connection; `forwarded`: X-Forwarded-For, if it came.

    Each of our proxies adds whom it saw at the end of the list, so with n of them the n-th entry from the end is the
    client; whatever stands before it was the client's to write. With 0 the header counts for nothing.
    """
    if not proxies or not forwarded:
        return connected
    seen = [entry.strip() for entry in forwarded.split(",")]
    return seen[-proxies] if len(seen) >= proxies else connected
