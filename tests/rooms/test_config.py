"""The configuration as an operator meets it: where a setting comes from, and what the server refuses to start with."""

import traceback
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Config, ConfigFaults, Fault
from bridge.config.settings import DEFAULT_LIMITS
from bridge.config.sources import load
from bridge.model import TOKEN_EXCHANGE, ClaimRule, Environment
from bridge.store.seal import new_secret_key

ID = "1a1a1a1a-1a1a-4a1a-8a1a-1a1a1a1a1a1a"
OTHER_ID = "2b2b2b2b-2b2b-4b2b-8b2b-2b2b2b2b2b2b"
KEY, OTHER_KEY, THIRD_KEY = new_secret_key(), new_secret_key(), new_secret_key()
WEAK_KEY = "QUFB" * 10 + "QUE="  # 32 bytes, all the same
TOKEN = "dyn_a1b2c3d4e5f6"
WEBHOOK_SECRET, OTHER_WEBHOOK_SECRET = "dyn_a-secret-of-a-webhook", "dyn_one-that-comes-after-it"
PRIMARY = {"DYNAMIC_ENVIRONMENT_ID": ID}
MINIMAL = {"BRIDGE_ISSUER": "https://id.example.com", "BRIDGE_SECRET_KEYS": KEY}

pytestmark = pytest.mark.timeout(10)  # once it was read in circles


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(toml: str = "", env_file: str | None = None, **environ: str) -> Config:
    """The configuration of a safe minimum, with these changes; an empty variable counts as unset."""
    Path("bridge.toml").write_text(toml, encoding="utf-8")
    if env_file is not None:
        Path("bridge.env").write_text(env_file, encoding="utf-8")
    return load({**MINIMAL, **PRIMARY, **environ})


def faults(toml: str = "", **environ: str) -> tuple[Fault, ...]:
    with pytest.raises(ConfigFaults) as refused:
        read(toml, **environ)
    return refused.value.faults


def faulty(toml: str = "", **environ: str) -> set[str]:
    return {fault.setting for fault in faults(toml, **environ)}


def test_three_variables_make_a_configuration_that_is_safe_to_serve_with() -> None:
    assert read() == Config(
        issuer="https://id.example.com",
        secret_keys=(KEY,),
        environments=(Environment(ID),),
        clients=(),
        claims=(),
        database_url="sqlite:///bridge.db",
        development=False,
        assertion_max_lifetime=30 * 86400,
        clock_skew=30,
        audit_retention=90 * 86400,
        audit_stdout=False,
        audit_identifiers="none",
        key_rotation=90 * 86400,
        signin_url=None,
        login_page=None,
        session_idle_ttl=86400,
        session_absolute_ttl=30 * 86400,
        host="127.0.0.1",
        port=8080,
        security_contact=None,
        socket=None,
        tls_cert=None,
        tls_key=None,
        proxies=0,
        workers=1,
        log_level="INFO",
        limits=DEFAULT_LIMITS,
        delivery="serve",
        metrics_token=None,
        drain_delay=0,
    )


@pytest.mark.parametrize(
    ("name", "toml", "env_file", "environ"),
    [
        ("issuer", "https://a.example", "https://b.example", "https://c.example"),
        ("secret_keys", THIRD_KEY, OTHER_KEY, KEY),
        ("database_url", "sqlite:///a.db", "sqlite:///b.db", "sqlite:///c.db"),
        ("assertion_max_lifetime", 61, 62, 63),
        ("clock_skew", 1, 2, 3),
        ("audit_retention", 86401, 86402, 86403),
        ("key_rotation", 3601, 3602, 3603),
        ("signin_url", "https://a.example/s", "https://b.example/s", "https://c.example/s"),
        ("session_idle_ttl", 301, 302, 303),
        ("session_absolute_ttl", 304, 305, 306),
        ("host", "0.0.0.0", "::", "::1"),
        ("port", 81, 82, 83),
        ("workers", 2, 3, 4),
        ("log_level", "DEBUG", "WARNING", "ERROR"),
    ],
)
def test_the_environment_wins_over_the_env_file_and_that_over_the_toml(
    name: str, toml: Any, env_file: Any, environ: Any
) -> None:
    def value() -> Any:
        found = getattr(load({**settings, **PRIMARY}), name)
        return found[0] if name == "secret_keys" else found

    variable = f"BRIDGE_{name.upper()}"
    settings = {key: value for key, value in MINIMAL.items() if key != variable}
    Path("bridge.toml").write_text(f"{name} = {toml!r}", encoding="utf-8")
    assert value() == toml
    Path("bridge.env").write_text(f"{variable}={env_file}", encoding="utf-8")
    assert value() == env_file
    settings[variable] = str(environ)
    assert value() == environ


