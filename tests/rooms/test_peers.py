"""Whose address counts: never one that a client can write itself."""

import pytest

from bridge.web.peers import peer_of


@pytest.mark.parametrize(
    ("forwarded", "proxies", "peer"),
    [
        (None, 0, "10.0.0.1"),
        ("6.6.6.6", 0, "10.0.0.1"),  # nobody said that there is a proxy
        (None, 1, "10.0.0.1"),
        ("203.0.113.7", 1, "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7", 1, "203.0.113.7"),  # the first was the client's to write
        ("6.6.6.6, 203.0.113.7, 10.0.0.2", 2, "203.0.113.7"),
        ("203.0.113.7", 2, "10.0.0.1"),  # it did not come by both
        ("", 1, "10.0.0.1"),
    ],
)
def test_the_entry_that_our_outermost_proxy_wrote_is_the_peer(forwarded: str | None, proxies: int, peer: str) -> None:
    assert peer_of("10.0.0.1", forwarded, proxies) == peer
