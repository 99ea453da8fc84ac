"""What is learnt of a request while it is answered: for the log and the counters alone, no answer depends on it."""

from dataclasses import dataclass, field

from bridge.errors import NotServed


@dataclass(slots=True)
class Notes:
    """Filled in by whoever knows. Nothing in it is what a request merely claims, but its `method`.

    `endpoint`: our own name of the route; `client_id`: who has authenticated, or whose token it is; `grant_type`: the
    short name of one of ours; `why`: why the answer is no. `began`: when the request was there, by the performance
    counter, in seconds.
    """

    request_id: str = ""
    trace_id: str | None = None
    method: str = "GET"
    peer: str = ""
    began: float = 0.0
    endpoint: str = "none"
    client_id: str | None = None
    grant_type: str | None = None
    why: NotServed | None = field(default=None, repr=False)
