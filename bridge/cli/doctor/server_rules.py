"""The configuration as a whole, what it rests on, and each Dynamic environment."""

from collections.abc import Iterator, Sequence
from urllib.parse import parse_qs, urlsplit

from bridge.cli.doctor.findings import Finding, advice, error, warning
from bridge.config.settings import DEFAULT_LIMITS, Config
from bridge.config.urls import is_loopback
from bridge.model import Client, Environment

DAY = 86400


def server_findings(config: Config, clients: Sequence[Client]) -> Iterator[Finding]:
    """What is to be said of the bridge, whatever its clients."""
    for rule in (_development, _database, _keys, _records, _signing_in, _limits, _watching):
        yield from rule(config, clients)
    for environment in config.environments:
        yield from _environment(environment)


def _development(config: Config, _: Sequence[Client]) -> Iterator[Finding]:
    if config.development:
        why = "it lets http and loopback pass, which nothing on the Internet should"
        yield error("server", "BRIDGE_DEVELOPMENT is on", why, "Unset BRIDGE_DEVELOPMENT and serve by https.")
    if config.log_level == "DEBUG":
        why = "more than needed is written, and slowly"
        yield advice("server", "logs at DEBUG", why, "Set BRIDGE_LOG_LEVEL=INFO")


def _database(config: Config, _: Sequence[Client]) -> Iterator[Finding]:
    url = urlsplit(config.database_url)
    if url.scheme.startswith("sqlite"):
        if config.workers > 1:
            why = "SQLite lets one of them write at a time"
            yield advice("server", f"{config.workers} workers share an SQLite file", why, "Use PostgreSQL.")
        return
    host = url.hostname or ""
    remote = bool(host) and not is_loopback(host) and not host.startswith("/")
    if remote and parse_qs(url.query).get("sslmode", [""])[0] not in ("require", "verify-ca", "verify-full"):
        why = "what goes to the database can be read and changed on the way"
        mend = "Add ?sslmode=verify-full&sslrootcert=… to BRIDGE_DATABASE_URL"
        yield warning("server", "the database is reached without TLS being demanded", why, mend)


def _keys(config: Config, _: Sequence[Client]) -> Iterator[Finding]:
    if config.key_rotation == 0:
        why = "a key that is never replaced is one that a copy of stays good for ever"
        yield warning("server", "signing keys rotate by command only", why, "Set BRIDGE_KEY_ROTATION=7776000")
    if len(config.secret_keys) > 2:
        why = "an old key opens what is still sealed under it"
        mend = "oidc-bridge keys rewrap, then drop the keys after the first from BRIDGE_SECRET_KEYS"
        yield advice("server", f"{len(config.secret_keys)} secret keys are in use", why, mend)


def _records(config: Config, _: Sequence[Client]) -> Iterator[Finding]:
    if config.audit_retention < 30 * DAY:
        why = "a theft is often noticed weeks later"
        mend = "Set BRIDGE_AUDIT_RETENTION=7776000"
        yield advice("server", "audit entries are kept for less than 30 days", why, mend)


def _signing_in(config: Config, clients: Sequence[Client]) -> Iterator[Finding]:
    if config.session_absolute_ttl > 90 * DAY:
        why = "nobody has to prove anything anew for that long"
        mend = "Set BRIDGE_SESSION_ABSOLUTE_TTL=2592000"
        yield advice("server", "browsers stay signed in for more than 90 days", why, mend)
    if not clients:
        why = "nobody can get a token"
        yield advice("server", "no client is registered", why, "oidc-bridge client add ID …")


def _watching(config: Config, _: Sequence[Client]) -> Iterator[Finding]:
    if config.metrics_token is None:
        why = "what goes wrong shows when users complain; deploy/alerts.yaml knows sooner"
        yield advice("server", "nobody can watch it: there is no /metrics", why, "Set BRIDGE_METRICS_TOKEN")
    if config.log_level == "ERROR":
        why = "a refusal's X-Request-Id leads nowhere"
        yield advice("server", "does not log requests", why, "Set BRIDGE_LOG_LEVEL=INFO")


def _limits(config: Config, _: Sequence[Client]) -> Iterator[Finding]:
    if not config.sources_known:
        why = "a proxy ends TLS, so everybody has its address: limits by address hold nobody up (threats O21)"
        yield warning(
            "server", "nobody knows where requests come from", why, "Set BRIDGE_PROXIES=1, or BRIDGE_TLS_CERT"
        )
    missing = [name for name in DEFAULT_LIMITS if name not in config.limits]
    if missing:
        why = "whoever has time can take all of the server's (threats O21)"
        mend = "Remove off from BRIDGE_LIMITS, or see to it that a proxy limits them."
        yield warning("server", f"{', '.join(missing)}: not limited", why, mend)


def _environment(environment: Environment) -> Iterator[Finding]:
    where = f"environment {environment.environment_id}"
    if environment.disabled:
        return
    if environment.legacy_scope:
        why = "a sign-in that still owes a second factor may pass (threats A13)"
        yield warning(where, "sign-ins without scope are accepted", why, "Set legacy_scope = false")
    if environment.key_source == "keys":
        why = "it needs a secret to read what the public key set says without one"
        yield advice(where, "its keys come from the legacy endpoint", why, 'Set key_source = "jwks"')
    if not environment.revocations_heard:
        why = "so sessions here end with the Dynamic JWT (two hours by default), and a revocation shows only then"
        mend = "oidc-bridge dynamic webhook create, or set DYNAMIC_LIVE_CHECK"
        yield advice(where, "nobody tells us when a session ends at Dynamic", why, mend)