def test_an_empty_variable_counts_as_unset() -> None:
    assert read('host = "::1"', BRIDGE_HOST="").host == "::1"
    assert read(env_file="BRIDGE_HOST=::1", BRIDGE_HOST="").host == "::1"


def test_the_env_local_of_a_nextauth_project_names_the_environment_and_its_token() -> None:
    Path(".env.local").write_text(
        f"NEXTAUTH_URL=http://localhost:3000\nNEXTAUTH_SECRET='not ours'\nDATABASE_URL=postgres://db\n# a comment\n"
        f"NEXT_PUBLIC_DYNAMIC_ENVIRONMENT_ID={ID}\nexport NEXT_DYNAMIC_BEARER_TOKEN={TOKEN}${{HOME}}\n"
        "NEXT_PUBLIC_DYNAMIC_THEME=dark\n",
        encoding="utf-8",
    )

    config = load(MINIMAL, env_file=Path(".env.local"))

    assert config.environments == (Environment(ID, api_token=f"{TOKEN}${{HOME}}"),)
    assert config.database_url == "sqlite:///bridge.db"


def test_a_variable_wins_over_the_env_file_under_either_of_its_names() -> None:
    Path("bridge.env").write_text(f"DYNAMIC_ENVIRONMENT_ID={OTHER_ID}", encoding="utf-8")

    config = load({**MINIMAL, "NEXT_PUBLIC_DYNAMIC_ENVIRONMENT_ID": ID})

    assert config.environments[0].environment_id == ID


def test_a_file_that_is_named_must_exist() -> None:
    with pytest.raises(ConfigFaults, match=r"missing\.env does not exist"):
        load({**MINIMAL, **PRIMARY}, env_file=Path("missing.env"))
    assert faulty(BRIDGE_CONFIG="elsewhere.toml") == {"BRIDGE_CONFIG"}
    Path("elsewhere.toml").write_text("port = 9000", encoding="utf-8")
    assert read("port = 1", BRIDGE_CONFIG="elsewhere.toml").port == 9000


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("BRIDGE_SECRET_KEYS", f"{OTHER_KEY},\n{KEY}", lambda config: ",".join(config.secret_keys)),
        ("BRIDGE_DATABASE_URL", "sqlite:///of-file.db", lambda config: config.database_url),
        ("DYNAMIC_API_TOKEN", TOKEN, lambda config: config.environments[0].api_token),
        ("NEXT_DYNAMIC_BEARER_TOKEN", TOKEN, lambda config: config.environments[0].api_token),
        (
            "DYNAMIC_WEBHOOK_SECRETS",
            f"{WEBHOOK_SECRET},\n{OTHER_WEBHOOK_SECRET}",
            lambda config: ",".join(config.environments[0].webhook_secrets),
        ),
    ],
)
def test_a_secret_may_be_in_a_file_of_its_own(name: str, content: str, found: Any) -> None:
    Path("secret").write_text(f"{content}\n", encoding="utf-8")
    assert found(read(**{name: "", f"{name}_FILE": "secret"})) == content.replace("\n", "")


def test_a_secret_given_twice_or_in_a_file_that_cannot_be_read_is_a_fault() -> None:
    Path("binary").write_bytes(b"\xff\xfe")
    assert faulty(BRIDGE_SECRET_KEYS_FILE="binary") == {"BRIDGE_SECRET_KEYS", "BRIDGE_SECRET_KEYS_FILE"}
    assert "DYNAMIC_API_TOKEN_FILE" in faulty(DYNAMIC_API_TOKEN_FILE="missing")


def test_an_environments_ends_are_heard_of_by_webhooks_or_by_the_live_check() -> None:
    def heard(toml: str = "", **settings: str) -> bool:
        return read(toml, **settings).environments[0].revocations_heard

    assert not heard()
    assert heard(DYNAMIC_WEBHOOK_SECRETS=WEBHOOK_SECRET)
    assert heard(DYNAMIC_LIVE_CHECK="open", DYNAMIC_API_TOKEN=TOKEN)
    assert not heard(DYNAMIC_LIVE_CHECK="off", DYNAMIC_API_TOKEN=TOKEN)
    assert heard(f'[[environments]]\nenvironment_id = "{ID}"\nwebhook_secrets = ["{WEBHOOK_SECRET}"]')


@pytest.mark.parametrize(
    "secrets",
    [
        "hunter2",
        "x" * 40,
        f"{WEBHOOK_SECRET},{WEBHOOK_SECRET}",
        "a secret with spaces in it",
        "dyn_sécret-of-a-webhook",
    ],
)
def test_a_webhook_secret_that_nobody_would_make_is_a_fault_and_is_not_repeated(secrets: str) -> None:
    found = faults(DYNAMIC_WEBHOOK_SECRETS=secrets)
    assert [fault.setting for fault in found] == [f"environment {ID}, webhook_secrets"]
    assert secrets not in str(found[0])


