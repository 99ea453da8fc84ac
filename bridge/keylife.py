"""The life of a signing key, pending → active → retired → gone: its times and rules, without I/O.

A key may sign only when every client that follows the /jwks document's max-age has it, and it may go only when every
token that it can have signed has expired. Both leads are sums of the delays named here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.model import SIGNING_ALGORITHMS, SigningAlgorithm

KeyState = Literal["pending", "active", "retired"]
KEY_STATES: tuple[KeyState, ...] = ("active", "pending", "retired")  # as they are published: what signs comes first

JWKS_MAX_AGE = 300  # seconds that clients may keep the key document
READ_AGAIN = 30  # age in seconds at which an instance reads its keys anew
READ_FIRST = 60  # age in seconds from which it neither signs nor publishes before it has tried
LONGEST_TOKEN = 86_400  # seconds that any token may live
MARGIN = 240  # seconds for clocks that differ, verifiers' leeway, and a request or a transaction that had to wait

LEAD = READ_FIRST + JWKS_MAX_AGE + MARGIN
"""Seconds from a key's making to its first signature: the last document without it is then forgotten everywhere."""

KEPT = READ_FIRST + LONGEST_TOKEN + MARGIN
"""Seconds that a retired key stays published: the last instance to notice has signed its last token, and it expired."""

DAY = 86_400
SHORTEST_ROTATION, LONGEST_ROTATION = 3600, 366 * DAY  # seconds between rotations; the shortest is well above LEAD


@dataclass(frozen=True, slots=True)
class KeyLife:
    """Where a signing key stands in its life. Times are absent until they have come."""

    kid: str
    alg: SigningAlgorithm
    state: KeyState
    created_at: int
    activated_at: int | None = None
    retired_at: int | None = None
    published_until: int | None = None

    @property
    def signs_at(self) -> int:
        """From when a pending key may sign."""
        return self.created_at + LEAD

    @property
    def since(self) -> int:
        """When it came into its present state."""
        came = {"pending": self.created_at, "active": self.activated_at, "retired": self.retired_at}[self.state]
        return self.created_at if came is None else came


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next to a key: it begins to sign, it is succeeded by `other`, or asks for one, or is removed."""

    what: Literal["sign", "retire", "prepare", "remove"]
    at: int
    key: KeyLife
    other: KeyLife | None = None


def steps(keys: Iterable[KeyLife], rotation: int) -> Sequence[Step]:
    """The next step of every key that has one. `rotation`: seconds between rotations, 0 if only by command."""
    known = {(key.alg, key.state): key for key in keys if key.state != "retired"}
    found: list[Step] = []
    for alg in SIGNING_ALGORITHMS:
        active, pending = known.get((alg, "active")), known.get((alg, "pending"))
        if active is not None and pending is not None:
            found.append(Step("sign", pending.signs_at, pending, active))
            found.append(Step("retire", pending.signs_at, active, pending))
        elif active is not None and rotation:
            found.append(Step("prepare", active.since + rotation, active))
    found += [
        Step("remove", key.published_until, key)
        for key in keys
        if key.state == "retired" and key.published_until is not None
    ]
    return found
