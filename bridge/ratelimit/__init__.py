"""How often somebody may ask: the only door to the package limits.

    source     one address, for what nobody vouches for: pages, public clients, access tokens that are no good
    failures   one address, for failed client authentications
    client     one client that has proven who it is
    user       what one client does for one user: an app that runs wild locks its users out of nothing but itself
    webhooks   one address at one Dynamic environment, for forged messages
    signins    one address, for authorization requests that are remembered: by all workers of a machine together

Nobody is refused because of what others did under the same address, once they have proven to be somebody else: a right
secret, a good access token and a genuine webhook pass whatever else comes from there. Each process counts for itself
(docs/decisions/0022).
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

import limits
from limits.strategies import FixedWindowRateLimiter

from bridge.clock import Clock
from bridge.errors import Refused
from bridge.ratelimit.windows import Windows
from bridge.reasons import Reason

_HOMES = 4  # so many /64 of a /48, which one person can have the whole of, may begin as much as they may


class RateLimits:
    """Counts in this process. `rates`: by name, like 600/minute; a name that is missing is not limited.

    `sources_known`: whether the addresses of peers are those of clients, and not of a proxy of ours that nobody told us
    of. If not, one address stands for everybody, and nobody is refused by it. `workers`: how many processes of a
    machine share the limit of sign-ins. Safe for any number of threads.
    """

    def __init__(self, rates: Mapping[str, str], *, sources_known: bool, clock: Clock, workers: int = 1) -> None:
        self._items = {name: limits.parse(rate) for name, rate in rates.items()}
        if "signins" in self._items:
            whole = self._items["signins"]
            self._items["signins"] = _times(whole, 1 / workers)
            self._items["networks"] = _times(whole, _HOMES / workers)
        self._sources_known = sources_known
        self._clock = clock
        self._windows = Windows(clock)
        self._limiter = FixedWindowRateLimiter(self._windows)

    def of_source(self, peer: str) -> None:
        """Count what an address sends that nobody vouches for. Raises Refused(TOO_MANY_REQUESTS)."""
        if self._sources_known:
            self._count("source", source_of(peer))

    def of_sign_in(self, peer: str) -> None:
        """Count an authorization request that is to be remembered. Raises Refused(TOO_MANY_REQUESTS)."""
        if self._sources_known:
            self._count("signins", source_of(peer))
            network = network_of(peer)
            if network is not None:
                self._count("networks", network)

    def of_client(self, client_id: str) -> None:
        """Count a request of a client that has authenticated. Raises Refused(TOO_MANY_REQUESTS)."""
        self._count("client", client_id)

    def of_user(self, client_id: str, environment_id: str, user_id: str) -> None:
        """Count what a client does for a user, known by what was verified. Raises Refused(TOO_MANY_REQUESTS)."""
        self._count("user", f"{environment_id}/{user_id}/{client_id}")

    def failed(self, peer: str) -> None:
        """Count a failed client authentication. Raises Refused(TOO_MANY_TRIES) if it was one too many.

        By address alone: were there a count for each client, it would tell which clients exist (threats O20).
        """
        self._count("failures", source_of(peer), Reason.TOO_MANY_TRIES)

    def forged(self, environment_id: str, peer: str) -> None:
        """Count a forged webhook to an environment. Raises Refused(TOO_MANY_REQUESTS) if it was one too many."""
        if self._sources_known:
            self._count("webhooks", f"{environment_id}/{source_of(peer)}")

    def _count(self, name: str, key: str, reason: Reason = Reason.TOO_MANY_REQUESTS) -> None:
        item = self._items.get(name)
        if item is not None and not self._limiter.hit(item, name, key):
            raise self._refused(name, key, reason)

    def _refused(self, name: str, key: str, reason: Reason) -> Refused:
        ends_at = self._limiter.get_window_stats(self._items[name], name, key).reset_time
        return Refused(
            reason, "signins" if name == "networks" else name, retry_after=max(1, math.ceil(ends_at - self._clock()))
        )


@lru_cache(4096)
def source_of(peer: str) -> str:
    """The canonical name of whom an address belongs to.

    Of an IPv6 address that is its /64, of which a home or a server has a whole one; what a proxy writes with a port
    counts without it. What is no address is one source, so that inventing some gains nothing.
    """
    address = _address(peer)
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped is not None else f"{address.packed[:8].hex()}::"
    return "other" if address is None else str(address)


def network_of(peer: str) -> str | None:
    """The /48 of an IPv6 address: 65,536 of what source_of tells apart, and free for the asking. None of IPv4."""
    address = _address(peer)
    if not isinstance(address, IPv6Address) or address.ipv4_mapped is not None:
        return None
    return f"{address.packed[:6].hex()}::/48"


def _times(item: limits.RateLimitItem, factor: float) -> limits.RateLimitItem:
    return type(item)(max(1, int(item.amount * factor)), item.multiples)


def _address(peer: str) -> IPv4Address | IPv6Address | None:
    bare = peer[1:].partition("]")[0] if peer.startswith("[") else peer
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return ip_address(bare)
    except ValueError:
        return None