def test_the_live_check_needs_the_api_token_and_one_of_its_modes() -> None:
    assert faulty(DYNAMIC_LIVE_CHECK="closed") == {f"environment {ID}, api_token"}
    assert "DYNAMIC_….0.live_check" in faulty(DYNAMIC_LIVE_CHECK="sometimes", DYNAMIC_API_TOKEN=TOKEN)


def test_several_environments_keep_their_order() -> None:
    toml = f'[[environments]]\nenvironment_id = "{OTHER_ID}"\n[[environments]]\nenvironment_id = "{ID}"'
    assert read(toml, DYNAMIC_ENVIRONMENT_ID="").environments == (Environment(OTHER_ID), Environment(ID))


def test_variables_come_on_top_of_what_the_toml_says_of_that_environment() -> None:
    toml = (
        f'[[environments]]\nenvironment_id = "{OTHER_ID}"\n'
        f'[[environments]]\nenvironment_id = "{ID}"\nlegacy_scope = true\nrequest_origin = "https://a.example.com"\n'
    )
    config = read(
        toml,
        DYNAMIC_ENVIRONMENT_ID=ID.upper(),
        DYNAMIC_API_TOKEN=TOKEN,
        DYNAMIC_API_BASE_URL="https://auth.example.io/api/v0",
        DYNAMIC_KEY_SOURCE="keys",
        DYNAMIC_ISSUERS=f"auth.example.io/{ID},https://auth.example.io/{ID}",
        DYNAMIC_REQUEST_ORIGIN="https://b.example.com",
    )
    assert config.environments == (
        Environment(
            ID,
            api_base_url="https://auth.example.io/api/v0",
            api_token=TOKEN,
            key_source="keys",
            issuers=(f"auth.example.io/{ID}", f"https://auth.example.io/{ID}"),
            request_origin="https://b.example.com",
            legacy_scope=True,
        ),
        Environment(OTHER_ID),
    )


def test_a_misspelt_variable_of_ours_is_a_fault() -> None:
    assert faulty(BRIDGE_ISSUR="https://id.example.com") == {"BRIDGE_ISSUR"}


def test_settings_of_an_environment_that_no_variable_names_are_a_fault() -> None:
    toml = f'[[environments]]\nenvironment_id = "{OTHER_ID}"'
    assert faulty(toml, DYNAMIC_ENVIRONMENT_ID="", DYNAMIC_API_TOKEN=TOKEN) == {"DYNAMIC_ENVIRONMENT_ID"}


def test_a_list_in_a_variable_may_have_spaces() -> None:
    found = read(DYNAMIC_ISSUERS=f"a.example/{ID}, b.example/{ID} ,").environments[0]
    assert found.issuers == (f"a.example/{ID}", f"b.example/{ID}")


def test_clients_and_claims_come_from_the_toml() -> None:
    digest = "ab" * 32
    toml = (
        f'[[clients]]\nclient_id = "app"\ngrants = ["token-exchange"]\nsecret_sha256 = ["{digest.upper()}"]\n'
        '[[claims]]\nsource = "metadata.department"\nclaim = "department"\nid_token = false\n'
    )
    config = read(toml)
    assert config.clients[0].grants == (TOKEN_EXCHANGE,)
    assert config.clients[0].secrets[0].sha256 == digest
    assert config.claims == (ClaimRule("metadata.department", "department", id_token=False),)


def test_eight_faults_are_told_at_once() -> None:
    toml = '[[claims]]\nsource = "metadata.x"\nclaim = "iss"\n[[clients]]\nclient_id = "app"\n'
    found = faulty(
        toml,
        BRIDGE_ISSUER="http://id.example.com",
        BRIDGE_SECRET_KEYS="changeme",
        BRIDGE_DATABASE_URL="nonsense",
        BRIDGE_PORT="0",
        BRIDGE_LOG_LEVEL="LOUD",
        DYNAMIC_ENVIRONMENT_ID="",
    )
    assert found == {
        *("BRIDGE_ISSUER", "BRIDGE_SECRET_KEYS", "BRIDGE_DATABASE_URL", "BRIDGE_PORT", "BRIDGE_LOG_LEVEL"),
        *("DYNAMIC_ENVIRONMENT_ID", "claim iss", "client app, secret_sha256"),
    }


def test_a_value_of_the_wrong_type_does_not_hide_the_other_faults() -> None:
    toml = "isuer = 1\n[[clients]]\nclient_id = 'app'\ncolour = 'red'"
    found = faulty(toml, BRIDGE_PORT="many", BRIDGE_ISSUER="http://id.example.com", BRIDGE_LOG_LEVEL="LOUD")
    assert found >= {"BRIDGE_PORT", "BRIDGE_ISSUER", "BRIDGE_LOG_LEVEL", "isuer", "clients.0.colour"}


