"""What would be unsafe or could not work: each rule yields its faults, and all of them are reported at once."""

from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from bridge.config.client_checks import client_faults
from bridge.config.settings import Config, Fault
from bridge.config.urls import is_contact, is_loopback, origin_problem, page_problem, url_problem
from bridge.keylife import LONGEST_ROTATION, SHORTEST_ROTATION
from bridge.model import Environment
from bridge.oauth.rules import is_scope_word
from bridge.store.engines import MEMORY, is_database_url, sqlite_path
from bridge.store.seal import is_secret_key
from bridge.tokens.claims import PROTOCOL_CLAIMS, PROVEN_CLAIMS
from bridge.web.bundle import OFF, NotBuiltError, load_bundle

SHORTEST_WEBHOOK_SECRET = 16  # characters; Dynamic makes them longer
SHORTEST_TOKEN = 24  # characters of the one for /metrics
LONGEST_ASSERTION = 30 * 86400  # Dynamic's own maximum


def faults_of(config: Config) -> list[Fault]:
    """Every fault of a configuration; none means that it is safe to serve with."""
    pages = (_issuer, _signin_page, _listening, _security_contact)
    rules = (*pages, _metrics_token, _secret_keys, _database, _environments, _clients, _claims, _ranges)
    return [fault for rule in rules for fault in rule(config)]


def _issuer(config: Config) -> Iterator[Fault]:
    if not config.issuer:
        yield Fault("BRIDGE_ISSUER", "is not set", "Set it to the public https URL of this bridge; or run: init")
        return
    problem = url_problem(config.issuer, development=config.development)
    if problem is not None:
        yield Fault("BRIDGE_ISSUER", problem, "Set it like https://id.example.com, without a slash at the end.")
    elif config.development and not is_loopback(urlsplit(config.issuer).hostname or ""):
        yield Fault("BRIDGE_DEVELOPMENT", "is on although the issuer is not loopback", "Unset BRIDGE_DEVELOPMENT.")


def _signin_page(config: Config) -> Iterator[Fault]:
    if config.signin_url is not None and (problem := page_problem(config.signin_url)):
        yield Fault("BRIDGE_SIGNIN_URL", problem, "Use a URL like https://app.example.com/signin")
    if config.login_page not in (None, OFF):
        try:
            load_bundle(Path(str(config.login_page)))
        except NotBuiltError:
            mend = "Build it with: oidc-bridge login-page build --to DIRECTORY"
            yield Fault("BRIDGE_LOGIN_PAGE", "holds no built sign-in page", mend)


def _listening(config: Config) -> Iterator[Fault]:
    if (config.tls_cert is None) != (config.tls_key is None):
        yield Fault("BRIDGE_TLS_CERT", "comes with BRIDGE_TLS_KEY, or not at all", "Set both, or neither.")
    for setting, path in (("BRIDGE_TLS_CERT", config.tls_cert), ("BRIDGE_TLS_KEY", config.tls_key)):
        if path is not None and not Path(path).is_file():
            yield Fault(setting, "is no file", "Name a PEM file that this user can read.")
    if config.socket is not None and not Path(config.socket).absolute().parent.is_dir():
        yield Fault("BRIDGE_SOCKET", "is in no folder", "Name a path in a folder that exists.")


def _security_contact(config: Config) -> Iterator[Fault]:
    if config.security_contact is not None and not is_contact(config.security_contact):
        mend = "Use mailto:security@example.com, or the https URL of a page."
        yield Fault("BRIDGE_SECURITY_CONTACT", "is neither a mailto: nor an https URI", mend)


def _metrics_token(config: Config) -> Iterator[Fault]:
    token = config.metrics_token
    if token is not None and not (SHORTEST_TOKEN <= len(token) <= 256 and len(set(token)) >= 8 and _is_word(token)):
        mend = "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        yield Fault("BRIDGE_METRICS_TOKEN", "is too short, not random, or has characters that no header takes", mend)


def _is_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _secret_keys(config: Config) -> Iterator[Fault]:
    mend = "Make one with: oidc-bridge init --only-keys"
    if not config.secret_keys:
        yield Fault("BRIDGE_SECRET_KEYS", "is not set", mend)
    for number, key in enumerate(config.secret_keys, 1):
        if not is_secret_key(key):
            yield Fault("BRIDGE_SECRET_KEYS", f"key {number} is not 32 bytes in base64url", mend)
        elif len(set(urlsafe_b64decode(key))) < 12:  # 32 random bytes hold some 30 different values
            yield Fault("BRIDGE_SECRET_KEYS", f"key {number} is not random", mend)
    if len(set(config.secret_keys)) < len(config.secret_keys):
        yield Fault("BRIDGE_SECRET_KEYS", "holds a key twice", "Remove the copy.")


def _database(config: Config) -> Iterator[Fault]:
    if not is_database_url(config.database_url):
        yield Fault("BRIDGE_DATABASE_URL", "is no database URL that this program can use", "Use sqlite:///bridge.db")
    elif sqlite_path(config.database_url) == MEMORY and not config.development:
        yield Fault("BRIDGE_DATABASE_URL", "keeps everything in memory only", "Use sqlite:///bridge.db")


def _environments(config: Config) -> Iterator[Fault]:
    if not config.environments:
        mend = "Copy the environment id from the SDK & API Keys page of Dynamic's dashboard."
        yield Fault("DYNAMIC_ENVIRONMENT_ID", "is not set", mend)
    for environment_id, count in Counter(e.environment_id for e in config.environments).items():
        if count > 1:
            yield Fault("environments", f"{environment_id} is listed {count} times", "Keep one entry.")
    for environment in config.environments:
        yield from _environment(environment, development=config.development)


