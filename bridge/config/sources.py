"""Reads the configuration. The only door to pydantic-settings."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from bridge.config.checks import faults_of
from bridge.config.client_table import client_table
from bridge.config.limits import limits_of
from bridge.config.settings import Config, ConfigFaults, Fault, fitting_workers
from bridge.lifecycle.identifiers import Identifiers
from bridge.model import ClaimRule, Client, Environment

PREFIXES = ("BRIDGE_", "DYNAMIC_", "NEXT_PUBLIC_DYNAMIC_", "NEXT_DYNAMIC_")
SECRETS = (
    "BRIDGE_SECRET_KEYS",
    "BRIDGE_DATABASE_URL",
    "DYNAMIC_API_TOKEN",
    "NEXT_DYNAMIC_BEARER_TOKEN",
    "DYNAMIC_WEBHOOK_SECRETS",
    "BRIDGE_METRICS_TOKEN",
)
"""Settings that may also be given as NAME_FILE, a file that holds the value."""

ALIASES = {
    "NEXT_PUBLIC_DYNAMIC_ENVIRONMENT_ID": "DYNAMIC_ENVIRONMENT_ID",
    "NEXT_DYNAMIC_BEARER_TOKEN": "DYNAMIC_API_TOKEN",
}
"""What the guide that this project replaces calls them."""

DEFAULT_ENV_FILE = Path("bridge.env")
DEFAULT_TOML = Path("bridge.toml")

_NAMES = frozenset(field.name for field in fields(Config))
_Entry = TypeVar("_Entry", Environment, Client, ClaimRule)


def _setting(default: Any, *names: str) -> Any:
    return Field(default, validation_alias=AliasChoices(*names))


class _Settings(BaseSettings):
    """Every setting with its names (environment variable first, bridge.toml's last) and its default."""

    model_config = SettingsConfigDict(extra="forbid", case_sensitive=True)

    issuer: str = _setting("", "BRIDGE_ISSUER", "issuer")
    secret_keys: Annotated[str, NoDecode] = _setting("", "BRIDGE_SECRET_KEYS", "secret_keys")
    database_url: str = _setting("sqlite:///bridge.db", "BRIDGE_DATABASE_URL", "database_url")
    development: bool = _setting(False, "BRIDGE_DEVELOPMENT", "development")
    assertion_max_lifetime: int = _setting(30 * 86400, "BRIDGE_ASSERTION_MAX_LIFETIME", "assertion_max_lifetime")
    clock_skew: int = _setting(30, "BRIDGE_CLOCK_SKEW", "clock_skew")
    audit_retention: int = _setting(90 * 86400, "BRIDGE_AUDIT_RETENTION", "audit_retention")
    audit_stdout: bool = _setting(False, "BRIDGE_AUDIT_STDOUT", "audit_stdout")
    audit_identifiers: Identifiers = _setting("none", "BRIDGE_AUDIT_IDENTIFIERS", "audit_identifiers")
    key_rotation: int = _setting(90 * 86400, "BRIDGE_KEY_ROTATION", "key_rotation")
    signin_url: str | None = _setting(None, "BRIDGE_SIGNIN_URL", "signin_url")
    login_page: str | None = _setting(None, "BRIDGE_LOGIN_PAGE", "login_page")
    session_idle_ttl: int = _setting(86400, "BRIDGE_SESSION_IDLE_TTL", "session_idle_ttl")
    session_absolute_ttl: int = _setting(30 * 86400, "BRIDGE_SESSION_ABSOLUTE_TTL", "session_absolute_ttl")
    host: str = _setting("127.0.0.1", "BRIDGE_HOST", "host")
    port: int = _setting(8080, "BRIDGE_PORT", "port")
    socket: str | None = _setting(None, "BRIDGE_SOCKET", "socket")
    tls_cert: str | None = _setting(None, "BRIDGE_TLS_CERT", "tls_cert")
    tls_key: str | None = _setting(None, "BRIDGE_TLS_KEY", "tls_key")
    proxies: int = _setting(0, "BRIDGE_PROXIES", "proxies")
    workers: int = _setting(0, "BRIDGE_WORKERS", "workers")
    log_level: str = _setting("INFO", "BRIDGE_LOG_LEVEL", "log_level")
    metrics_token: str | None = _setting(None, "BRIDGE_METRICS_TOKEN", "metrics_token")
    drain_delay: int = _setting(0, "BRIDGE_DRAIN_DELAY", "drain_delay")
    security_contact: str | None = _setting(None, "BRIDGE_SECURITY_CONTACT", "security_contact")
    limits: Annotated[Any, NoDecode] = _setting("", "BRIDGE_LIMITS", "limits")
    delivery: str = _setting("serve", "BRIDGE_DELIVERY", "delivery")
    # One Dynamic environment needs no bridge.toml.
    environment_id: str | None = _setting(None, "DYNAMIC_ENVIRONMENT_ID", "NEXT_PUBLIC_DYNAMIC_ENVIRONMENT_ID")
    api_base_url: str | None = _setting(None, "DYNAMIC_API_BASE_URL")
    api_token: str | None = _setting(None, "DYNAMIC_API_TOKEN", "NEXT_DYNAMIC_BEARER_TOKEN")
    key_source: str | None = _setting(None, "DYNAMIC_KEY_SOURCE")
    issuers: str | None = _setting(None, "DYNAMIC_ISSUERS")
    request_origin: str | None = _setting(None, "DYNAMIC_REQUEST_ORIGIN")
    webhook_secrets: Annotated[str | None, NoDecode] = _setting(None, "DYNAMIC_WEBHOOK_SECRETS")
    live_check: str | None = _setting(None, "DYNAMIC_LIVE_CHECK")
    live_check_ttl: int | None = _setting(None, "DYNAMIC_LIVE_CHECK_TTL")
    environments: list[dict[str, Any]] = _setting([], "environments")
    clients: list[dict[str, Any]] = _setting([], "clients")
    claims: list[dict[str, Any]] = _setting([], "claims")


def load(environ: Mapping[str, str], *, env_file: Path | None = None) -> Config:
    """The configuration, safe to serve with. Raises ConfigFaults with every fault there is."""
    faults: list[Fault] = []
    variables = _environment(environ, env_file, faults)
    config = _config(_settings(variables, faults), faults)
    faults += faults_of(config)
    if faults:
        raise ConfigFaults(faults)
    return config


def known_environment_id(environ: Mapping[str, str], env_file: Path | None) -> str | None:
    """The Dynamic environment id as far as variables and file already tell it."""
    variables = _environment(environ, env_file, [])
    return variables.get("DYNAMIC_ENVIRONMENT_ID") or variables.get("NEXT_PUBLIC_DYNAMIC_ENVIRONMENT_ID")


def _environment(environ: Mapping[str, str], env_file: Path | None, faults: list[Fault]) -> dict[str, str]:
    """Our variables, the env file's below the environment's own, and the content of …_FILE in place of its name."""
    path = env_file or DEFAULT_ENV_FILE
    from_file: Mapping[str, str | None] = {}
    if env_file is not None and not path.is_file():
        faults.append(Fault("--env-file", f"{path} does not exist", "Name an existing file."))
    elif path.is_file():
        from_file = dotenv_values(path, interpolate=False)
    # A name and its alias are one setting: whichever the environment has hides both of the file's.
    hidden = {ALIASES.get(name, name) for name, value in environ.items() if value}
    below = {name: value for name, value in from_file.items() if ALIASES.get(name, name) not in hidden}
    merged = {**below, **{name: value for name, value in environ.items() if value}}
    ours = {name: value for name, value in merged.items() if name.startswith(PREFIXES) and value}
    for name in SECRETS:
        secret_file = ours.pop(f"{name}_FILE", None)
        if secret_file is None:
            continue
        if name in ours:
            faults.append(Fault(name, f"given twice, also as {name}_FILE", "Keep one of the two."))
        try:
            ours[name] = Path(secret_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            faults.append(Fault(f"{name}_FILE", "cannot be read", "Name a readable text file."))
    return ours


def _settings(variables: Mapping[str, str], faults: list[Fault]) -> _Settings:
    """Every setting from where it stands; one of the wrong form is a fault and has its default, to look further."""
    document = _toml(Path(variables.get("BRIDGE_CONFIG", DEFAULT_TOML)), "BRIDGE_CONFIG" in variables, faults)
    known = {name: value for name, value in variables.items() if name != "BRIDGE_CONFIG"}
    names = {str(n) for field in _Settings.model_fields.values() for n in _choices(field)}
    unknown = sorted(name for name in known.keys() - names if name.startswith("BRIDGE_"))
    faults += [Fault(name, "is no setting", "See the settings in docs/configuration.md.") for name in unknown]

    class Environ(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return known

    class Sourced(_Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return Environ(settings_cls), InitSettingsSource(settings_cls, document)

    for _ in range(len(_Settings.model_fields)):
        try:
            return Sourced()
        except ValidationError as error:
            faults += _invalid(error)
            for wrong in error.errors(include_url=False):
                for name in _names_of(str(wrong["loc"][0])):
                    known.pop(name, None)
                    document.pop(name, None)
    return _Settings.model_construct()


def _names_of(name: str) -> Sequence[str]:
    """Every name of the setting with that name; the name alone if there is no such setting."""
    every = (_choices(field) for field in _Settings.model_fields.values())
    return next(([str(choice) for choice in choices] for choices in every if name in choices), [name])


def _choices(field: FieldInfo) -> Sequence[object]:
    alias = field.validation_alias
    return alias.choices if isinstance(alias, AliasChoices) else ()


def _toml(path: Path, named: bool, faults: list[Fault]) -> dict[str, Any]:
    if not path.is_file():
        faults += [Fault("BRIDGE_CONFIG", f"{path} does not exist", "Name an existing file.")] if named else []
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        faults.append(Fault(str(path), f"is not readable TOML: {error}", "Mend the file."))
        return {}


def _config(settings: _Settings, faults: list[Fault]) -> Config:
    listed = _entries(Environment, "environments", settings.environments, faults)
    clients = _entries(Client, "clients", [client_table(table) for table in settings.clients], faults)
    claims = _entries(ClaimRule, "claims", settings.claims, faults)
    environments = _with_single_environment(settings, listed, faults)
    as_they_are = {name: getattr(settings, name) for name in _NAMES & _Settings.model_fields.keys()}
    made = {
        "secret_keys": _listed(settings.secret_keys),
        "environments": tuple(environments),
        "clients": tuple(clients),
        "claims": tuple(claims),
        "workers": settings.workers or fitting_workers(settings.database_url),
        "log_level": settings.log_level.upper(),
        "limits": limits_of(settings.limits, faults),
    }
    return Config(**{**as_they_are, **made})


def _with_single_environment(
    settings: _Settings, listed: Sequence[Environment], faults: list[Fault]
) -> Sequence[Environment]:
    """The environment named by variables comes first, on top of what bridge.toml says of it."""
    changes = {
        name: value
        for name, value in {
            "api_base_url": settings.api_base_url,
            "api_token": settings.api_token,
            "key_source": settings.key_source,
            "issuers": _listed(settings.issuers) if settings.issuers else None,
            "request_origin": settings.request_origin,
            "webhook_secrets": _listed(settings.webhook_secrets) if settings.webhook_secrets else None,
            "live_check": settings.live_check,
            "live_check_ttl": settings.live_check_ttl,
        }.items()
        if value is not None
    }
    if settings.environment_id is None:
        if changes:
            mend = "Set DYNAMIC_ENVIRONMENT_ID, or write these settings into bridge.toml."
            faults.append(Fault("DYNAMIC_ENVIRONMENT_ID", "is not set, but other DYNAMIC_ settings are", mend))
        return listed
    environment_id = settings.environment_id.lower()
    base = next((e for e in listed if e.environment_id == environment_id), Environment(environment_id))
    overlaid = _entries(Environment, "DYNAMIC_…", [{"environment_id": environment_id, **changes}], faults)
    if not overlaid:
        return listed
    named = replace(base, **{name: getattr(overlaid[0], name) for name in changes})
    return [named, *(e for e in listed if e.environment_id != environment_id)]


def _listed(value: str) -> tuple[str, ...]:
    """The entries of a list that a variable holds, separated by commas."""
    return tuple(entry.strip() for entry in value.split(",") if entry.strip())


def _entries(kind: type[_Entry], where: str, tables: Sequence[Mapping[str, Any]], faults: list[Fault]) -> list[_Entry]:
    adapter = TypeAdapter(kind)
    known = {field.name for field in fields(kind)}
    accepted: list[_Entry] = []
    for number, table in enumerate(tables):
        unknown = sorted(table.keys() - known)
        faults += [_fault((where, number, name), "unknown setting, or of the wrong form") for name in unknown]
        try:
            accepted.append(adapter.validate_python({name: table[name] for name in table.keys() & known}))
        except ValidationError as error:
            faults += _invalid(error, where, number)
    return accepted


def _invalid(error: ValidationError, *where: int | str) -> list[Fault]:
    wrong: list[ErrorDetails] = error.errors(include_url=False, include_input=False)  # the input may be a secret
    return [_fault((*where, *entry["loc"]), entry["msg"]) for entry in wrong]


def _fault(location: Sequence[int | str], problem: str) -> Fault:
    return Fault(".".join(map(str, location)), problem.lower(), "See the settings in docs/configuration.md.")