@pytest.mark.parametrize(
    ("toml", "setting"),
    [
        ("isuer = 'https://id.example.com'", "isuer"),
        ("[server]\nport = 1", "server"),
        (f"[[environments]]\nenvironment_id = '{OTHER_ID}'\ntoken = 'x'", "environments.0.token"),
        ("[[clients]]\nclient_id = 'app'\npublic = true\nredirect = 'x'", "clients.0.redirect"),
        ("[[claims]]\nsource = 'a'\nclaim = 'b'\nscopes = 'c'", "claims.0.scopes"),
        ("port = 'many'", "port"),
        ("workers = 1.5", "workers"),
        ("development = 'perhaps'", "development"),
        ("host = 5", "host"),
        ("clients = 'app'", "clients"),
        ("clients = ['app']", "clients.0"),
        ("environments = 3", "environments"),
        ("[[environments]]\nissuers = []", "environments.0.environment_id"),
        (f"[[environments]]\nenvironment_id = '{OTHER_ID}'\nkey_source = 'dns'", "environments.0.key_source"),
        ("[[clients]]\nclient_id = 7\npublic = true", "clients.0.client_id"),
        ("[[clients]]\nclient_id = 'app'\npublic = true\nscopes = 'openid'", "clients.0.scopes"),
        ("[[clients]]\nclient_id = 'app'\npublic = true\nsecret_sha256 = 'ab'", "clients.0.secret_sha256"),
        ("[[claims]]\nsource = 'a'\nclaim = 'b'\ntype = 'uuid'", "claims.0.type"),
    ],
)
def test_an_unknown_setting_or_a_wrong_type_is_named(toml: str, setting: str) -> None:
    assert [fault.setting.removeprefix("BRIDGE_").lower() for fault in faults(toml)] == [setting]


@pytest.mark.parametrize("toml", ["port = ", "port 1", "port = 1\nport = 2", "\ud800".encode("utf-8", "surrogatepass")])
def test_a_file_that_is_not_toml_is_named(toml: str | bytes) -> None:
    Path("bridge.toml").write_bytes(toml if isinstance(toml, bytes) else toml.encode())
    with pytest.raises(ConfigFaults, match=r"^bridge\.toml: is not readable TOML"):
        load({**MINIMAL, **PRIMARY})


@pytest.mark.parametrize(
    ("toml", "environ", "secret"),
    [
        ("", {"BRIDGE_SECRET_KEYS": "a-short-secret"}, "a-short-secret"),
        ("", {"BRIDGE_SECRET_KEYS": WEAK_KEY}, WEAK_KEY),
        ("", {"BRIDGE_SECRET_KEYS": f"{KEY},{KEY}"}, KEY),
        ("", {"BRIDGE_DATABASE_URL": "nonsense:hunter2@db"}, "hunter2"),
        ("", {"DYNAMIC_ENVIRONMENT_ID": TOKEN}, TOKEN),  # pasted into the wrong line
        ("", {"DYNAMIC_API_TOKEN": TOKEN, "DYNAMIC_KEY_SOURCE": "dns"}, TOKEN),
        ("secret_keys = 123456789", {"BRIDGE_SECRET_KEYS": ""}, "123456789"),
        ("secret_keys = hunter2", {}, "hunter2"),
        ("secret_keys = 'hunter2", {}, "hunter2"),
        (f"[[environments]]\nenvironment_id = '{OTHER_ID}'\napi_token = ['hunter2']", {}, "hunter2"),
        ("[[clients]]\nclient_id = 'app'\nsecret_sha256 = 'hunter2'", {}, "hunter2"),
        ("[[clients]]\nclient_id = 'app'\nsecret_sha256 = ['hunter2']", {}, "hunter2"),
        ("[[clients]]\nclient_id = 'app'\nsecrets = ['hunter2']", {}, "hunter2"),
    ],
)
def test_no_fault_repeats_a_secret(toml: str, environ: dict[str, str], secret: str) -> None:
    with pytest.raises(ConfigFaults) as refused:
        read(toml, **environ)
    told = "".join(traceback.format_exception(refused.value)) + repr(refused.value) + repr(refused.value.faults)
    assert refused.value.faults[0].problem in told
    assert secret not in told


def test_no_secret_is_in_the_text_of_a_configuration() -> None:
    toml = f"[[clients]]\nclient_id = 'app'\nsecret_sha256 = ['{'ab' * 32}']"
    config = read(toml, DYNAMIC_API_TOKEN=TOKEN, BRIDGE_DATABASE_URL="sqlite:///bridge.db?password=hunter2")
    text = repr(config) + str(config)
    assert ID in text
    assert not [secret for secret in (KEY, TOKEN, "hunter2", "abab") if secret in text]
