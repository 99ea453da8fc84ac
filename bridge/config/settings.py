"""The configuration as values. Nothing below floor 5 ever sees it: app.py hands on single values."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridge.lifecycle.identifiers import Identifiers
from bridge.model import ClaimRule, Client, Environment

DEFAULT_LIMITS: Mapping[str, str] = {
    "source": "3000/minute",
    "failures": "30/minute",
    "client": "30000/minute",
    "user": "600/minute",
    "webhooks": "60/minute",
    "signins": "300/minute",
}
"""How often a process answers whom (bridge/ratelimit), unless the operator says otherwise."""


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. Durations in seconds."""

    issuer: str
    secret_keys: tuple[str, ...] = field(repr=False)
    environments: tuple[Environment, ...]  # the first one is primary
    clients: tuple[Client, ...]
    claims: tuple[ClaimRule, ...]
    database_url: str = field(repr=False)
    development: bool
    assertion_max_lifetime: int
    clock_skew: int
    audit_retention: int
    audit_stdout: bool  # each entry as a line of JSON too
    audit_identifiers: Identifiers
    key_rotation: int  # 0: by command only
    signin_url: str | None  # the sign-in page of clients without their own
    login_page: str | None  # directory of our own sign-in page as it was built; None: where the build puts it; or "off"
    session_idle_ttl: int
    session_absolute_ttl: int
    host: str
    port: int
    socket: str | None  # a Unix socket, in place of host and port
    tls_cert: str | None
    tls_key: str | None
    proxies: int  # how many of our own stand before the server; 0: X-Forwarded-For counts for nothing
    workers: int
    log_level: str
    metrics_token: str | None = field(repr=False)  # by which one may ask for /metrics; None: it is not there
    drain_delay: int  # between the word that it is to stop and its stopping
    security_contact: str | None  # mailto: or https URI; None: there is no security.txt
    limits: Mapping[str, str]  # by name, like 600/minute; what is not named is not limited
    delivery: str  # serve: by every worker of `serve`; off: by `oidc-bridge deliver` alone

    @property
    def environments_by_id(self) -> Mapping[str, Environment]:
        """The environments by their ids, the primary one first."""
        return {environment.environment_id: environment for environment in self.environments}

    @property
    def sources_known(self) -> bool:
        """Whether the addresses of peers are those of clients.

        An https issuer without a certificate here and without a known proxy stands behind an unknown one, whose
        address everybody then has.
        """
        return self.proxies > 0 or self.tls_cert is not None or not self.issuer.startswith("https:")

    @property
    def primary_environment(self) -> str:
        """The id of the environment whose user ids are our subs."""
        return self.environments[0].environment_id


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a configuration: where, what, and the setting or command that mends it."""

    setting: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.problem}\n    {self.mend}"


class ConfigFaults(Exception):
    """The configuration is missing, contradictory or unsafe; the server refuses to start. Holds every fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def fitting_workers(database_url: str) -> int:
    """How many processes serve best here: one for each core; on SQLite one alone, for only one can write at a time."""
    return 1 if database_url.startswith("sqlite") else os.cpu_count() or 1