def _environment(environment: Environment, *, development: bool) -> Iterator[Fault]:
    if not _is_lower_uuid(environment.environment_id):
        # Not repeated: it may be a secret that was pasted into the wrong line.
        yield Fault("environments", "an id is not a UUID in lower case", "Copy it from Dynamic's dashboard.")
        return
    where = f"environment {environment.environment_id}"
    problem = url_problem(environment.api_base_url, development=development)
    if problem is not None:
        yield Fault(f"{where}, api_base_url", problem, "Use https://app.dynamicauth.com/api/v0 or your custom host.")
    if environment.key_source == "keys" and not environment.api_token:
        yield Fault(f"{where}, api_token", "is needed for key source 'keys'", "Set DYNAMIC_API_TOKEN, or use jwks.")
    if environment.request_origin is not None and (problem := origin_problem(environment.request_origin)):
        yield Fault(f"{where}, request_origin", problem, "Use an origin like https://app.example.com")
    if environment.live_check != "off" and not environment.api_token:
        yield Fault(f"{where}, api_token", "is needed for the live check", "Set DYNAMIC_API_TOKEN, or live_check off.")
    if not 1 <= environment.live_check_ttl <= 3600:
        yield Fault(f"{where}, live_check_ttl", "is not between 1 and 3600", "Choose a value in that range.")
    yield from _webhook_secrets(environment, where)
    for issuer in environment.issuers:
        if not issuer.endswith(f"/{environment.environment_id}"):
            yield Fault(f"{where}, issuers", "one does not end with the environment id", "Use <host>/<environment id>")


def _webhook_secrets(environment: Environment, where: str) -> Iterator[Fault]:
    mend = "Copy it from the webhook in Dynamic's dashboard, or run: oidc-bridge dynamic webhook create"
    secrets = environment.webhook_secrets
    if any(len(secret) < SHORTEST_WEBHOOK_SECRET or len(set(secret)) < 8 for secret in secrets):
        yield Fault(f"{where}, webhook_secrets", "one is too short or not random", mend)
    if not all(map(_is_word, secrets)):
        yield Fault(f"{where}, webhook_secrets", "one has characters that no secret of Dynamic's has", mend)
    if len(set(secrets)) < len(secrets):
        yield Fault(f"{where}, webhook_secrets", "one is there twice", "Remove the copy.")


def _clients(config: Config) -> Iterator[Fault]:
    for client_id, count in Counter(client.client_id for client in config.clients).items():
        if count > 1:
            yield Fault(f"client {client_id}", f"is declared {count} times", "Keep one declaration.")
    known = {environment.environment_id for environment in config.environments}
    for client in config.clients:
        yield from client_faults(client, environments=known, needs_secret=True, development=config.development)


def _claims(config: Config) -> Iterator[Fault]:
    for claim, count in Counter(rule.claim for rule in config.claims).items():
        if count > 1:
            yield Fault(f"claim {claim}", f"is mapped {count} times", "Keep one mapping.")
    for rule in config.claims:
        where = f"claim {rule.claim}"
        if rule.claim in PROTOCOL_CLAIMS:
            yield Fault(where, "is a protocol claim", "Choose another name: what tokens say of themselves is ours.")
        if rule.claim in PROVEN_CLAIMS:
            yield Fault(where, "is a proven claim", "Choose another name: it is filled with what Dynamic has verified.")
        if not rule.claim or not rule.claim.isascii() or not rule.claim.isprintable() or len(rule.claim) > 128:
            yield Fault(where, "is no claim name", "Use up to 128 printable ASCII characters.")
        if not is_scope_word(rule.scope) or rule.scope in ("openid", "offline_access"):
            yield Fault(where, f"cannot belong to scope {rule.scope!r}", "Use profile, or a scope word of your own.")
        if not all(rule.source.split(".")):
            yield Fault(where, "has an empty member in its source path", 'Write it like "metadata.department".')


def _ranges(config: Config) -> Iterator[Fault]:
    for setting, value, least, most in (
        ("BRIDGE_ASSERTION_MAX_LIFETIME", config.assertion_max_lifetime, 60, LONGEST_ASSERTION),
        ("BRIDGE_CLOCK_SKEW", config.clock_skew, 0, 60),
        ("BRIDGE_AUDIT_RETENTION", config.audit_retention, 86400, 10 * 365 * 86400),
        ("BRIDGE_SESSION_IDLE_TTL", config.session_idle_ttl, 300, 400 * 86400),
        ("BRIDGE_SESSION_ABSOLUTE_TTL", config.session_absolute_ttl, 300, 400 * 86400),
        ("BRIDGE_PORT", config.port, 1, 65535),
        ("BRIDGE_WORKERS", config.workers, 1, 256),
        ("BRIDGE_PROXIES", config.proxies, 0, 10),
        ("BRIDGE_DRAIN_DELAY", config.drain_delay, 0, 300),
    ):
        if not least <= value <= most:
            yield Fault(setting, f"is not between {least} and {most}", "Choose a value in that range.")
    if config.key_rotation != 0 and not SHORTEST_ROTATION <= config.key_rotation <= LONGEST_ROTATION:
        mend = "Choose a value in that range; 0 leaves rotation to: oidc-bridge keys rotate"
        yield Fault("BRIDGE_KEY_ROTATION", f"is not between {SHORTEST_ROTATION} and {LONGEST_ROTATION}", mend)
    if config.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        yield Fault("BRIDGE_LOG_LEVEL", "is no log level", "Use DEBUG, INFO, WARNING or ERROR.")
    if config.delivery not in ("serve", "off"):
        yield Fault("BRIDGE_DELIVERY", "is neither serve nor off", "Use off where oidc-bridge deliver runs.")


def _is_lower_uuid(value: str) -> bool:
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False
